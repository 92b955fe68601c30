internal import CoefficientFile
internal import RoutingRuntime

extension MetricsText {
  /// All metrics of the picker.
  init(_ snapshot: AdminSnapshot) {
    self.init()
    latencies(snapshot.report.counters)
    requests(snapshot.report)
    endpoints(snapshot.report)
    pool(snapshot)
    model(snapshot)
    health(snapshot)
  }

  private mutating func latencies(_ counters: PickerCounters) {
    let series: [(String, String, KeyPath<LatencyHistograms, Histogram>)] = [
      ("ttft", "Seconds from dispatch to first token.", \.ttft),
      ("predicted_ttft", "Predicted median seconds to first token.", \.predictedTTFT),
      ("tpot", "Seconds per output token after the first.", \.tpot),
      ("predicted_tpot", "Predicted median seconds per output token.", \.predictedTPOT),
    ]
    for (name, help, path) in series {
      let metric = "inference_objective_request_\(name)_seconds"
      describe(metric, "histogram", help)
      for (model, histograms) in counters.latencies.sorted(by: { $0.key < $1.key }) {
        histogram(metric, [("model_name", model)], histograms[keyPath: path])
      }
    }
  }

  private mutating func requests(_ report: PickerReport) {
    describe("glidepath_picks_total", "counter", "Picks by endpoint and reason.")
    for endpoint in report.endpoints {
      for reason in PickReason.allCases where endpoint.picks[Int(reason.rawValue)] > 0 {
        sample(
          "glidepath_picks_total",
          [("endpoint", endpoint.description.name), ("reason", "\(reason)")],
          Double(endpoint.picks[Int(reason.rawValue)]))
      }
    }
    describe("glidepath_picks_refused_total", "counter", "Requests without an endpoint.")
    sample(
      "glidepath_picks_refused_total", [("reason", "shed")], Double(report.counters.shedRequests))
    sample(
      "glidepath_picks_refused_total", [("reason", "no_endpoint")],
      Double(report.counters.unplacedRequests))
    describe("glidepath_requests_total", "counter", "Ended requests by class of HTTP status.")
    for (digit, count) in report.counters.ends.enumerated().dropFirst() {
      sample("glidepath_requests_total", [("code", "\(digit)xx")], Double(count))
    }
    single(
      "glidepath_requests_in_flight", "gauge", "Requests picked for that have not ended.",
      Double(report.requestsInFlight))
    describe(
      "llm_d_epp_request_slo_violation_total", "counter", "Requests that missed their objective.")
    sample(
      "llm_d_epp_request_slo_violation_total", [("type", "ttft")],
      Double(report.counters.ttftViolations))
    sample(
      "llm_d_epp_request_slo_violation_total", [("type", "tpot")],
      Double(report.counters.tpotViolations))
    single(
      "glidepath_requests_expired_total", "counter", "Requests that nobody ended in time.",
      Double(report.counters.expiredRequests))
    single(
      "glidepath_repeated_ends_total", "counter", "Ends of requests that had ended already.",
      Double(report.counters.repeatedEnds))
  }

  private mutating func endpoints(_ report: PickerReport) {
    gauge("llm_d_epp_inflight_requests", "Requests in flight.", report, label: "endpoint_name") {
      Double($0.requestsInFlight)
    }
    gauge("glidepath_endpoint_waiting_requests", "The engine's waiting requests.", report) {
      $0.snapshot?.waitingRequests
    }
    gauge("glidepath_endpoint_running_requests", "The engine's running requests.", report) {
      $0.snapshot?.runningRequests
    }
    gauge("glidepath_endpoint_kv_cache_usage", "The engine's KV-cache usage, 0 to 1.", report) {
      $0.snapshot?.kvCacheUsage
    }
    gauge("glidepath_endpoint_snapshot_age_seconds", "Age of the engine's metrics.", report) {
      $0.snapshotAgeMilliseconds.map { $0 * 1e-3 }
    }
    gauge("glidepath_endpoint_prefix_share", "Recent cached share of prompts, 0 to 1.", report) {
      $0.prefixShare
    }
    gauge(
      "glidepath_endpoint_predicted_ttft_seconds",
      "Predicted median seconds to first token of 1,000 uncached tokens.", report
    ) { $0.predictedTTFT.map { $0.p50 * 1e-3 } }
    describe("glidepath_endpoint_up", "gauge", "Whether the endpoint may be picked.")
    for endpoint in report.endpoints {
      sample(
        "glidepath_endpoint_up",
        [("endpoint", endpoint.description.name), ("state", endpoint.state)],
        endpoint.state == "available" ? 1 : 0)
    }
    describe(
      "glidepath_correction_factor", "gauge", "Factor by which outcomes correct predictions.")
    for endpoint in report.endpoints {
      let name = endpoint.description.name
      sample(
        "glidepath_correction_factor", [("endpoint", name), ("target", "ttft")],
        endpoint.ttftCorrection)
      sample(
        "glidepath_correction_factor", [("endpoint", name), ("target", "tpot")],
        endpoint.tpotCorrection)
    }
  }

