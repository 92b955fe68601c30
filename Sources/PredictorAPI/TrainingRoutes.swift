internal import CoefficientFile
internal import Hummingbird
internal import NIOCore
internal import PredictorEntries
internal import RoutingRuntime
internal import Synchronization

/// The training server's API.
///
/// What has no meaning for a linear model in one small file (trees, importances, seed archives)
/// answers 501 and says what to ask instead; `/flush` answers that nothing was flushed, since entries are kept on purpose.
struct TrainingRoutes: Sendable {
  let answers: HTTPAnswers
  private var state: PredictorState { answers.state }

  init(_ state: PredictorState) { answers = HTTPAnswers(state: state) }

  func add(to router: HTTPRouter) {
    router.post("add_training_data_bulk") { request, _ in
      try await answers.withBody(request) { (bytes) throws(PredictorEntriesError) in
        try keep(bytes)
      }
    }
    router.post("predict") { request, _ in
      try await answers.withBody(request) { (bytes) throws(PredictorEntriesError) in
        try predict(bytes)
      }
    }
    router.post("flush") { _, _ in flush() }
    router.get("data/status") { _, _ in dataStatus() }
    router.get("metrics") { _, _ in metrics() }
    router.get("model/download/info") { _, _ in downloadInfo() }
    router.get("model/:name/info") { _, context in info(context.parameters.get("name") ?? "") }
    router.get("model/:name/download") { _, context in
      download(context.parameters.get("name") ?? "")
    }
    addMissing(to: router)
    router.get("models/list") { _, _ in list() }
    router.get("healthz") { _, _ in answers.health("glidepath-training") }
    router.get("readyz") { _, _ in answers.ready(state.isFitted) }
    router.get("/") { _, _ in
      answers.json { json in
        json.raw("{\"message\":\"Glidepath keeps training entries\",")
        json.model(state, nil)
        json.raw("}")
      }
    }
  }

  /// Paths of the peer's tree models.
  private func addMissing(to router: HTTPRouter) {
    let trees = "The models are linear, not trees: their coefficients are at /metrics."
    for path in ["xgb/json", "lgb/txt", "lgb/importances"] {
      router.get("model/:name/\(path)") { _, context in
        let name = context.parameters.get("name") ?? ""
        return Self.isTarget(name) ? answers.failure(.notImplemented, trees) : unknown(name)
      }
    }
    router.get("model/export") { _, _ in
      answers.failure(
        .notImplemented, "There is no archive: /model/ttft/download is the one file of all models.")
    }
    router.get("debug/prefix_distribution") { _, _ in
      answers.failure(.notImplemented, "Entries are not kept in buckets; see /data/status.")
    }
  }

  private static func isTarget(_ name: String) -> Bool { name == "ttft" || name == "tpot" }

  // MARK: - Entries

  private func keep(_ bytes: [UInt8]) throws(PredictorEntriesError) -> Response {
    let entries = try EntryParser(.training).parseMany(bytes.span)
    try state.entries.append(entries, receivedUnixNanoseconds: WireTime.now())
    state.counts.withLock { counts in
      counts.newEntries += entries.count
      counts.ttftEntries += entries.reduce(0) { $0 + ($1[.actualTTFT] > 0 ? 1 : 0) }
      counts.tpotEntries += entries.reduce(0) { $0 + ($1[.actualTPOT] > 0 ? 1 : 0) }
    }
    return answers.json(.accepted) { json in
      json.raw("{\"message\":\"Accepted \(entries.count) training samples.\"}")
    }
  }

  private func predict(_ bytes: [UInt8]) throws(PredictorEntriesError) -> Response {
    let entry = try EntryParser(.prediction).parseOne(bytes.span)
    guard let model = state.predictor else {
      return answers.failure(.serviceUnavailable, "Models are not ready.")
    }
    var predictor = EntryPredictor(model)
    let chosen = predictor.predict(entry, head: state.configuration.head)
    let heads = predictor.heads(entry)
    return answers.json { json in
      json.raw("{\"ttft_ms\":\(chosen.ttftMilliseconds),\"tpot_ms\":\(chosen.tpotMilliseconds)")
      for (name, head) in [("ttft", heads.ttft), ("tpot", heads.tpot)] {
        // A normal distribution's p90 lies 1.2816 deviations over its median.
        json.raw(",\"\(name)_uncertainty\":\(max(0, head.p90 - head.p50) / 1.2816)")
        json.raw(",\"\(name)_prediction_bounds\":[\(max(0, 2 * head.p50 - head.p95)),\(head.p95)]")
      }
      json.raw(",\"predicted_at\":\"\(WireTime.text(WireTime.now()))\",")
      json.model(state, nil)
      json.raw("}")
    }
  }

