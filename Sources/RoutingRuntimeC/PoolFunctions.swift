internal import CoefficientFile
internal import RoutingRuntime

/// Layout of `glidepath_heads`.
private struct Heads {
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
private struct PredictionRow {
  var ttft = Heads()
  var tpot = Heads()
  var isExtrapolating: Int32 = 0
  var code = ResultCode.ok.rawValue
}

/// Layout of `glidepath_candidate`.
private struct Candidate {
  var endpoint: Int32
  var reserved: Int32
  var matchedPrefixTokens: Double
}

@_cdecl("glidepath_pool_open")
func glidepathPoolOpen(
  _ model: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  guard let model = unsafe handle(model, ModelHandle.self), let result = unsafe result else {
    return noHandle()
  }
  unsafe result.pointee = Unmanaged.passRetained(PoolHandle(model.published)).toOpaque()
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_close")
func glidepathPoolClose(_ pool: UnsafeMutableRawPointer?) {
  guard let pool = unsafe pool else { return }
  unsafe Unmanaged<PoolHandle>.fromOpaque(pool).release()
}

@_cdecl("glidepath_pool_add_endpoint")
func glidepathPoolAddEndpoint(
  _ pool: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?,
  _ accelerator: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<Int32>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self), let result = unsafe result else {
    return noHandle()
  }
  guard let name = unsafe text(name), let accelerator = unsafe text(accelerator) else {
    return ErrorText.note(.invalidArgument, "a name is missing or not UTF-8")
  }
  pool.refresh()
  guard let engine = pool.reader.predictor?.model.engines.first else { return noModel() }
  let endpoint = pool.pool.addEndpoint(named: name, accelerator: accelerator, engine: engine)
  unsafe result.pointee = Int32(endpoint)
  return ResultCode.ok.rawValue
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
  for index in 0..<Int(count) {
    let candidate = unsafe candidates[index]
    var row = PredictionRow()
    if !pool.has(candidate.endpoint) {
      row.code = ResultCode.notFound.rawValue
    } else if !areTokens(candidate.matchedPrefixTokens) {
      row.code = ResultCode.invalidArgument.rawValue
    } else {
      request.matchedPrefixTokens = min(candidate.matchedPrefixTokens, promptTokens)
      if let prediction = pool.pool.predict(request, on: Int(candidate.endpoint), at: time) {
        row.ttft = Heads(prediction.ttft)
        row.tpot = Heads(prediction.tpot)
        row.isExtrapolating = prediction.isExtrapolating ? 1 : 0
      }
    }
    unsafe rows[index] = row
  }
  return ResultCode.ok.rawValue
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
  let handle = pool.pool.dispatched(request, to: Int(endpoint), at: time)
  unsafe result.pointee = handle.bits
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_first_token")
func glidepathPoolFirstToken(
  _ pool: UnsafeMutableRawPointer?, _ request: UInt64, _ time: Double
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard isTime(time) else { return ErrorText.note(.invalidArgument, "the time is not finite") }
  let handle = EndpointPool.Handle(bits: request)
  guard pool.pool.isInFlight(handle) else { return noRequest() }
  pool.pool.firstToken(handle, at: time)
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
  guard pool.pool.isInFlight(handle) else { return noRequest() }
  pool.pool.finished(handle, outputTokens: outputTokens, at: time)
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
  pool.pool.observe(
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
  let factors = pool.pool.correctionFactors(Int(endpoint), at: time)
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
  unsafe count.pointee = Int64(pool.pool.requestsInFlight)
  return ResultCode.ok.rawValue
}

// MARK: - Checks

/// A count of tokens or requests that some machine could hold.
private func areTokens(_ count: Double) -> Bool { count >= 0 && count <= 1e9 }

/// Milliseconds within 30,000 years of zero.
private func isTime(_ time: Double) -> Bool { abs(time) <= 1e15 }

private func noModel() -> Int32 { ErrorText.note(.noModel, "no model is in force yet") }

private func noEndpoint(_ endpoint: Int32) -> Int32 {
  ErrorText.note(.notFound, "the pool has no endpoint \(endpoint)")
}

private func noRequest() -> Int32 {
  ErrorText.note(.notFound, "no such request is in flight: it is unknown or has ended")
}
