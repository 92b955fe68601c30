/// A column of one chunk as SQLite holds it.
enum ChunkValue: Sendable, Equatable {
  /// No row has a value.
  case null
  /// Every row has this whole number.
  case integer(Int64)
  /// Every row has this number.
  case real(Double)
  /// One range of the chunk's bytes: cells of equal width, or concatenated parts.
  case bytes(Range<Int>)
}

/// Writes columns as cells of equal width with decimal digits, so that plain SQL can read them.
///
/// A missing value is a cell of spaces; a column whose rows are all alike is that one value.
/// Numbers come back bit for bit: a fraction is written with the fewest decimals that give it back
/// exactly, or, where nine are not enough, in its shortest full form.
struct CellEncoder {
  /// The most decimals of the fast form.
  static let maximumDecimals = 9
  static let powers: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
  static let space: UInt8 = 0x20
  static let minus: UInt8 = 0x2D
  static let point: UInt8 = 0x2E
  static let zero: UInt8 = 0x30

  private(set) var bytes: [UInt8] = []
  private(set) var values: [ChunkValue] = []
  private var integers: [Int64]
  private var reals: [Double]
  private let count: Int

  init(count: Int, byteEstimate: Int) {
    self.count = count
    integers = Array(repeating: 0, count: count)
    reals = Array(repeating: 0, count: count)
    bytes.reserveCapacity(byteEstimate)
  }

  /// Adds a column of whole numbers; `missing` stands for none.
  @inline(__always)
  mutating func addIntegers(missing: Int64 = .min, _ value: (Int) -> Int64) {
    var least = Int64.max
    var most = Int64.min
    var absent = 0
    for index in 0..<count {
      let number = value(index)
      integers[index] = number
      if number == missing || number == .min {
        integers[index] = .min
        absent += 1
      } else {
        least = min(least, number)
        most = max(most, number)
      }
    }
    finishIntegers(least, most, absent)
  }

  private mutating func finishIntegers(_ least: Int64, _ most: Int64, _ absent: Int) {
    if absent == count { return values.append(.null) }
    if absent == 0, least == most { return values.append(.integer(least)) }
    var width = Self.digits(most.magnitude)
    if least < 0 { width = max(width, Self.digits(least.magnitude) + 1) }
    var column = cells(of: width)
    var cells = column.mutableSpan
    for index in 0..<count where integers[index] != .min {
      let number = integers[index]
      var place = (index + 1) * width
      var rest = number.magnitude
      repeat {
        place -= 1
        cells[place] = Self.zero &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest != 0
      if number < 0 { cells[place - 1] = Self.minus }
    }
    append(column)
  }

  /// Adds a column of fractions; `nan` stands for none.
  ///
  /// - Parameter isSingle: Whether the values are `Float`s, which need fewer decimals to come back.
  @inline(__always)
  mutating func addReals(isSingle: Bool, _ value: (Int) -> Double) {
    for index in 0..<count { reals[index] = value(index) }
    finishReals(isSingle)
  }

  private mutating func finishReals(_ isSingle: Bool) {
    var decimals = 0
    var most = 0.0
    var absent = 0
    var isSigned = false
    var isAlike = true
    for index in 0..<count {
      let number = reals[index]
      if number.isNaN {
        absent += 1
        continue
      }
      // SQLite drops the sign of a zero.
      isAlike = isAlike && number == reals[0] && (number != 0 || number.sign == .plus)
      isSigned = isSigned || number.sign == .minus
      most = max(most, number.magnitude)
      while decimals <= Self.maximumDecimals, !Self.isExact(number, decimals, isSingle) {
        decimals += 1
      }
    }
    if absent == count { return values.append(.null) }
    if absent == 0, isAlike {
      let number = reals[0]
      let shown =
        decimals <= Self.maximumDecimals ? Self.shown(number, decimals) : number
      return values.append(.real(shown))
    }
    if decimals > Self.maximumDecimals { return writeFullForm() }
    let largest = UInt64((most * Self.powers[decimals]).rounded())
    var width = max(Self.digits(largest), decimals + 1)
    if decimals > 0 { width += 1 }
    if isSigned { width += 1 }
    writeDecimals(width, decimals)
  }

  private mutating func writeDecimals(_ width: Int, _ decimals: Int) {
    let scale = Self.powers[decimals]
    var column = cells(of: width)
    var cells = column.mutableSpan
    for index in 0..<count where !reals[index].isNaN {
      let number = reals[index]
      var rest = UInt64((number.magnitude * scale).rounded())
      var place = (index + 1) * width
      for _ in 0..<decimals {
        place -= 1
        cells[place] = Self.zero &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
      if decimals > 0 {
        place -= 1
        cells[place] = Self.point
      }
      repeat {
        place -= 1
        cells[place] = Self.zero &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest != 0
      if number.sign == .minus { cells[place - 1] = Self.minus }
    }
    append(column)
  }

  private mutating func writeFullForm() {
    let texts = reals.map { $0.isNaN ? [] : Array("\($0)".utf8) }
    let width = texts.reduce(1) { max($0, $1.count) }
    var column = cells(of: width)
    for (index, text) in texts.enumerated() {
      let place = (index + 1) * width - text.count
      column.replaceSubrange(place..<place + text.count, with: text)
    }
    append(column)
  }

  /// Adds a column of texts, padded on the right with ``padding``.
  mutating func addTexts(_ text: [UInt8], _ range: (Int) -> Range<Int>) {
    var width = 0
    for index in 0..<count { width = max(width, range(index).count) }
    guard width > 0 else { return values.append(.null) }
    var column = Array(repeating: Self.padding, count: width * count)
    var cells = column.mutableSpan
    for index in 0..<count {
      var place = index * width
      for source in range(index) {
        cells[place] = text[source]
        place += 1
      }
    }
    append(column)
  }

  /// What fills a text's cell: the unit separator, a control character that JSON text cannot hold
  /// unescaped.
  static let padding: UInt8 = 0x1F

  /// Adds a column that `write` appends to the bytes; nothing appended is no value.
  mutating func addBytes(_ write: (inout [UInt8]) -> Void) {
    let start = bytes.count
    write(&bytes)
    values.append(bytes.count == start ? .null : .bytes(start..<bytes.count))
  }

  private func cells(of width: Int) -> [UInt8] {
    Array(repeating: Self.space, count: width * count)
  }

  private mutating func append(_ column: [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: column)
    values.append(.bytes(start..<bytes.count))
  }

  @inline(__always)
  private static func isExact(_ number: Double, _ decimals: Int, _ isSingle: Bool) -> Bool {
    let scaled = (number.magnitude * powers[decimals]).rounded()
    guard scaled < 9_007_199_254_740_992 else { return false }
    let back = shown(number, decimals)
    return isSingle
      ? Float(back).bitPattern == Float(number).bitPattern : back.bitPattern == number.bitPattern
  }

  /// The number nearest to the decimal text: whole number by power of ten, correctly rounded.
  @inline(__always)
  private static func shown(_ number: Double, _ decimals: Int) -> Double {
    let back = (number.magnitude * powers[decimals]).rounded() / powers[decimals]
    return number.sign == .minus ? -back : back
  }

  /// How many decimal digits `number` has.
  static func digits(_ number: UInt64) -> Int {
    var count = 1
    var rest = number / 10
    while rest != 0 {
      count += 1
      rest /= 10
    }
    return count
  }
}
