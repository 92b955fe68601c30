import AccuracyReport
import ArgumentParser
import CoefficientFile
import Foundation
import LogReplay
import Retraining
import RoutingRuntime

/// `glidepath inspect`: a coefficient file as a table.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what a coefficient file holds.")

  @Argument(help: "The coefficient file.")
  var model: String

  @Option(help: "Require the signature of this Ed25519 public key.")
  var publicKey: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    let path = model
    let model = try ModelFiles.read(path, publicKey: publicKey)
    let rows = TermTable.rows(model)
    if output.json {
      try Console.print(json: json(model, rows))
      return
    }
    let origin = model.provenance
    print("\(path): fitted by glidepath \(origin.toolVersion) for \(origin.servedModel)")
    print(
      "\(origin.sampleCount) requests, dataset \(String(origin.datasetFingerprint, radix: 16)), "
        + "validation MAPE TTFT \(Console.short(origin.validationTTFTError)), "
        + "TPOT \(Console.short(origin.validationTPOTError))")
    for target in LatencyTarget.allCases {
      print("\n\(target.rawValue.uppercased()), mean head")
      print(
        Console.table(
          ["term", "coefficient", "from", "to", "unit", "sign", "fitted from", "to"],
          rows.filter { $0.target == target }.map(cells)))
    }
    print("\nEngine steps")
    print(Console.table(["what", "unit"] + engineNames(model), engineRows(model)))
    print("\nGroups")
    print(
      Console.table(
        ["kind", "name", "requests", "TTFT ×", "TPOT ×"],
        model.groups.map {
          [
            $0.kind == .endpoint ? "endpoint" : "accelerator", $0.name, String($0.sampleCount),
            Console.short(Double($0.ttftScales.first ?? 1)),
            Console.short(Double($0.tpotScales.first ?? 1)),
          ]
        }))
  }

  private func cells(_ row: TermRow) -> [String] {
    [
      row.name, Console.short(row.coefficient), Console.short(row.lower),
      Console.short(row.upper), row.unit, row.isNonNegative ? "≥ 0" : "free",
      Console.short(row.supportMinimum), Console.short(row.supportMaximum),
    ]
  }

  private func engineNames(_ model: GlideModel) -> [String] {
    model.engines.indices.map { index in
      model.groups.first { $0.kind == .accelerator && Int($0.engine) == index }?.name
        ?? "engine \(index)"
    }
  }

  private func engineRows(_ model: GlideModel) -> [[String]] {
    let limits: [(String, String, (EngineModel) -> Double)] = [
      ("token budget", "tokens per step", \.tokenBudget),
      ("most sequences", "requests", \.maximumSequences),
      ("gateway to engine", "ms", \.uplinkMilliseconds),
      ("engine to gateway", "ms", \.downlinkMilliseconds),
    ]
    let steps = StepFeature.names.indices.map { index in
      [StepFeature.names[index], StepFeature.units[index]]
        + model.engines.map { stepCell($0, index) }
    }
    return limits.map { name, unit, value in
      [name, unit] + model.engines.map { Console.short(value($0)) }
    } + steps
  }

  /// A step coefficient with its 95 % half-width.
  private func stepCell(_ engine: EngineModel, _ index: Int) -> String {
    guard engine.stepCoefficients.indices.contains(index) else { return "0" }
    let width =
      engine.stepHalfWidths.indices.contains(index) ? Double(engine.stepHalfWidths[index]) : 0
    let value = Console.short(engine.stepCoefficients[index])
    return width > 0 ? "\(value) ± \(Console.short(width))" : value
  }

  private func json(_ model: GlideModel, _ rows: [TermRow]) -> [String: Any] {
    let origin = model.provenance
    return [
      "tool_version": origin.toolVersion, "served_model": origin.servedModel,
      "requests": Int(clamping: origin.sampleCount),
      "dataset": String(origin.datasetFingerprint, radix: 16),
      "first_received_unix_ns": origin.firstReceivedNanoseconds,
      "last_received_unix_ns": origin.lastReceivedNanoseconds,
      "validation_ttft_mape": origin.validationTTFTError,
      "validation_tpot_mape": origin.validationTPOTError,
      "terms": rows.map {
        [
          "target": $0.target.rawValue, "name": $0.name, "unit": $0.unit,
          "coefficient": $0.coefficient, "lower": $0.lower, "upper": $0.upper,
          "non_negative": $0.isNonNegative, "support_minimum": $0.supportMinimum,
          "support_maximum": $0.supportMaximum,
        ] as [String: Any]
      },
      "engines": model.engines.map {
        [
          "token_budget": $0.tokenBudget, "maximum_sequences": $0.maximumSequences,
          "uplink_ms": $0.uplinkMilliseconds, "downlink_ms": $0.downlinkMilliseconds,
          "step_coefficients": $0.stepCoefficients,
          "step_half_widths": $0.stepHalfWidths.map { Double($0) },
        ] as [String: Any]
      },
      "groups": model.groups.map {
        [
          "kind": $0.kind == .endpoint ? "endpoint" : "accelerator", "name": $0.name,
          "requests": Int(clamping: $0.sampleCount),
          "ttft_scale": Double($0.ttftScales.first ?? 1),
          "tpot_scale": Double($0.tpotScales.first ?? 1),
        ] as [String: Any]
      },
    ]
  }
}

/// `glidepath explain`: why one request was predicted as it was.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show each term's milliseconds for one request of a log.")

  @Option(help: "The coefficient file.")
  var model: String

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(help: "The request's id.")
  var request: String

  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let model = try ModelFiles.read(model)
    let loaded = try logOptions.read(log, output.progress)
    guard let explanation = try Explanation.of(request, model: model, log: loaded) else {
      throw CommandFailure("no request \(request) in the log; ids are those of its request_id")
    }
    if output.json {
      try Console.print(json: [
        "request_id": request, "endpoint": explanation.endpoint,
        "predicted": [
          "ttft_ms": explanation.prediction.ttft.mean, "tpot_ms": explanation.prediction.tpot.mean,
        ],
        "actual": [
          "ttft_ms": explanation.actualTTFTMilliseconds,
          "tpot_ms": explanation.actualTPOTMilliseconds,
        ],
        "extrapolating": explanation.prediction.isExtrapolating,
        "terms": explanation.parts.map {
          ["target": $0.target.rawValue, "name": $0.name, "ms": $0.milliseconds] as [String: Any]
        },
      ])
      return
    }
    print("\(request) on \(explanation.endpoint)")
    for target in LatencyTarget.allCases {
      let isTTFT = target == .ttft
      let predicted = isTTFT ? explanation.prediction.ttft : explanation.prediction.tpot
      let actual =
        isTTFT ? explanation.actualTTFTMilliseconds : explanation.actualTPOTMilliseconds
      print(
        "\n\(target.rawValue.uppercased()): mean \(Console.short(predicted.mean)) ms, p50 "
          + "\(Console.short(predicted.p50)), p90 \(Console.short(predicted.p90)), p99 "
          + "\(Console.short(predicted.p99)); it took \(Console.short(actual)) ms")
      print(
        Console.table(
          ["term", "value", "ms"],
          explanation.parts.filter { $0.target == target }.map {
            [$0.name, $0.value, Console.short($0.milliseconds)]
          }))
    }
    if explanation.prediction.isExtrapolating {
      print("\nSome of these values lie outside what the model was fitted on.")
    }
  }
}
