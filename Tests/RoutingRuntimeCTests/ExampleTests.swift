import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Testing

/// The examples run as a host would run them: another language, the shared library, the header.
@Suite struct ExampleTests {
  private let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Examples")

  private var include: String {
    examples.appendingPathComponent("../../../Sources/RoutingRuntimeC/include").standardized.path
  }

  /// Products stand beside the tests.
  private var products: URL {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  }

  private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  private func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("capi-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  /// Builds an example; beside it stands the library under its soname, as an installation has it.
  private func compile(_ name: String, into folder: URL) throws -> String {
    let program = folder.appendingPathComponent(name).path
    try FileManager.default.createSymbolicLink(
      at: folder.appendingPathComponent("libglidepath_runtime.so.1"),
      withDestinationURL: products.appendingPathComponent("libglidepath_runtime.so"))
    let result = try run([
      "clang", "-Wall", "-Wextra", "-Werror", "-I", include, "-o", program,
      examples.appendingPathComponent(name + ".c").path, "-L", products.path,
      "-lglidepath_runtime", "-lm", "-ldl",
      "-Wl,-rpath," + folder.path,
    ])
    try #require(result.status == 0, Comment(rawValue: result.output))
    return program
  }

  private func model(in folder: URL) throws -> String {
    let path = folder.appendingPathComponent("m.glide").path
    try CoefficientFile.write(SyntheticModel.model(seed: 4).encoded(), to: path)
    return path
  }

  /// What the examples do, in Swift.
  private func expectedOutput() throws -> String {
    let predictor = try Predictor.compile(SyntheticModel.model(seed: 4)).get()
    var pool = EndpointPool(predictor: predictor)
    for (name, accelerator) in [("e0", "fast"), ("e1", "")] {
      _ = pool.addEndpoint(
        named: name, accelerator: accelerator, engine: predictor.model.engines[0])
    }
    let matched: [Double] = [100, 0]
    var output = ""
    for turn in 0..<10 {
      let time = 400 * Double(turn)
      let requests = matched.map {
        RequestShape(promptTokens: 1500, matchedPrefixTokens: $0, maximumTokens: 256)
      }
      let predictions = (0..<2).compactMap { pool.predict(requests[$0], on: $0, at: time) }
      let best = predictions[0].ttft.p90 <= predictions[1].ttft.p90 ? 0 : 1
      let handle = pool.dispatched(requests[best], to: best, at: time)
      pool.firstToken(handle, at: time + 120)
      pool.observe(
        EngineSnapshot(
          waitingRequests: 0, runningRequests: 1, kvCacheUsage: 0.1, time: time + 150), on: best)
      pool.finished(handle, outputTokens: 30, at: time + 380)
      let (ttft, tpot) = (predictions[best].ttft.p90, predictions[best].tpot.mean)
      output += String(format: "%d %.17g %.17g\n", best, ttft, tpot)
    }
    return output + "0 1 4\n"
  }

  @Test func theCExamplePredictsWhatSwiftPredicts() throws {
    try withFolder { folder in
      let program = try compile("example", into: folder)
      let result = try run([program, try model(in: folder)])
      #expect(result.status == 0)
      #expect(try result.output == expectedOutput())
    }
  }

  @Test func thePythonExamplePredictsWhatSwiftPredicts() throws {
    try withFolder { folder in
      let result = try run([
        "python3", examples.appendingPathComponent("example.py").path,
        products.appendingPathComponent("libglidepath_runtime.so").path, try model(in: folder),
      ])
      #expect(result.status == 0)
      #expect(try result.output == expectedOutput())
    }
  }

  /// What the routing example does, in Swift.
  private func expectedRoutes() throws -> String {
    let predictor = try Predictor.compile(SyntheticModel.model(seed: 4)).get()
    var router = Router(
      predictor: predictor,
      policy: .predictedCost(PredictedCostParameters(values: [0.2, 0, 1, 0, 2, 0, 0.1, 0])),
      configuration: .init(prefixCapacity: 1_000, seed: 7))
    for index in 0..<3 {
      _ = router.addEndpoint(
        named: "e\(index)", accelerator: "", engine: predictor.model.engines[0])
    }
    let request = RoutingRequest(
      promptTokens: 1_100, prefixBlocks: [11, 12, 13, 14], blockTokens: 256)
    var output = ""
    for turn in 0..<6 {
      let time = 35 * Double(turn)
      let pick = router.pick(request, at: time)
      let ttft = try #require(pick.prediction).ttft.mean
      output += String(
        format: "%d %d %.17g %.0f %.17g\n", pick.endpoint, Int(pick.reason.rawValue),
        pick.propensity, pick.matchedPrefixTokens, ttft)
      let handle = router.dispatched(request, to: pick.endpoint, at: time)
      if turn % 2 == 0 {
        router.firstToken(handle, at: time + 20)
        router.finished(handle, outputTokens: 5, at: time + 30)
      }
    }
    return output + "-1 \(PickReason.noEndpoint.rawValue)\n"
  }

  @Test func aHostWithoutACompilerRoutesAsSwiftDoes() throws {
    try withFolder { folder in
      let program = try compile("route", into: folder)
      let result = try run([
        program, folder.appendingPathComponent("libglidepath_runtime.so.1").path,
        try model(in: folder),
      ])
      #expect(result.status == 0)
      #expect(try result.output == expectedRoutes())
    }
  }

  @Test func thePythonRouteIsSwifts() throws {
    try withFolder { folder in
      let result = try run([
        "python3", examples.appendingPathComponent("route.py").path,
        products.appendingPathComponent("libglidepath_runtime.so").path, try model(in: folder),
      ])
      #expect(result.status == 0, Comment(rawValue: result.output))
      #expect(try result.output == expectedRoutes())
    }
  }

  @Test func theLibraryHasAStableSoname() throws {
    let library = products.appendingPathComponent("libglidepath_runtime.so").path
    let result = try run(["objdump", "-p", library])
    #expect(result.output.contains("SONAME") && result.output.contains("libglidepath_runtime.so.1"))
    for forbidden in ["openblas", "lapack", "sqlite", "Foundation"] {
      #expect(!result.output.contains("NEEDED               lib\(forbidden)"))
    }
  }

  @Test func misuseReturnsCodesAndNeverCrashes() throws {
    try withFolder { folder in
      let program = try compile("misuse", into: folder)
      let bad = folder.appendingPathComponent("bad.glide").path
      try CoefficientFile.write(Array("not a model".utf8), to: bad)
      let result = try run([program, try model(in: folder), bad])
      #expect(result.status == 0, Comment(rawValue: result.output))
    }
  }
}