  private func flush() -> Response {
    answers.json { json in
      json.raw("{\"success\":true,\"flushed_at\":\"\(WireTime.text(WireTime.now()))\"")
      for name in ["ttft_training", "tpot_training", "ttft_test", "tpot_test"] {
        json.raw(",\"\(name)_samples_flushed\":0")
      }
      json.raw(",\"metrics_cleared\":false,\"message\":\"No data flushed: entries are kept\"}")
    }
  }

  private func dataStatus() -> Response {
    let counts = state.counts.withLock { $0 }
    return answers.json { json in
      let total = counts.ttftEntries + counts.tpotEntries
      json.raw("{\"training_data\":{\"ttft_samples\":\(counts.ttftEntries),")
      json.raw("\"tpot_samples\":\(counts.tpotEntries),\"total_samples\":\(total)},")
      json.raw("\"test_data\":{\"ttft_samples\":0,\"tpot_samples\":0,\"total_samples\":0},")
      json.raw("\"model_ready\":\(state.isFitted),\"fits\":\(counts.fits),")
      json.raw("\"promotions\":\(counts.promotions),\"last_fit_outcome\":")
      json.string(counts.lastFitOutcome)
      json.raw(",\"last_retrain\":")
      if let last = counts.lastFit { json.string(WireTime.text(last)) } else { json.raw("null") }
      json.raw("}")
    }
  }

  // MARK: - Models

  private func downloadInfo() -> Response {
    answers.json { json in
      json.raw("{")
      json.model(state, nil)
      json.raw(",\"available_endpoints\":{\"coefficients\":\"/metrics\"},")
      json.raw("\"model_status\":{\"ttft_model\":\(state.isFitted),")
      json.raw("\"tpot_model\":\(state.isFitted)},\"coefficients_info\":{")
      json.raw("\"ttft_coefficients_available\":\(state.isFitted),")
      json.raw("\"tpot_coefficients_available\":\(state.isFitted)}}")
    }
  }

  private func info(_ name: String) -> Response {
    guard Self.isTarget(name) else { return unknown(name) }
    return answers.json { json in
      json.raw("{\"model_type\":\"\(PredictorState.modelType)\",\"exists\":\(state.isFitted)}")
    }
  }

  private func download(_ name: String) -> Response {
    guard Self.isTarget(name) else { return unknown(name) }
    // Both targets live in one coefficient file.
    guard state.isFitted,
      let bytes = try? CoefficientFile.bytes(at: state.configuration.modelPath)
    else { return answers.failure(.notFound, "Model \(name) not found") }
    return Response(
      status: .ok, headers: [.contentType: "application/octet-stream"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private func list() -> Response {
    answers.json { json in
      json.raw("{\"models\":{\"ttft\":{\"exists\":\(state.isFitted)},")
      json.raw("\"tpot\":{\"exists\":\(state.isFitted)}},")
      json.model(state, nil)
      json.raw(",\"server_time\":\"\(WireTime.text(WireTime.now()))\"}")
    }
  }

  private func unknown(_ name: String) -> Response {
    answers.failure(.notFound, "Unknown model '\(name)'")
  }

  private func metrics() -> Response {
    var text = ""
    if let model = state.predictor?.model {
      for (name, target) in [("ttft", model.ttft), ("tpot", model.tpot)] {
        guard let head = target.heads.first else { continue }
        text += "\(name)_intercept{} \(head.intercept)\n"
        for (term, coefficient) in zip(target.terms, head.coefficients) {
          text += "\(name)_coef{feature=\"\(term.title)\"} \(coefficient)\n"
        }
      }
    }
    let counts = state.counts.withLock { $0 }
    text += "training_samples_count{model=\"ttft\"} \(counts.ttftEntries)\n"
    text += "training_samples_count{model=\"tpot\"} \(counts.tpotEntries)\n"
    text += "glidepath_predictions_total \(counts.predictions)\n"
    text += "glidepath_refused_bodies_total \(counts.refusedBodies)\n"
    text += "glidepath_fits_total \(counts.fits)\n"
    text += "glidepath_promotions_total \(counts.promotions)\n"
    text += "glidepath_model_version \(state.model.version)\n"
    return Response(
      status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}

extension Term {
  /// The term as a metric's label: feature titles joined by `*`, knots after them.
  fileprivate var title: String {
    [first, second].compactMap { $0 }.map { factor in
      let name = Feature(rawValue: factor.feature)?.title ?? "\(factor.feature)"
      switch factor.transform {
      case .identity: return name
      case .capped: return "\(name) up to \(factor.knot)"
      case .hinge: return "\(name) over \(factor.knot)"
      case .above: return "\(name) above \(factor.knot)"
      }
    }.joined(separator: " * ")
  }
}
