// Feeds bytes to the parser of engines' metrics: nothing may crash, and no number may be impossible.
// `Fuzz/gateway.sh` builds it with libFuzzer and the address sanitizer.

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMetricsParser(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  let metrics = MetricsParser.parse(bytes)
  for value in [metrics.waitingRequests, metrics.runningRequests, metrics.kvCacheUsage] {
    if let value { precondition(value.isFinite && value >= 0, "an impossible number") }
  }
  precondition(metrics.kvCacheUsage ?? 0 <= 1, "a usage above 1")
  return 0
}