  private mutating func gauge(
    _ name: String, _ help: String, _ report: PickerReport, label: String = "endpoint",
    _ value: (PickerReport.Endpoint) -> Double?
  ) {
    describe(name, "gauge", help)
    for endpoint in report.endpoints {
      guard let value = value(endpoint) else { continue }
      sample(name, [(label, endpoint.description.name)], value)
    }
  }

  private mutating func pool(_ snapshot: AdminSnapshot) {
    let endpoints = snapshot.report.endpoints
    let seen = endpoints.compactMap(\.snapshot)
    let count = Double(max(seen.count, 1))
    let labels = [("name", snapshot.pool)]
    describe("inference_pool_ready_pods", "gauge", "Endpoints that may be picked.")
    sample(
      "inference_pool_ready_pods", labels,
      Double(endpoints.filter { $0.state == "available" }.count))
    describe("inference_pool_average_queue_size", "gauge", "Mean waiting requests.")
    sample(
      "inference_pool_average_queue_size", labels,
      seen.reduce(0) { $0 + $1.waitingRequests } / count)
    describe("inference_pool_average_kv_cache_utilization", "gauge", "Mean KV-cache usage.")
    sample(
      "inference_pool_average_kv_cache_utilization", labels,
      seen.reduce(0) { $0 + $1.kvCacheUsage } / count)
  }

  private mutating func model(_ snapshot: AdminSnapshot) {
    single(
      "glidepath_model_version", "gauge", "Models put in force so far; 0 for none.",
      Double(snapshot.report.modelVersion))
    let totals = snapshot.reloads
    describe("glidepath_model_reloads_total", "counter", "Attempts to put a model in force.")
    sample(
      "glidepath_model_reloads_total", [("outcome", "ok"), ("reason", "")], Double(totals.loaded))
    for kind in ReloadRefusal.Kind.allCases {
      sample(
        "glidepath_model_reloads_total", [("outcome", "refused"), ("reason", "\(kind)")],
        Double(totals.refused["\(kind)"] ?? 0))
    }
    guard let provenance = snapshot.report.provenance else { return }
    let now = Double(snapshot.unixNanoseconds) * 1e-9
    single(
      "glidepath_model_age_seconds", "gauge", "Since the newest request that it was fitted on.",
      now - Double(provenance.lastReceivedNanoseconds) * 1e-9)
    single(
      "glidepath_model_loaded_seconds", "gauge", "Since it was put in force.",
      now - Double(totals.loadedUnixMilliseconds) * 1e-3)
  }

  private mutating func health(_ snapshot: AdminSnapshot) {
    let counters = snapshot.report.counters
    describe("glidepath_scrapes_total", "counter", "Scrapes of endpoints' metrics.")
    sample("glidepath_scrapes_total", [("outcome", "ok")], Double(counters.scrapes))
    sample("glidepath_scrapes_total", [("outcome", "failed")], Double(counters.failedScrapes))
    single(
      "glidepath_stale_snapshots_total", "counter", "Snapshots given up as too old.",
      Double(counters.staleSnapshots))
    single(
      "glidepath_ejections_total", "counter", "Endpoints ejected for failing requests or stalling.",
      Double(counters.ejections))
    single(
      "glidepath_stalls_total", "counter", "Endpoints found to make no progress.",
      Double(counters.stalls))
    single(
      "glidepath_ready", "gauge", "Whether it is ready.", snapshot.readiness.isReady ? 1 : 0)
    guard let log = snapshot.log else { return }
    single(
      "glidepath_request_log_lines_total", "counter", "Lines written.", Double(log.writtenLines))
    single(
      "glidepath_request_log_bytes_total", "counter", "Bytes written, uncompressed.",
      Double(log.writtenBytes))
    single(
      "glidepath_request_log_dropped_lines_total", "counter", "Lines lost.",
      Double(log.droppedLines))
  }
}
