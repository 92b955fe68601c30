public import RoutingRuntime

/// One endpoint that requests may be sent to, as a file or the cluster describes it.
public struct EndpointDescription: Sendable, Hashable {
  /// What logs and models know it by; unique.
  public var name: String
  /// Where requests go, `ip:port`; unique.
  public var address: String
  /// Its accelerator type, for models that know several; may be empty.
  public var accelerator: String
  /// What it may be used for.
  public var role: EndpointRole
  /// The model that it serves; empty for any.
  public var model: String
  /// Where its metrics are, `host:port`; empty for ``address``.
  public var metricsAddress: String
  /// Whether it is to get no new requests while it ends those in flight.
  public var isDraining: Bool

  /// An endpoint of these properties.
  public init(
    name: String, address: String, accelerator: String = "", role: EndpointRole = .both,
    model: String = "", metricsAddress: String = "", isDraining: Bool = false
  ) {
    self.name = name
    self.address = address
    self.accelerator = accelerator
    self.role = role
    self.model = model
    self.metricsAddress = metricsAddress
    self.isDraining = isDraining
  }

  /// Whether `other` is the same endpoint to the runtime, drained or not.
  func isSame(as other: EndpointDescription) -> Bool {
    name == other.name && address == other.address && accelerator == other.accelerator
      && role == other.role
  }

  /// The most endpoints that one picker accepts.
  public static let maximumCount = 10_000

  /// Whether `address` is `host:port`; IPv6 hosts are bracketed.
  static func isAddress(_ address: String) -> Bool {
    guard let colon = address.lastIndex(of: ":") else { return false }
    let host = address[..<colon]
    guard let port = Int(address[address.index(after: colon)...]), (1...65_535).contains(port),
      !host.isEmpty, address.utf8.count <= 300
    else { return false }
    if host.hasPrefix("[") {
      return host.hasSuffix("]") && host.dropFirst().dropLast().utf8.allSatisfy(isIPv6Byte)
    }
    return host.utf8.allSatisfy(isHostByte)
  }

  private static func isIPv6Byte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

extension EndpointRole {
  /// The role of this name: `both`, `prefill` or `decode`; empty is `both`.
  init?(name: String) {
    switch name {
    case "", "both", "prefill-decode": self = .both
    case "prefill": self = .prefill
    case "decode": self = .decode
    default: return nil
    }
  }

  /// Its name in files and reports.
  var name: String {
    switch self {
    case .both: "both"
    case .prefill: "prefill"
    case .decode: "decode"
    }
  }
}
