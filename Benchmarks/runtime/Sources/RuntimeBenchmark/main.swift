import AllocationCounter
import CoefficientFile
import Glibc
import RoutingRuntime

// Times the embedded runtime on a pool in the middle of a load and counts its allocations.
//
//   RuntimeBenchmark MODEL.glide [ENDPOINTS] [SECONDS]

/// Nanoseconds of this thread's processor time, so that neighbours on the machine count less.
func processorNanoseconds() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// A router of `count` endpoints, each with eight requests in flight, of which six decode.
func loadedRouter(_ predictor: Predictor, _ count: Int) -> (router: Router, time: Double) {
  var router = Router(
    predictor: predictor, policy: .predictedCost(PredictedCostParameters()),
    configuration: .init(prefixCapacity: 1_000, requestCapacity: 16 * count))
  var time = 1_000.0
  for endpoint in 0..<count {
    _ = router.addEndpoint(
      named: "e\(endpoint)", accelerator: "", engine: predictor.model.engines[0])
    for turn in 0..<8 {
      let tokens = Double(100 + (endpoint * 37 + turn * 911) % 4_000)
      let request = RoutingRequest(
        promptTokens: tokens, prefixBlocks: [UInt64(endpoint), UInt64(turn)])
      let handle = router.dispatched(request, to: endpoint, at: time)
      if turn < 6 { router.firstToken(handle, at: time + 40) }
    }
    time += 0.05
  }
  return (router, time + 60)
}

/// The least time of a call over repeated batches, µs, and the allocations of all of them.
func measure(seconds: Double, _ body: (Double) -> Void) -> (microseconds: Double, allocations: Int)
{
  for turn in 0..<20 { body(Double(turn)) }
  var least = Double.infinity
  var time = 20.0
  let end = processorNanoseconds() + seconds * 1e9
  allocation_counter_start()
  while processorNanoseconds() < end {
    let start = processorNanoseconds()
    for _ in 0..<50 {
      body(time)
      time += 1
    }
    least = min(least, (processorNanoseconds() - start) / 50_000)
  }
  return (least, allocation_counter_stop())
}

/// The least times that a reload takes under a gateway's lock, µs: installing the model, and what
/// the first batch after it takes longer, since it reads all endpoints anew.
func measureReload(
  _ router: inout Router, _ predictor: Predictor, _ shape: RequestShape, at time: Double
) -> (install: Double, firstBatch: Double) {
  var predictions: [Prediction] = []
  var (install, firstBatch) = (Double.infinity, Double.infinity)
  for _ in 0..<50 {
    let start = processorNanoseconds()
    router.install(predictor)
    let installed = processorNanoseconds()
    router.predict(shape, matchedPrefixTokens: [], at: time, into: &predictions)
    let read = processorNanoseconds()
    router.predict(shape, matchedPrefixTokens: [], at: time, into: &predictions)
    let end = processorNanoseconds()
    install = min(install, (installed - start) / 1_000)
    firstBatch = min(firstBatch, (2 * read - installed - end) / 1_000)
  }
  return (install, firstBatch)
}

func run() throws(CoefficientFileError) -> Int32 {
  let arguments = CommandLine.arguments
  guard arguments.count > 1 else {
    print("usage: RuntimeBenchmark MODEL.glide [ENDPOINTS] [SECONDS]")
    return 64
  }
  let count = arguments.count > 2 ? Int(arguments[2]) ?? 1_000 : 1_000
  let seconds = arguments.count > 3 ? Double(arguments[3]) ?? 2 : 2
  guard
    case .success(let predictor) = Predictor.compile(try CoefficientFile.read(path: arguments[1]))
  else {
    print("the model is of another version")
    return 1
  }
  var (router, start) = loadedRouter(predictor, count)
  var predictions: [Prediction] = []
  predictions.reserveCapacity(count)
  let matched = [Double](repeating: 0, count: count)
  let shape = RequestShape(promptTokens: 900)
  let batch = measure(seconds: seconds) { turn in
    router.predict(
      shape, matchedPrefixTokens: matched, at: start + 0.02 * turn, into: &predictions)
  }
  let reload = measureReload(&router, predictor, shape, at: start + 60_000)
  let request = RoutingRequest(
    promptTokens: 900, prefixBlocks: (0..<14).map { UInt64(1_000_000 + $0) })
  (router, start) = loadedRouter(predictor, 16)
  let pick = measure(seconds: seconds) { turn in
    _ = router.pick(request, at: start + 0.02 * turn)
  }
  print(
    """
    {"endpoints": \(count), "batch_us": \(batch.microseconds), \
    "batch_allocations": \(batch.allocations), "pick16_us": \(pick.microseconds), \
    "pick16_allocations": \(pick.allocations), \
    "reload_us": \(reload.install), "first_batch_after_reload_us": \(reload.firstBatch), \
    "terms": \(predictor.model.ttft.terms.count + predictor.model.tpot.terms.count)}
    """)
  return 0
}

do {
  exit(try run())
} catch {
  print("\(error)")
  exit(1)
}
