import COpenBLAS

/// Which BLAS answers the calls of this process.
public struct BLASIdentity: Sendable, Hashable {
  /// The library's own description, such as `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
  public let text: String
  /// Threads per call.
  public let threadCount: Int
  /// Whether the calls reach another BLAS than OpenBLAS, most likely the slow reference one.
  ///
  /// Results stay right; a fit takes 10 to 50 times as long. Callers warn.
  public let isReference: Bool

  /// The library that this process runs on.
  public static var current: BLASIdentity {
    BLASThreads.keepSingle()
    guard let config = unsafe copenblas_config() else {
      return BLASIdentity(text: "a BLAS other than OpenBLAS", threadCount: 1, isReference: true)
    }
    return BLASIdentity(
      text: unsafe String(cString: config).trimmingTrailingSpaces(),
      threadCount: Int(copenblas_thread_count()), isReference: false)
  }
}

/// Keeps the BLAS at one thread a call: our own threads split the rows (``RowBlocks``).
///
/// A BLAS that splits a sum by the number of cores would also make results depend on it.
enum BLASThreads {
  private static let once: Void = copenblas_set_thread_count(1)

  static func keepSingle() { _ = once }
}

extension String {
  fileprivate func trimmingTrailingSpaces() -> String {
    var copy = self
    while copy.last?.isWhitespace == true { copy.removeLast() }
    return copy
  }
}
