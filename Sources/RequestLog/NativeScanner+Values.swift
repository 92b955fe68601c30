// Values off the bytes, eight bytes a step. Each reader leaves `place` behind the value, or answers
// `nil` (`false`) for the full parser; a wrong value may leave `place` anywhere.
extension NativeScanner {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080
  /// The most digits that a Double holds exactly.
  private static let exactDigits = 15

  /// The end of the string whose first byte is at `start`; `nil` when it needs the full parser.
  @inline(__always) func endOfString(_ bytes: PaddedBytes, _ start: Int) -> Int? {
    var place = start
    while true {
      let word = bytes.word(at: place)
      let quote = word ^ (Self.ones &* 0x22)
      let escape = word ^ (Self.ones &* 0x5C)
      // The top bit of each byte that is a quote, a backslash, a control or not ASCII. Borrows only
      // spoil bytes above the first hit.
      let special =
        ((quote &- Self.ones) | (escape &- Self.ones) | (word &- Self.ones &* 0x20) | word)
        & Self.tops
      if special != 0 {
        place &+= special.trailingZeroBitCount / 8
        return bytes[place] == UInt8(ascii: "\"") ? place : nil
      }
      place &+= 8
    }
  }

  @inline(__always) func string(_ bytes: PaddedBytes, _ place: inout Int) -> Range<Int>? {
    guard bytes[place] == UInt8(ascii: "\""), let end = endOfString(bytes, place &+ 1) else {
      return nil
    }
    defer { place = end &+ 1 }
    return (place &+ 1)..<end
  }

  /// Appends the digits at `place` to `value`; returns how many there are, at most 19 in all.
  @inline(__always) private func digits(
    _ bytes: PaddedBytes, _ place: inout Int, _ value: inout UInt64
  ) -> Int {
    var count = 0
    while count < 24 {
      let word = bytes.word(at: place) ^ (Self.ones &* 0x30)
      let others = ((word &+ Self.ones &* 6) | word) & (Self.ones &* 0xF0)
      let length = others == 0 ? 8 : others.trailingZeroBitCount / 8
      guard length > 0 else { return count }
      let aligned = word &<< UInt64(8 &* (8 &- length))
      value = value &* integerPowers[length] &+ Self.eightDigits(aligned)
      place &+= length
      count &+= length
      if length < 8 { return count }
    }
    return count
  }

  /// The number of eight decimal digits, the first in the lowest byte.
  @inline(__always) private static func eightDigits(_ digits: UInt64) -> UInt64 {
    let pairs = digits &* 10 &+ (digits &>> 8)
    let even = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
    let odd = ((pairs &>> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
    return (even &+ odd) &>> 32
  }

  /// A plain integer below 10¹⁹.
  @inline(__always) func integer(_ bytes: PaddedBytes, _ place: inout Int) -> UInt64? {
    let start = place
    var value: UInt64 = 0
    let count = digits(bytes, &place, &value)
    guard count > 0, count <= 19, count == 1 || bytes[start] != UInt8(ascii: "0") else {
      return nil
    }
    return value
  }

  /// A decimal number without sign or exponent, of at most 15 digits: digits and power of ten are then
  /// exact in a Double, and so their quotient is the nearest one.
  @inline(__always) func number(_ bytes: PaddedBytes, _ place: inout Int) -> Double? {
    let start = place
    var value: UInt64 = 0
    let whole = digits(bytes, &place, &value)
    guard whole > 0, whole <= Self.exactDigits,
      whole == 1 || bytes[start] != UInt8(ascii: "0")
    else { return nil }
    guard bytes[place] == UInt8(ascii: ".") else { return Double(value) }
    place &+= 1
    let fraction = digits(bytes, &place, &value)
    guard fraction > 0, whole &+ fraction <= Self.exactDigits else { return nil }
    return Double(value) / powers[fraction]
  }

  @inline(__always) func flag(_ bytes: PaddedBytes, _ place: inout Int) -> Bool? {
    let word = bytes.word(at: place)
    if UInt32(truncatingIfNeeded: word) == 0x6575_7274 {
      place &+= 4
      return true
    }
    guard word & 0xFF_FFFF_FFFF == 0x65_736C_6166 else { return nil }
    place &+= 5
    return false
  }

  /// An array of non-negative integers, or of nothing.
  @inline(__always) func blocks(
    _ bytes: PaddedBytes, _ place: inout Int, into draft: inout RequestDraft,
    _ batch: inout RequestBatch
  ) -> Bool {
    guard bytes[place] == UInt8(ascii: "[") else { return false }
    let start = batch.blocks.count
    place &+= 1
    if bytes[place] == UInt8(ascii: "]") {
      place &+= 1
    } else {
      while true {
        while bytes[place] == UInt8(ascii: " ") { place &+= 1 }
        guard let value = integer(bytes, &place) else { return false }
        batch.blocks.append(value)
        place &+= 1
        if bytes[place &- 1] == UInt8(ascii: ",") { continue }
        guard bytes[place &- 1] == UInt8(ascii: "]") else { return false }
        break
      }
    }
    draft.row.prefixBlocks = TextRange(
      start: Int32(start), count: Int32(batch.blocks.count - start))
    return true
  }

  /// An array of plain decimal numbers, ms.
  func offsets(
    _ bytes: PaddedBytes, _ place: inout Int, into draft: inout RequestDraft,
    _ batch: inout RequestBatch
  ) -> Bool {
    guard bytes[place] == UInt8(ascii: "[") else { return false }
    let start = batch.chunkOffsets.count
    place &+= 1
    if bytes[place] == UInt8(ascii: "]") {
      place &+= 1
    } else {
      while true {
        while bytes[place] == UInt8(ascii: " ") { place &+= 1 }
        guard let value = number(bytes, &place), value <= RequestDraft.longestOffset else {
          return false
        }
        batch.chunkOffsets.append(Float(value))
        place &+= 1
        if bytes[place &- 1] == UInt8(ascii: ",") { continue }
        guard bytes[place &- 1] == UInt8(ascii: "]") else { return false }
        break
      }
    }
    draft.row.chunkOffsets = TextRange(
      start: Int32(start), count: Int32(batch.chunkOffsets.count - start))
    return true
  }

  /// A value of a member that is none of ours: a plain string, number or boolean.
  @inline(__always) func skip(_ bytes: PaddedBytes, _ place: inout Int) -> Bool {
    switch bytes[place] {
    case UInt8(ascii: "\""): string(bytes, &place) != nil
    case UInt8(ascii: "0")...UInt8(ascii: "9"): number(bytes, &place) != nil
    default: flag(bytes, &place) != nil
    }
  }
}
