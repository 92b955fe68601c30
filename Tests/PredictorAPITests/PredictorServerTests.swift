import AsyncHTTPClient
import CoefficientFile
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PredictorEntries
import RuntimeTestSupport
import Testing

@testable import PredictorAPI

/// A running server and its folder.
private struct Subject {
  let folder: String
  let ports: PredictorServer.Ports

  func send(
    _ method: HTTPMethod, _ path: String, _ body: String = "", isTraining: Bool = false
  ) async throws -> (status: Int, json: [String: Any], text: String) {
    let port = isTraining ? ports.training : ports.prediction
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = method
    if !body.isEmpty { request.body = .bytes(ByteBuffer(string: body)) }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
    let data = Data(buffer: try await response.body.collect(upTo: 32 << 20))
    let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    return (Int(response.status.code), json ?? [:], String(decoding: data, as: UTF8.self))
  }

  func get(
    _ path: String, isTraining: Bool = false
  ) async throws -> (status: Int, json: [String: Any], text: String) {
    try await send(.GET, path, isTraining: isTraining)
  }
}

/// Runs a server on free ports in a fresh folder, or in `folder`, and ends it.
private func withServer(
  folder given: String? = nil, _ adjust: (inout PredictorConfiguration) -> Void = { _ in },
  _ body: (Subject) async throws -> Void
) async throws {
  let folder = given ?? NSTemporaryDirectory() + "predictor-" + UUID().uuidString
  defer { if given == nil { try? FileManager.default.removeItem(atPath: folder) } }
  var configuration = PredictorConfiguration(folder: folder)
  configuration.predictionPort = 0
  configuration.trainingPort = 0
  adjust(&configuration)
  let (started, continuation) = AsyncStream.makeStream(of: PredictorServer.Ports.self)
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  let server = try PredictorServer(configuration, logger: logger) { continuation.yield($0) }
  let task = Task { try await server.run() }
  defer { task.cancel() }
  var iterator = started.makeAsyncIterator()
  let ports = try #require(await iterator.next())
  try await body(Subject(folder: folder, ports: ports))
  task.cancel()
  _ = await task.result
}

private func row(_ running: Int, extra: String = "") -> String {
  """
  {"kv_cache_percentage":0.4,"input_token_length":1000,"num_request_waiting":0,\
  "num_request_running":\(running),"num_tokens_generated":1,"prefix_cache_score":0.5,\
  "prefill_tokens_in_flight":0,"decode_tokens_in_flight":0\(extra)}
  """
}

@Suite struct PredictorServerTests {
  @Test func aBulkQuestionIsAnsweredRowByRowInTheRoutersShape() async throws {
    try await withServer { server in
      let body = "{\"requests\":[" + (0..<150).map { row($0) }.joined(separator: ",") + "]}"
      for path in ["/predict/bulk/strict", "/predict/bulk"] {
        let answer = try await server.send(.POST, path, body)
        #expect(answer.status == 200)
        let rows = try #require(answer.json["predictions"] as? [[String: Any]])
        let values = rows.compactMap { $0["ttft_ms"] as? Double }
        #expect(values.count == 150)
        #expect(values == values.sorted(), "more running requests, more latency")
        #expect(answer.json["total_requests"] as? Int == 150)
        #expect(answer.json["successful_predictions"] as? Int == 150)
        #expect(answer.json["failed_predictions"] as? Int == 0)
        #expect(answer.json["processing_time_ms"] is Double)
        let first = try #require(rows.first)
        for key in ["tpot_ms", "predicted_at", "model_type", "objective_type", "quantile"] {
          #expect(first[key] != nil, "\(key)")
        }
        #expect(first["last_model_load"] is NSNull)
      }
    }
  }

