internal import CoefficientFile
internal import RoutingRuntime

/// Layout of `glidepath_heads`.
struct Heads {
  var mean = 0.0
  var p50 = 0.0
  var p90 = 0.0
  var p95 = 0.0
  var p99 = 0.0

  init() {}

  init(_ values: HeadValues) {
    mean = values.mean
    p50 = values.p50
    p90 = values.p90
    p95 = values.p95
    p99 = values.p99
  }
}

/// Layout of `glidepath_prediction`.
struct PredictionRow {
  var ttft = Heads()
  var tpot = Heads()
  var isExtrapolating: Int32 = 0
  var code = ResultCode.ok.rawValue

  init() {}

  init(_ prediction: Prediction) {
    ttft = Heads(prediction.ttft)
    tpot = Heads(prediction.tpot)
    isExtrapolating = prediction.isExtrapolating ? 1 : 0
  }
}

/// Layout of `glidepath_candidate`.
private struct Candidate {
  var endpoint: Int32
  var reserved: Int32
  var matchedPrefixTokens: Double
}

@_cdecl("glidepath_pool_close")
func glidepathPoolClose(_ pool: UnsafeMutableRawPointer?) {
  guard let pool = unsafe pool else { return }
  unsafe Unmanaged<PoolHandle>.fromOpaque(pool).release()
}

@_cdecl("glidepath_pool_predict")
func glidepathPoolPredict(
  _ pool: UnsafeMutableRawPointer?, _ promptTokens: Double, _ maximumTokens: Double,
  _ candidates: UnsafeRawPointer?, _ count: Int64, _ time: Double,
  _ predictions: UnsafeMutableRawPointer?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard count >= 0, areTokens(promptTokens), areTokens(maximumTokens), isTime(time) else {
    return ErrorText.note(.invalidArgument, "a number is not finite or out of range")
  }
  if count == 0 { return ResultCode.ok.rawValue }
  guard let candidates = unsafe candidates?.assumingMemoryBound(to: Candidate.self),
    let rows = unsafe predictions?.assumingMemoryBound(to: PredictionRow.self)
  else { return noHandle() }
  pool.refresh()
  guard pool.reader.predictor != nil else { return noModel() }
  var request = RequestShape(promptTokens: promptTokens, maximumTokens: maximumTokens)
  if unsafe predictTogether(pool, request, candidates, Int(count), time, rows) {
    return ResultCode.ok.rawValue
  }
  for index in 0..<Int(count) {
    let candidate = unsafe candidates[index]
    var row = PredictionRow()
    if !pool.has(candidate.endpoint) {
      row.code = ResultCode.notFound.rawValue
    } else if !areTokens(candidate.matchedPrefixTokens) {
      row.code = ResultCode.invalidArgument.rawValue
    } else {
      request.matchedPrefixTokens = min(candidate.matchedPrefixTokens, promptTokens)
      if let prediction = pool.router.predict(request, on: Int(candidate.endpoint), at: time) {
        row = PredictionRow(prediction)
      }
    }
    unsafe rows[index] = row
  }
  return ResultCode.ok.rawValue
}

/// Predicts side by side where the candidates are most of a large pool, each named once, in order.
private func predictTogether(
  _ pool: PoolHandle, _ request: RequestShape, _ candidates: UnsafePointer<Candidate>,
  _ count: Int, _ time: Double, _ rows: UnsafeMutablePointer<PredictionRow>
) -> Bool {
  let endpointCount = pool.router.endpointCount
  guard count >= 8, 4 * count >= endpointCount else { return false }
  pool.matched.removeAll(keepingCapacity: true)
  for index in 0..<count {
    let candidate = unsafe candidates[index]
    guard pool.has(candidate.endpoint), Int(candidate.endpoint) >= pool.matched.count,
      areTokens(candidate.matchedPrefixTokens)
    else { return false }
    while pool.matched.count < Int(candidate.endpoint) { pool.matched.append(0) }
    pool.matched.append(min(candidate.matchedPrefixTokens, request.promptTokens))
  }
  pool.router.predict(
    request, matchedPrefixTokens: pool.matched, at: time, into: &pool.predictions)
  for index in 0..<count {
    let endpoint = unsafe Int(candidates[index].endpoint)
    unsafe rows[index] = PredictionRow(pool.predictions[endpoint])
  }
  return true
}

