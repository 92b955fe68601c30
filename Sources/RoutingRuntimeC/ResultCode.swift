internal import RoutingRuntime

/// The codes of `glidepath.h`; they never change.
enum ResultCode: Int32 {
  case ok = 0
  case invalidArgument = 1
  case notFound = 2
  case noModel = 3
  case unreadable = 10
  case oversized = 11
  case malformed = 12
  case unsupportedFormat = 13
  case untrusted = 14
  case schemaMismatch = 15

  init(_ kind: ReloadRefusal.Kind) {
    switch kind {
    case .unreadable: self = .unreadable
    case .oversized: self = .oversized
    case .malformed: self = .malformed
    case .unsupportedFormat: self = .unsupportedFormat
    case .untrusted: self = .untrusted
    case .schemaMismatch: self = .schemaMismatch
    }
  }
}