  @Test func oneQuestionGivesTheSameAsInBulk() async throws {
    try await withServer { server in
      let one = try await server.send(.POST, "/predict", row(7))
      let bulk = try await server.send(.POST, "/predict/bulk/strict", "{\"requests\":[\(row(7))]}")
      let rows = try #require(bulk.json["predictions"] as? [[String: Any]])
      #expect(one.json["ttft_ms"] as? Double == rows.first?["ttft_ms"] as? Double)
      // In-flight tokens count in every path.
      let loaded = row(7).replacingOccurrences(
        of: "\"prefill_tokens_in_flight\":0", with: "\"prefill_tokens_in_flight\":90000")
      let more = try await server.send(.POST, "/predict", loaded)
      let (light, heavy) = (
        try #require(one.json["ttft_ms"] as? Double), try #require(more.json["ttft_ms"] as? Double)
      )
      #expect(heavy > light + 1_000)
      let training = try await server.send(.POST, "/predict", row(7), isTraining: true)
      #expect(training.json["ttft_ms"] as? Double == light)
      #expect((training.json["ttft_prediction_bounds"] as? [Double])?.count == 2)
    }
  }

  @Test func aRuleThatIsBrokenIsToldAs422() async throws {
    try await withServer { server in
      let bad = row(1).replacingOccurrences(of: "0.4", with: "1.4")
      let answer = try await server.send(
        .POST, "/predict/bulk/strict", "{\"requests\":[\(row(1)),\(bad)]}")
      #expect(answer.status == 422)
      let detail = try #require(answer.json["detail"] as? [[String: Any]])
      #expect(detail.first?["type"] as? String == "less_than_equal")
      let location = try #require(detail.first?["loc"] as? [Any])
      #expect(location.count == 4)
      #expect(location[2] as? Int == 1)
      #expect(location[3] as? String == "kv_cache_percentage")
      let broken = try await server.send(.POST, "/predict", "{")
      #expect(broken.status == 422)
      let entries = try await server.send(
        .POST, "/add_training_data_bulk", "{\"entries\":[\(row(1))]}", isTraining: true)
      #expect(entries.status == 422)
      #expect(try EntryLog.read(folder: server.folder + "/entries").entries.isEmpty)
    }
  }

  @Test func bodiesOverTheLimitAreRefused() async throws {
    try await withServer {
      $0.maximumBodyBytes = 2_000
    } _: { server in
      let long = "{\"requests\":[" + (0..<50).map { row($0) }.joined(separator: ",") + "]}"
      let answer = try await server.send(.POST, "/predict/bulk", long)
      #expect(answer.status == 413)
    }
  }

  @Test func postedEntriesAreKeptAcrossARestart() async throws {
    let folder = NSTemporaryDirectory() + "predictor-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let outcome =
      ",\"actual_ttft_ms\":231,\"actual_tpot_ms\":0,"
      + "\"timestamp\":\"2026-08-21T10:00:00Z\""
    for batch in 0..<2 {
      try await withServer(folder: folder) { server in
        let body = "{\"entries\":[\(row(batch, extra: outcome)),\(row(9, extra: outcome))]}"
        let answer = try await server.send(
          .POST, "/add_training_data_bulk", body, isTraining: true)
        #expect(answer.status == 202)
        #expect(answer.json["message"] as? String == "Accepted 2 training samples.")
        let status = try await server.get("/data/status", isTraining: true)
        let data = try #require(status.json["training_data"] as? [String: Any])
        #expect(data["ttft_samples"] as? Int == 2)
      }
    }
    let kept = try EntryLog.read(folder: folder + "/entries").entries
    #expect(kept.map { Int($0[.runningRequests]) } == [0, 9, 1, 9])
  }

  @Test func statusIsHonestBeforeAndAfterAModelComes() async throws {
    try await withServer { server in
      var status = try await server.get("/status")
      #expect(status.json["is_ready"] as? Bool == false)
      let ready = try await server.get("/readyz")
      #expect(ready.status == 200)
      let before = try await server.send(.POST, "/predict", row(3))
      var model = EntryPrior.model
      for head in model.ttft.heads.indices { model.ttft.heads[head].intercept += 5_000 }
      model.engines = [SyntheticModel.engine()]
      try CoefficientFile.write(try model.encoded(), to: server.folder + "/champion.glide")
      let reload = try await server.send(.POST, "/reload")
      #expect(reload.json["loaded"] as? Bool == true)
      status = try await server.get("/status")
      #expect(status.json["is_ready"] as? Bool == true)
      #expect(status.json["last_model_load"] is String)
      let after = try await server.send(.POST, "/predict", row(3))
      let gain = (after.json["ttft_ms"] as? Double ?? 0) - (before.json["ttft_ms"] as? Double ?? 0)
      #expect(abs(gain - 5_000) < 1)
      let bytes = try await server.get("/model/ttft/download", isTraining: true)
      #expect(bytes.status == 200)
    }
  }

