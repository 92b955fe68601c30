public import CoefficientFile

extension Predictor {
  /// Reads, checks and compiles the coefficient file at `path`.
  ///
  /// - Parameters:
  ///   - maximumBytes: Larger files are refused unread.
  ///   - verify: Whether a signature is valid for signed bytes; given, unsigned files are refused.
  public static func load(
    path: String, maximumBytes: Int = CoefficientFile.defaultMaximumBytes,
    verify: (@Sendable (_ signed: [UInt8], _ signature: [UInt8]) -> Bool)? = nil
  ) -> Result<Predictor, ReloadRefusal> {
    let model: GlideModel
    do throws(CoefficientFileError) {
      model = try CoefficientFile.read(path: path, maximumBytes: maximumBytes, verify: verify)
    } catch {
      return .failure(ReloadRefusal(kind(of: error), "\(path): \(error)"))
    }
    return compile(model).mapError { error in
      switch error.refusal {
      case .schemaMismatch(let found, let expected):
        ReloadRefusal(
          .schemaMismatch,
          "\(path): fitted for features \(hex(found)), this runtime's are \(hex(expected)); "
            + "fit it again with a matching glidepath")
      case .malformed:
        ReloadRefusal(.malformed, "\(path): terms, heads and engines do not fit together")
      }
    }
  }

  private static func hex(_ value: UInt64) -> String { String(value, radix: 16) }

  private static func kind(of error: CoefficientFileError) -> ReloadRefusal.Kind {
    switch error {
    case .unsupportedVersion: .unsupportedFormat
    case .signatureMissing, .signatureInvalid: .untrusted
    case .tooLarge: .oversized
    case .inputOutput: .unreadable
    case .badMagic, .truncated, .checksumMismatch, .trailingBytes, .notFinite, .outOfRange,
      .badText:
      .malformed
    }
  }
}

extension ModelWatcher {
  /// Loads the coefficient file at `path` at once, then keeps watching it.
  ///
  /// - Parameters:
  ///   - path: The file; it may be missing at first.
  ///   - model: Where new models are published.
  ///   - maximumBytes: Larger files are refused unread.
  ///   - verify: Whether a signature is valid for signed bytes; given, unsigned files are refused.
  ///   - observer: Is told of each attempt, the first included.
  public convenience init(
    path: String, publishingTo model: PublishedModel, configuration: Configuration = .init(),
    maximumBytes: Int = CoefficientFile.defaultMaximumBytes,
    verify: (@Sendable (_ signed: [UInt8], _ signature: [UInt8]) -> Bool)? = nil,
    observer: @escaping Observer = { _ in }
  ) {
    self.init(
      path: path, publishingTo: model, configuration: configuration, observer: observer
    ) { Predictor.load(path: $0, maximumBytes: maximumBytes, verify: verify) }
  }
}
