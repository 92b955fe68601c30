/// Reads what ``CellEncoder`` wrote, out of bytes that a fault on disk may have changed.
enum CellDecoder {
  /// Gives every row its whole number; `Int64.min` where it has none.
  @inline(__always)
  static func integers(
    _ value: StoredValue, count: Int, _ take: (Int, Int64) -> Void
  ) throws(ChunkFault) {
    switch value {
    case .null: for index in 0..<count { take(index, .min) }
    case .integer(let number): for index in 0..<count { take(index, number) }
    case .real: throw ChunkFault("a fraction where whole numbers are")
    case .bytes(let bytes):
      let width = try width(bytes, count)
      let cells = bytes.span
      for index in 0..<count { take(index, integer(cells, index * width, width)) }
    }
  }

  @inline(__always)
  private static func integer(_ cells: Span<UInt8>, _ start: Int, _ width: Int) -> Int64 {
    if cells[start + width - 1] == CellEncoder.space { return .min }
    var number: Int64 = 0
    var isNegative = false
    for place in start..<start + width {
      let byte = cells[place]
      if byte == CellEncoder.minus {
        isNegative = true
      } else {
        number = number &* 10 &+ Int64(byte & 0x0F)
      }
    }
    return isNegative ? 0 &- number : number
  }

  /// Gives every row its fraction; `nan` where it has none.
  @inline(__always)
  static func reals(
    _ value: StoredValue, count: Int, _ take: (Int, Double) -> Void
  ) throws(ChunkFault) {
    switch value {
    case .null: for index in 0..<count { take(index, .nan) }
    case .integer(let number): for index in 0..<count { take(index, Double(number)) }
    case .real(let number): for index in 0..<count { take(index, number) }
    case .bytes(let bytes):
      let width = try width(bytes, count)
      let cells = bytes.span
      for index in 0..<count { take(index, real(cells, index * width, width)) }
    }
  }

  @inline(__always)
  private static func real(_ cells: Span<UInt8>, _ start: Int, _ width: Int) -> Double {
    if cells[start + width - 1] == CellEncoder.space { return .nan }
    var whole: UInt64 = 0
    var decimals = 0
    var isPast = false
    var isNegative = false
    for place in start..<start + width {
      let byte = cells[place]
      if byte &- CellEncoder.zero < 10 {
        if whole >= 900_719_925_474_099 { return fullForm(cells, start, width) }
        whole = whole &* 10 &+ UInt64(byte & 0x0F)
        if isPast { decimals += 1 }
      } else if byte == CellEncoder.point {
        isPast = true
      } else if byte == CellEncoder.minus {
        isNegative = true
      } else if byte != CellEncoder.space {
        return fullForm(cells, start, width)
      }
    }
    guard decimals < 23 else { return fullForm(cells, start, width) }
    let number =
      decimals <= CellEncoder.maximumDecimals
      ? Double(whole) / CellEncoder.powers[decimals] : fullForm(cells, start, width).magnitude
    return isNegative ? -number : number
  }

  @inline(never)
  private static func fullForm(_ cells: Span<UInt8>, _ start: Int, _ width: Int) -> Double {
    var text = ""
    for place in start..<start + width where cells[place] != CellEncoder.space {
      text.unicodeScalars.append(Unicode.Scalar(cells[place]))
    }
    return Double(text) ?? .nan
  }

  /// Gives every row the range of its text within the column.
  static func texts(
    _ value: StoredValue, count: Int, _ take: (Int, Span<UInt8>, Range<Int>) -> Void
  ) throws(ChunkFault) {
    switch value {
    case .null:
      let none: [UInt8] = []
      for index in 0..<count { take(index, none.span, 0..<0) }
    case .integer, .real: throw ChunkFault("a number where texts are")
    case .bytes(let bytes):
      let width = try width(bytes, count)
      let cells = bytes.span
      for index in 0..<count {
        var end = (index + 1) * width
        while end > index * width, cells[end - 1] == CellEncoder.padding { end -= 1 }
        take(index, cells, index * width..<end)
      }
    }
  }

  private static func width(_ bytes: [UInt8], _ count: Int) throws(ChunkFault) -> Int {
    guard count > 0, !bytes.isEmpty, bytes.count % count == 0 else {
      throw ChunkFault("\(bytes.count) bytes are no cells for \(count) rows")
    }
    return bytes.count / count
  }
}

/// A column as it came back from SQLite.
enum StoredValue {
  case null
  case integer(Int64)
  case real(Double)
  case bytes([UInt8])
}

/// What is wrong with a stored chunk.
struct ChunkFault: Error {
  let detail: String

  init(_ detail: String) { self.detail = detail }
}
