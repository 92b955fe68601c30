import Dispatch
import Synchronization

/// The results of independent tasks, in their order, computed by a few threads.
func parallel<Result: Sendable>(
  _ count: Int, workers: Int, _ task: @Sendable (Int) -> Result
) -> [Result] {
  let next = Atomic(0)
  let results = Mutex<[Result?]>([Result?](repeating: nil, count: count))
  DispatchQueue.concurrentPerform(iterations: max(1, min(workers, count))) { _ in
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      let result = task(index)
      results.withLock { $0[index] = result }
    }
  }
  return results.withLock { $0.compactMap { $0 } }
}