  @Test func aGatewaysOwnModelIsRefusedAndTheOldOneStays() async throws {
    try await withServer { server in
      let model = SyntheticModel.model(seed: 3)
      try CoefficientFile.write(try model.encoded(), to: server.folder + "/champion.glide")
      let reload = try await server.send(.POST, "/reload")
      #expect(reload.json["loaded"] as? Bool == false)
      #expect((reload.json["reason"] as? String)?.contains("fit-entries") == true)
      let answer = try await server.send(.POST, "/predict", row(3))
      #expect(answer.status == 200)
    }
  }

  @Test func readinessCanBeStrict() async throws {
    try await withServer {
      $0.isReadinessStrict = true
    } _: { server in
      let ready = try await server.get("/readyz")
      let health = try await server.get("/healthz")
      #expect(ready.status == 503)
      #expect(health.status == 200)
    }
  }

  @Test func everyPathThatTheRouterPollsAnswersJSON() async throws {
    try await withServer { server in
      for path in ["/", "/status", "/healthz", "/readyz"] {
        let answer = try await server.get(path)
        #expect(!answer.json.isEmpty, "\(path)")
      }
      for path in [
        "/", "/model/download/info", "/models/list", "/model/tpot/info", "/data/status",
        "/healthz", "/readyz",
      ] {
        let answer = try await server.get(path, isTraining: true)
        #expect(answer.status == 200 && !answer.json.isEmpty, "\(path)")
      }
      let info = try await server.get("/model/download/info", isTraining: true)
      #expect(info.json["model_status"] is [String: Any])
      let unknown = try await server.get("/model/other/info", isTraining: true)
      #expect(unknown.status == 404)
      let metrics = try await server.get("/metrics", isTraining: true).text
      #expect(metrics.contains("ttft_intercept{} "))
      #expect(metrics.contains("ttft_coef{feature=\"new tokens\"} "))
      let flush = try await server.send(.POST, "/flush", "{}", isTraining: true)
      #expect(flush.json["success"] as? Bool == true)
    }
  }

  @Test(arguments: [
    "/model/ttft/xgb/json", "/model/tpot/lgb/txt", "/model/ttft/lgb/importances",
    "/model/export", "/debug/prefix_distribution",
  ])
  func whatOnlyTreesHaveIsSaidNotToBeHere(path: String) async throws {
    try await withServer { server in
      let answer = try await server.get(path, isTraining: true)
      #expect(answer.status == 501)
      #expect((answer.json["detail"] as? String)?.contains(" /") == true, "what to ask instead")
    }
  }

  @Test func theFitCommandIsRunOnWhatCameAndItsModelTakenOver() async throws {
    // The command's stand-in copies a model that lies ready, as a fit that is promoted would.
    let source = NSTemporaryDirectory() + "fitted-" + UUID().uuidString + ".glide"
    defer { try? FileManager.default.removeItem(atPath: source) }
    var model = EntryPrior.model
    model.engines = [SyntheticModel.engine()]
    try CoefficientFile.write(try model.encoded(), to: source)
    let script = "test -d \"$0\" && cp '\(source)' \"$2.new\" && mv \"$2.new\" \"$2\""
    try await withServer {
      $0.fitCommand = ["/bin/sh", "-c", script]
      $0.retrainEntries = 1
      $0.leastRetrainSeconds = 0
    } _: { server in
      let outcome = ",\"actual_ttft_ms\":5,\"actual_tpot_ms\":0"
      _ = try await server.send(
        .POST, "/add_training_data_bulk", "{\"entries\":[\(row(1, extra: outcome))]}",
        isTraining: true)
      var status: [String: Any] = [:]
      for _ in 0..<100 where status["is_ready"] as? Bool != true {
        try await Task.sleep(for: .milliseconds(100))
        status = try await server.get("/status").json
      }
      #expect(status["is_ready"] as? Bool == true)
      let data = try await server.get("/data/status", isTraining: true)
      #expect(data.json["last_fit_outcome"] as? String == "promoted")
    }
  }
}
