internal import CoefficientFile
internal import RoutingRuntime

/// Layout of `glidepath_request`.
private struct RequestRow {
  var promptTokens: Double
  var maximumTokens: Double
  var expectedOutputTokens: Double
  var ttftObjective: Double
  var tpotObjective: Double
  var blockTokens: Double
  /// The address of the first; 0 for none.
  var prefixBlocks: UInt
  var prefixBlockCount: Int64
  var isSheddable: Int32
  var reserved: Int32
}

/// Layout of `glidepath_pick`.
private struct PickRow {
  var endpoint: Int32 = -1
  var prefillEndpoint: Int32 = -1
  var reason: Int32 = 0
  var reserved: Int32 = 0
  var propensity = 0.0
  var matchedPrefixTokens = 0.0
  var prediction = PredictionRow()
}

@_cdecl("glidepath_pool_open")
func glidepathPoolOpen(
  _ model: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  unsafe glidepathPoolOpenSized(model, 31_250, 1, result)
}

@_cdecl("glidepath_pool_open_sized")
func glidepathPoolOpenSized(
  _ model: UnsafeMutableRawPointer?, _ prefixBlocks: Int64, _ seed: UInt64,
  _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  guard let model = unsafe handle(model, ModelHandle.self), let result = unsafe result else {
    return noHandle()
  }
  guard prefixBlocks >= 1, prefixBlocks < 1 << 24 else {
    return ErrorText.note(.invalidArgument, "prefix_blocks must be 1 to 16,777,215")
  }
  let pool = PoolHandle(
    model.published, configuration: .init(prefixCapacity: Int(prefixBlocks), seed: seed))
  unsafe result.pointee = Unmanaged.passRetained(pool).toOpaque()
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_add_endpoint")
func glidepathPoolAddEndpoint(
  _ pool: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?,
  _ accelerator: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<Int32>?
) -> Int32 {
  unsafe glidepathPoolAddEndpointWithRole(pool, name, accelerator, 0, result)
}

@_cdecl("glidepath_pool_add_endpoint_with_role")
func glidepathPoolAddEndpointWithRole(
  _ pool: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?,
  _ accelerator: UnsafePointer<CChar>?, _ role: Int32, _ result: UnsafeMutablePointer<Int32>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self), let result = unsafe result else {
    return noHandle()
  }
  guard let name = unsafe text(name), let accelerator = unsafe text(accelerator) else {
    return ErrorText.note(.invalidArgument, "a name is missing or not UTF-8")
  }
  guard let role = UInt8(exactly: role).flatMap(EndpointRole.init(rawValue:)) else {
    return ErrorText.note(.invalidArgument, "no such role")
  }
  pool.refresh()
  guard let engine = pool.reader.predictor?.model.engines.first else { return noModel() }
  let endpoint = pool.router.addEndpoint(
    named: name, accelerator: accelerator, role: role, engine: engine)
  unsafe result.pointee = Int32(endpoint)
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_set_available")
func glidepathPoolSetAvailable(
  _ pool: UnsafeMutableRawPointer?, _ endpoint: Int32, _ isAvailable: Int32
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  pool.router.setAvailable(isAvailable != 0, endpoint: Int(endpoint))
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_set_policy")
func glidepathPoolSetPolicy(
  _ pool: UnsafeMutableRawPointer?, _ kind: Int32, _ values: UnsafePointer<Double>?,
  _ count: Int64
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self) else { return noHandle() }
  guard count >= 0, count <= 64 else {
    return ErrorText.note(.invalidArgument, "count must be 0 to 64")
  }
  var parameters: [Double] = []
  if count > 0 {
    guard let values = unsafe values else { return noHandle() }
    parameters = unsafe Array(UnsafeBufferPointer(start: values, count: Int(count)))
  }
  guard parameters.allSatisfy(\.isFinite), let policy = RoutingPolicy(kind, parameters) else {
    return ErrorText.note(.invalidArgument, "no such policy, or a parameter is not finite")
  }
  pool.router.policy = policy
  pool.hasChosenPolicy = true
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_pick")
func glidepathPoolPick(
  _ pool: UnsafeMutableRawPointer?, _ request: UnsafeRawPointer?,
  _ subset: UnsafePointer<Int32>?, _ count: Int64, _ time: Double,
  _ result: UnsafeMutableRawPointer?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self),
    let request = unsafe request?.assumingMemoryBound(to: RequestRow.self),
    let result = unsafe result?.assumingMemoryBound(to: PickRow.self)
  else { return noHandle() }
  guard isTime(time), unsafe read(request, into: pool) else { return badRequest() }
  pool.refresh()
  guard pool.reader.predictor != nil else { return noModel() }
  let pick: Pick
  if let subset = unsafe subset {
    pool.subset.removeAll(keepingCapacity: true)
    for index in 0..<Int(max(count, 0)) {
      let endpoint = unsafe subset[index]
      guard pool.has(endpoint) else { return noEndpoint(endpoint) }
      pool.subset.append(Int(endpoint))
    }
    pick = pool.router.pick(pool.request, among: pool.subset, at: time)
  } else {
    pick = pool.router.pick(pool.request, at: time)
  }
  var row = PickRow()
  row.endpoint = Int32(pick.endpoint)
  row.prefillEndpoint = Int32(pick.prefillEndpoint)
  row.reason = Int32(pick.reason.rawValue)
  row.propensity = pick.propensity
  row.matchedPrefixTokens = pick.matchedPrefixTokens
  if let prediction = pick.prediction { row.prediction = PredictionRow(prediction) }
  unsafe result.pointee = row
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_routed")
func glidepathPoolRouted(
  _ pool: UnsafeMutableRawPointer?, _ endpoint: Int32, _ request: UnsafeRawPointer?,
  _ time: Double, _ result: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self),
    let request = unsafe request?.assumingMemoryBound(to: RequestRow.self),
    let result = unsafe result
  else { return noHandle() }
  guard isTime(time), unsafe read(request, into: pool) else { return badRequest() }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  pool.refresh()
  unsafe result.pointee =
    pool.router.dispatched(pool.request, to: Int(endpoint), at: time).bits
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_pool_handed_off")
func glidepathPoolHandedOff(
  _ pool: UnsafeMutableRawPointer?, _ prefill: UInt64, _ endpoint: Int32,
  _ request: UnsafeRawPointer?, _ time: Double, _ result: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let pool = unsafe handle(pool, PoolHandle.self),
    let request = unsafe request?.assumingMemoryBound(to: RequestRow.self),
    let result = unsafe result
  else { return noHandle() }
  guard isTime(time), unsafe read(request, into: pool) else { return badRequest() }
  guard pool.has(endpoint) else { return noEndpoint(endpoint) }
  let handle = EndpointPool.Handle(bits: prefill)
  guard pool.router.isInFlight(handle) else { return noRequest() }
  unsafe result.pointee =
    pool.router.handedOff(handle, pool.request, to: Int(endpoint), at: time).bits
  return ResultCode.ok.rawValue
}

/// Checks a request and copies it into the pool's own, whose memory is kept.
private func read(_ row: UnsafePointer<RequestRow>, into pool: PoolHandle) -> Bool {
  let row = unsafe row.pointee
  guard areTokens(row.promptTokens), areTokens(row.maximumTokens),
    areTokens(row.expectedOutputTokens), areTokens(row.blockTokens), isTime(row.ttftObjective),
    isTime(row.tpotObjective), row.prefixBlockCount >= 0,
    row.prefixBlockCount <= 1 << 20
  else { return false }
  pool.request.promptTokens = row.promptTokens
  pool.request.maximumTokens = row.maximumTokens
  pool.request.expectedOutputTokens = row.expectedOutputTokens
  pool.request.ttftObjectiveMilliseconds = row.ttftObjective
  pool.request.tpotObjectiveMilliseconds = row.tpotObjective
  pool.request.blockTokens = row.blockTokens
  pool.request.isSheddable = row.isSheddable != 0
  pool.request.prefixBlocks.removeAll(keepingCapacity: true)
  if row.prefixBlockCount > 0 {
    guard let blocks = unsafe UnsafePointer<UInt64>(bitPattern: row.prefixBlocks) else {
      return false
    }
    for index in 0..<Int(row.prefixBlockCount) {
      unsafe pool.request.prefixBlocks.append(blocks[index])
    }
  }
  return true
}

private func badRequest() -> Int32 {
  ErrorText.note(.invalidArgument, "a number of the request is not finite or out of range")
}

extension RoutingPolicy {
  /// The policy of a number of `glidepath.h`; missing parameters keep their published defaults.
  fileprivate init?(_ kind: Int32, _ values: [Double]) {
    func value(_ index: Int, _ standard: Double) -> Double {
      values.indices.contains(index) ? values[index] : standard
    }
    switch kind {
    case 0: self = .predictedCost(PredictedCostParameters(values: values))
    case 1: self = .roundRobin
    case 2: self = .random
    case 3: self = .leastRequest
    case 4: self = .powerOfTwo
    case 5:
      self = .weightedScorers(
        ScorerWeights(queue: value(0, 2), kvCache: value(1, 2), prefix: value(2, 3)))
    case 6:
      self = .affinity(
        AffinityParameters(
          affinityThreshold: value(0, 0.8), explorationProbability: value(1, 0),
          maximumTTFTPenaltyMilliseconds: value(2, 18_000),
          peakPrefillThroughput: value(3, 15_928)))
    case 7: self = .loadProduct
    default: return nil
    }
  }
}