@_cdecl("glidepath_pool_dispatched")
func glidepathPoolDispatched(
  _ pool: UnsafeMutableRawPointer?, _ endpoint: Int32, _ promptTokens: Double,
  _ matchedPrefixTokens: Double, _ maximumTokens: Double, _ time: Double,
  _ result: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self), let result = unsafe result else {
    return noHandle()
  }
  guard areTokens(promptTokens), areTokens(matchedPrefixTokens), areTokens(maximumTokens),
    isTime(time)
  else { return ErrorText.note(.invalidArgument, "a number is not finite or out of range") }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  pool.refresh()
  let request = RequestShape(
    promptTokens: promptTokens, matchedPrefixTokens: min(matchedPrefixTokens, promptTokens),
    maximumTokens: maximumTokens)
  let handle = pool.router.dispatched(request, to: Int(endpoint), at: time)
  unsafe result.pointee = handle.bits
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_first_token")
func glidepathPoolFirstToken(
  _ pool: UnsafeMutableRawPointer?, _ request: UInt64, _ time: Double
) -> Int32 {
  unsafe report(pool, request, time) { $0.router.firstToken($1, at: time) }
}

@_cdecl("glidepath_pool_tokens")
func glidepathPoolTokens(
  _ pool: UnsafeMutableRawPointer?, _ request: UInt64, _ time: Double
) -> Int32 {
  unsafe report(pool, request, time) { $0.router.tokens($1, at: time) }
}

/// Tells the pool what came back of a request in flight.
private func report(
  _ pool: UnsafeMutableRawPointer?, _ request: UInt64, _ time: Double,
  _ tell: (PoolHandle, EndpointPool.Handle) -> Void
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard isTime(time) else { return ErrorText.note(.invalidArgument, "the time is not finite") }
  let handle = EndpointPool.Handle(bits: request)
  guard pool.router.isInFlight(handle) else { return noRequest() }
  tell(pool, handle)
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_finished")
func glidepathPoolFinished(
  _ pool: UnsafeMutableRawPointer?, _ request: UInt64, _ outputTokens: Double, _ time: Double
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard isTime(time), areTokens(outputTokens) else {
    return ErrorText.note(.invalidArgument, "a number is not finite or out of range")
  }
  let handle = EndpointPool.Handle(bits: request)
  guard pool.router.isInFlight(handle) else { return noRequest() }
  pool.router.finished(handle, outputTokens: outputTokens, at: time)
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_snapshot")
func glidepathPoolSnapshot(
  _ pool: UnsafeMutableRawPointer?, _ endpoint: Int32, _ waiting: Double, _ running: Double,
  _ usage: Double, _ time: Double
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  guard areTokens(waiting), areTokens(running), usage >= 0, usage <= 1, isTime(time) else {
    return ErrorText.note(.invalidArgument, "a number is not finite or out of range")
  }
  pool.router.observe(
    EngineSnapshot(
      waitingRequests: waiting, runningRequests: running, kvCacheUsage: usage, time: time),
    on: Int(endpoint))
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_corrections")
func glidepathPoolCorrections(
  _ pool: UnsafeMutableRawPointer?, _ endpoint: Int32, _ time: Double,
  _ ttft: UnsafeMutablePointer<Double>?, _ tpot: UnsafeMutablePointer<Double>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self), let ttft = unsafe ttft,
    let tpot = unsafe tpot
  else { return noHandle() }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  guard isTime(time) else { return ErrorText.note(.invalidArgument, "the time is not finite") }
  let factors = pool.router.correctionFactors(Int(endpoint), at: time)
  unsafe ttft.pointee = factors.ttft
  unsafe tpot.pointee = factors.tpot
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_in_flight")
func glidepathPoolInFlight(
  _ pool: UnsafeMutableRawPointer?, _ count: UnsafeMutablePointer<Int64>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self), let count = unsafe count else {
    return noHandle()
  }
  unsafe count.pointee = Int64(pool.router.pool.requestsInFlight)
  return ResultCode.ok.rawValue
}
