import Foundation
import NIOCore
import RequestLog
import RoutingRuntime
import RuntimeTestSupport
import Testing

@testable import EndpointPicker

@Suite struct PickerRuntimeTests {
  @Test func endpointFileIsFollowedAndABadOneRefused() async throws {
    try await RunningPicker.with(endpoints: 1) { running in
      #expect(running.runtime.picker.endpointCount == 1)
      try running.folder.write(RunningPicker.list(0..<4), to: "endpoints.yaml")
      #expect(await eventually { running.runtime.picker.endpointCount == 4 })
      try running.folder.write("endpoints: [{address: nowhere}]", to: "endpoints.yaml")
      #expect(
        await eventually {
          running.runtime.snapshot().sources["file"]?.lastRefusal?
            .contains("endpoints[0].address") ?? false
        })
      #expect(running.runtime.picker.endpointCount == 4)
      try running.folder.write(RunningPicker.list(0..<2), to: "endpoints.yaml")
      #expect(await eventually { running.runtime.picker.endpointCount == 2 })
    }
  }

  @Test func badFileAtTheStartIsAnError() async throws {
    await #expect(throws: EndpointPickerError.self) {
      try await RunningPicker.with(endpoints: 1) {
        $0.endpoints.file = "/proc/self/status"
      } _: { _ in
      }
    }
    await #expect(throws: EndpointPickerError.self) {
      try await RunningPicker.with(endpoints: 1) {
        $0.admin.address = "203.0.113.1"
      } _: { _ in
      }
    }
    await #expect(throws: EndpointPickerError.self) {
      try await RunningPicker.with(endpoints: 1) {
        $0.model.publicKeyFile = "/dev/null"
      } _: { _ in
      }
    }
  }

  @Test func newModelFileIsTakenOverAndABadOneRefused() async throws {
    try await RunningPicker.with { running in
      #expect(try await running.ask("/metrics").body.contains("glidepath_model_version 0\n"))
      try RunningPicker.write(SyntheticModel.constant(50), to: running.folder)
      #expect(await eventually { running.runtime.snapshot().report.modelVersion == 1 })
      try running.folder.write("not a model", to: "champion.glide")
      #expect(await eventually { running.runtime.snapshot().reloads.refused["malformed"] == 1 })
      let metrics = try await running.ask("/metrics").body
      #expect(metrics.contains("glidepath_model_version 1\n"))
      #expect(
        metrics.contains(
          "glidepath_model_reloads_total{outcome=\"refused\",reason=\"malformed\"} 1\n"))
      #expect(try await running.ask("/reload", .POST).status == 422)
      try RunningPicker.write(SyntheticModel.constant(60), to: running.folder)
      #expect(try await running.ask("/reload", .POST).status == 200)
    }
  }

  @Test func unsignedModelIsRefusedWhenAKeyIsRequired() async throws {
    let keys = try TemporaryFolder()
    // The public key of RFC 8032's first test vector.
    try keys.write(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n", to: "key")
    try await RunningPicker.with(model: SyntheticModel.constant(50)) {
      $0.model.publicKeyFile = keys.path + "/key"
    } _: { running in
      #expect(running.runtime.snapshot().reloads.refused == ["untrusted": 1])
      #expect(running.runtime.snapshot().report.modelVersion == 0)
      #expect(running.runtime.picker.picked() != nil, "it routes by load meanwhile")
    }
  }

  @Test func metricsHaveTheEcosystemsNames() async throws {
    try await RunningPicker.with(model: SyntheticModel.constant(50)) { running in
      running.serve(12)
      let metrics = try await running.ask("/metrics").body
      for name in ["ttft", "predicted_ttft", "tpot", "predicted_tpot"] {
        let metric = "inference_objective_request_\(name)_seconds"
        #expect(metrics.contains("# TYPE \(metric) histogram\n"))
        #expect(metrics.contains("\(metric)_count{model_name=\"llama\"} 12\n"))
        #expect(metrics.contains("\(metric)_bucket{model_name=\"llama\",le=\"+Inf\"} 12\n"))
      }
      #expect(metrics.contains("glidepath_requests_in_flight 0\n"))
      #expect(metrics.contains("glidepath_correction_factor{endpoint=\"e0\",target=\"ttft\"} 1"))
      #expect(metrics.contains("inference_pool_ready_pods{name=\"\"} 3\n"))
      #expect(metrics.contains("glidepath_requests_total{code=\"2xx\"} 12\n"))
      for line in metrics.split(separator: "\n") where !line.hasPrefix("#") {
        let value = line.split(separator: " ").last.flatMap { Double($0) }
        #expect(value != nil, "\(line)")
      }
    }
  }

  @Test func drainWaitsForRequestsAndWritesTheLog() async throws {
    try await RunningPicker.with { running in
      running.serve(5)
      let held = try #require(running.runtime.picker.picked())
      #expect(try await running.ask("/readyz").status == 200)
      #expect(try await running.ask("/drain", .POST).status == 202)
      #expect(try await running.ask("/readyz").status == 503)
      #expect(try await running.ask("/healthz").status == 200)
      await running.runtime.waitForDrainRequest()
      let late = try #require(running.runtime.picker.picked(), "nobody is refused meanwhile")
      running.runtime.picker.finished(late.ticket, outcome: .good)
      async let report = running.runtime.drain()
      running.runtime.picker.finished(held.ticket, outcome: .good)
      #expect(await report.abandonedRequests == 0)
      var reader = LogReader(try LogReader.Configuration(threads: 1, maximumBadShare: 1))
      let contents = try reader.readAll([running.folder.path + "/log/requests-gw-*"])
      #expect(contents.batch.rows.count + Int(contents.summary.rejected) == 7)
    }
  }

  @Test func requestsPickedWhileTheFrontEndClosesAreLogged() async throws {
    try await RunningPicker.with { running in
      running.serve(2)
      await running.runtime.drain { running.serve(3) }
      var reader = LogReader(try LogReader.Configuration(threads: 1, maximumBadShare: 1))
      let contents = try reader.readAll([running.folder.path + "/log/requests-gw-*"])
      #expect(contents.batch.rows.count + Int(contents.summary.rejected) == 5)
    }
  }

  @Test func drainGivesUpAtItsLimit() async throws {
    try await RunningPicker.with {
      $0.drain.limitMilliseconds = 50
    } _: { running in
      _ = running.runtime.picker.picked()
      let report = await running.runtime.drain()
      #expect(report.abandonedRequests == 1)
      #expect(report.milliseconds >= 50)
    }
  }

  @Test func withoutEndpointsItIsNotReady() async throws {
    try await RunningPicker.with(endpoints: 0) { running in
      let answer = try await running.ask("/readyz")
      #expect(answer.status == 503)
      #expect(answer.body == "no endpoints are known\n")
    }
  }

  @Test func pagesOfOtherOriginsMayNotAct() async throws {
    try await RunningPicker.with { running in
      for path in ["/drain", "/reload"] {
        let answer = try await running.ask(path, .POST, headers: ["origin": "http://evil.example"])
        #expect(answer.status == 403)
        #expect([404, 405].contains(try await running.ask(path).status), "no action by GET")
      }
      #expect(running.runtime.readiness.isReady)
    }
  }

  @Test func statusIsJSONWithEveryEndpoint() async throws {
    try await RunningPicker.with(model: SyntheticModel.constant(50)) { running in
      running.serve(3)
      let body = try await running.ask("/status").body
      let parsed = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
      let status = try #require(parsed)
      let endpoints = try #require(status["endpoints"] as? [[String: Any]])
      #expect(endpoints.compactMap { $0["name"] as? String } == ["e0", "e1", "e2"])
      #expect(endpoints.compactMap { $0["predictedTTFTMilliseconds"] as? Double } == [50, 50, 50])
      #expect((status["outcomes"] as? [Any])?.count == 3)
      #expect((status["reloads"] as? [Any])?.count == 1)
    }
  }

  @Test func eventsKeepComing() async throws {
    try await RunningPicker.with { running in
      let response = try await running.client.execute(
        .init(url: running.base + "/events"), timeout: .seconds(10))
      #expect(response.headers.first(name: "content-type") == "text/event-stream")
      var text = ""
      for try await buffer in response.body {
        text += String(buffer: buffer)
        if text.components(separatedBy: "data: {").count > 2 { break }
      }
      #expect(text.components(separatedBy: "data: {").count > 2)
    }
  }

  @Test func openStreamDoesNotDelayTheEnd() async throws {
    try await RunningPicker.with { running in
      let response = try await running.client.execute(
        .init(url: running.base + "/events"), timeout: .seconds(60))
      var pieces = response.body.makeAsyncIterator()
      _ = try await pieces.next()
      await running.runtime.stop()
      await #expect(throws: (any Error).self) {
        try await running.ask("/healthz", timeout: .milliseconds(200))
      }
    }
  }

  @Test func clusterCertificatesAreCheckedBeforeAnythingStarts() async throws {
    await #expect(throws: EndpointPickerError.self) {
      try await RunningPicker.with {
        $0.endpoints.kubernetes.isEnabled = true
        $0.endpoints.kubernetes.labelSelector = "a=b"
        $0.endpoints.kubernetes.certificateFile = "/dev/null"
      } _: { _ in
      }
    }
  }
}
