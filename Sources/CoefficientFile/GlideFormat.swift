/// The format's constants and limits; Format.md is the layout.
enum GlideFormat {
  static let magic: [UInt8] = Array("GLIDE\r\n".utf8) + [0x1A]
  static let version: UInt16 = 1
  /// Magic, version, flags, length of the body.
  static let headerSize = 16
  static let checksumSize = 4
  static let signatureSize = 64
  static let isSigned: UInt16 = 1

  static let engineLimit = 64
  static let groupLimit = 512
  static let termLimit = 64
  static let headLimit = 8
  static let stepFeatureLimit = 64
  static let featureLimit = 256
  static let policyLimit = 256
  static let textLimit = 255

  /// No coefficient, knot or latency of sense is larger.
  static let bound = -1e12...1e12
  /// Nor any half-width, nor any feature.
  static let singleBound = Double(Float(1e30))
  /// A factor on a term or on a prediction.
  static let factorBound = 0.001...1000.0
}

/// The bits of a term's first byte.
enum TermFlags {
  static let isNonNegative: UInt8 = 1 << 0
  static let hasSecond: UInt8 = 1 << 1
  static let firstHasKnot: UInt8 = 1 << 2
  static let secondHasKnot: UInt8 = 1 << 3
  static let firstTransformShift: UInt8 = 4
  static let secondTransformShift: UInt8 = 6
}

/// How an array of numbers is stored: as narrow as holds every one of them exactly.
///
/// A value's width is 8 bytes (binary64), 4 (binary32) or 2 (the upper half of a binary32). An array
/// of several equal values is stored as one.
enum PackedNumbers {
  static let isRun: UInt8 = 0x80

  /// The only tag with which `values` may be stored: the width, and whether they are a run.
  static func tag(_ values: [Double]) -> UInt8 {
    guard let first = values.first else { return 0 }
    let isRun = values.count > 1 && values.allSatisfy { $0.bitPattern == first.bitPattern }
    return (values.map(width).max() ?? 8) | (isRun ? Self.isRun : 0)
  }

  private static func width(_ value: Double) -> UInt8 {
    let single = Float(value)
    guard Double(single).bitPattern == value.bitPattern else { return 8 }
    return single.bitPattern & 0xFFFF == 0 ? 2 : 4
  }
}
