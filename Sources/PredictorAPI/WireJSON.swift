internal import Glibc
internal import PredictorEntries
internal import RoutingRuntime

/// Writes the API's answers, byte by byte: they are many and small.
struct WireJSON {
  private(set) var bytes: [UInt8] = []

  mutating func raw(_ text: StaticString) {
    unsafe bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func raw(_ text: String) { bytes += text.utf8 }

  mutating func raw(_ more: [UInt8]) { bytes += more }

  /// A number; JSON has no way to write one that is not finite, so `null` stands for it.
  mutating func number(_ value: Double) { raw(value.isFinite ? "\(value)" : "null") }

  mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        raw("\\u00" + (digits.count == 1 ? "0" : "") + digits)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// A path in the way that clients know: rows are numbers.
  mutating func violations(_ violations: [EntryViolation]) {
    raw("{\"detail\":[")
    for (index, violation) in violations.enumerated() {
      if index > 0 { raw(",") }
      raw("{\"type\":")
      string(violation.kind)
      raw(",\"loc\":[")
      for (position, part) in violation.location.enumerated() {
        if position > 0 { raw(",") }
        if Int(part) != nil { raw(part) } else { string(part) }
      }
      raw("],\"msg\":")
      string(violation.message)
      raw("}")
    }
    raw("]}")
  }
}

/// Times as the API writes them.
enum WireTime {
  /// Nanoseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Milliseconds that only ever go forward.
  static func monotonicMilliseconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) * 1e-6
  }

  /// RFC 3339 with microseconds, in UTC.
  static func text(_ unixNanoseconds: Int64) -> String {
    var seconds = time_t(unixNanoseconds / 1_000_000_000)
    let micros = unixNanoseconds % 1_000_000_000 / 1_000
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return unsafe padded(Int(parts.tm_year) + 1900, 4) + "-" + padded(Int(parts.tm_mon) + 1, 2)
      + "-"
      + padded(Int(parts.tm_mday), 2) + "T" + padded(Int(parts.tm_hour), 2) + ":"
      + padded(Int(parts.tm_min), 2) + ":" + padded(Int(parts.tm_sec), 2) + "."
      + padded(Int(micros), 6) + "Z"
  }
}
