internal import Synchronization

/// The model in force: written by a loader, followed by any number of readers.
///
/// A reader keeps its own reference to the model that it predicts with and compares one atomic
/// number with its own before use. Only when they differ does it fetch the new reference. So the hot
/// path touches no shared reference count and no lock, a call in progress keeps the model that it
/// began with, and a replaced model is freed when the last reader has moved on: there is no grace
/// period to guess.
public final class PublishedModel: Sendable {
  private let latest = Atomic<UInt64>(0)
  private let current = Mutex<(predictor: Predictor?, version: UInt64)>((nil, 0))

  /// No model yet, or `predictor` as version 1.
  public init(_ predictor: Predictor? = nil) {
    if let predictor { publish(predictor) }
  }

  /// Counts publications; 0 before the first.
  public var version: UInt64 { latest.load(ordering: .acquiring) }

  /// The model in force.
  ///
  /// - Complexity: Takes a lock for one reference; hot paths use a ``ModelReader``.
  public var predictor: Predictor? { current.withLock { $0.predictor } }

  /// Puts `predictor` in force for every reader's next call; returns its version.
  @discardableResult
  public func publish(_ predictor: Predictor) -> UInt64 {
    current.withLock { state in
      state.version += 1
      state.predictor = predictor
      latest.store(state.version, ordering: .releasing)
      return state.version
    }
  }

  /// The model and its version, unless a publication is in progress at this moment.
  fileprivate func tryFetch() -> (predictor: Predictor?, version: UInt64)? {
    current.withLockIfAvailable { $0 }
  }
}

/// One thread's view of a ``PublishedModel``; not shared between threads.
public struct ModelReader: Sendable {
  /// The model to predict with; `nil` until one was published.
  public private(set) var predictor: Predictor?
  /// The version of ``predictor``.
  public private(set) var version: UInt64 = 0
  private let source: PublishedModel

  /// Follows `source`.
  public init(_ source: PublishedModel) {
    self.source = source
    refresh()
  }

  /// Takes the newest model, if there is one; never waits.
  ///
  /// While another thread is publishing, the old model serves one call longer.
  ///
  /// - Returns: Whether ``predictor`` changed.
  /// - Complexity: One atomic load when nothing changed; no allocation.
  @discardableResult
  public mutating func refresh() -> Bool {
    guard source.version != version, let newer = source.tryFetch(), newer.version != version
    else { return false }
    predictor = newer.predictor
    version = newer.version
    return true
  }
}
