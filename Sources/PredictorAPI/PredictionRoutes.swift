internal import Hummingbird
internal import PredictorEntries
internal import RoutingRuntime
internal import Synchronization

/// The prediction server's API.
struct PredictionRoutes: Sendable {
  let answers: HTTPAnswers
  private var state: PredictorState { answers.state }

  init(_ state: PredictorState) { answers = HTTPAnswers(state: state) }

  func add(to router: HTTPRouter) {
    router.post("predict") { request, _ in
      try await answers.withBody(request) { (bytes) throws(PredictorEntriesError) in
        try one(bytes)
      }
    }
    router.post("predict/bulk") { request, _ in
      try await answers.withBody(request) { (bytes) throws(PredictorEntriesError) in
        try many(bytes, tellsErrors: true)
      }
    }
    router.post("predict/bulk/strict") { request, _ in
      try await answers.withBody(request) { (bytes) throws(PredictorEntriesError) in
        try many(bytes, tellsErrors: false)
      }
    }
    router.get("status") { _, _ in status() }
    router.post("reload") { _, _ in reload() }
    router.get("healthz") { _, _ in answers.health("glidepath-predictor") }
    router.get("readyz") { _, _ in answers.ready(state.isFitted) }
    router.get("/") { _, _ in root() }
  }

  private func one(_ bytes: [UInt8]) throws(PredictorEntriesError) -> Response {
    let entry = try EntryParser(.prediction).parseOne(bytes.span)
    guard let model = state.predictor else { return noModel() }
    var predictor = EntryPredictor(model)
    let predicted = predictor.predict(entry, head: state.configuration.head)
    state.counts.withLock { $0.predictions += 1 }
    let tail = tail()
    return answers.json { Self.put(predicted, tail, &$0) }
  }

  private func many(
    _ bytes: [UInt8], tellsErrors: Bool
  ) throws(PredictorEntriesError) -> Response {
    let start = WireTime.monotonicMilliseconds()
    let entries = try EntryParser(.prediction).parseMany(bytes.span)
    guard let model = state.predictor else { return noModel() }
    var predictor = EntryPredictor(model)
    state.counts.withLock { $0.predictions += entries.count }
    let tail = tail()
    return answers.json { json in
      json.raw("{\"predictions\":[")
      for (index, entry) in entries.enumerated() {
        if index > 0 { json.raw(",") }
        Self.put(predictor.predict(entry, head: state.configuration.head), tail, &json)
      }
      json.raw("]")
      if tellsErrors { json.raw(",\"errors\":[]") }
      json.raw(",\"total_requests\":\(entries.count),\"successful_predictions\":\(entries.count)")
      json.raw(",\"failed_predictions\":0,\"processing_time_ms\":")
      json.number(WireTime.monotonicMilliseconds() - start)
      json.raw("}")
    }
  }

  /// What all rows of an answer end with.
  private func tail() -> [UInt8] {
    var json = WireJSON()
    json.raw(",\"predicted_at\":\"\(WireTime.text(WireTime.now()))\",")
    json.model(state, state.counts.withLock { $0.lastModelLoad }.map(WireTime.text))
    json.raw("}")
    return json.bytes
  }

  private static func put(
    _ predicted: (ttftMilliseconds: Double, tpotMilliseconds: Double), _ tail: [UInt8],
    _ json: inout WireJSON
  ) {
    json.raw("{\"ttft_ms\":")
    json.number(predicted.ttftMilliseconds)
    json.raw(",\"tpot_ms\":")
    json.number(predicted.tpotMilliseconds)
    json.raw(tail)
  }

  private func noModel() -> Response {
    answers.failure(.serviceUnavailable, "Models are not ready")
  }

  private func status() -> Response {
    let lastLoad = state.counts.withLock { $0.lastModelLoad }.map(WireTime.text)
    return answers.json { json in
      json.raw("{\"is_ready\":\(state.isFitted),")
      json.model(state, lastLoad)
      json.raw(",\"training_server_url\":\"http://localhost:\(state.configuration.trainingPort)\"")
      json.raw(",\"models_exist\":{\"ttft_model\":\(state.isFitted),")
      json.raw("\"tpot_model\":\(state.isFitted)},\"ensemble_active\":false}")
    }
  }

  private func reload() -> Response {
    let result = state.reload()
    let lastLoad = state.counts.withLock { $0.lastModelLoad }.map(WireTime.text)
    return answers.json { json in
      let isLoaded = (try? result.get()) != nil
      json.raw("{\"synced\":true,\"loaded\":\(isLoaded),\"is_ready\":\(state.isFitted),")
      json.model(state, lastLoad)
      json.raw(",\"last_load_time\":")
      if let lastLoad { json.string(lastLoad) } else { json.raw("null") }
      if case .failure(let refusal) = result {
        json.raw(",\"reason\":")
        json.string(refusal.reason)
      }
      json.raw("}")
    }
  }

  private func root() -> Response {
    answers.json { json in
      json.raw("{\"message\":\"Glidepath predicts TTFT and TPOT\",\"is_ready\":\(state.isFitted),")
      json.model(state, nil)
      json.raw("}")
    }
  }
}
