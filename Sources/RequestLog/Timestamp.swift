/// Clock readings as text: RFC 3339, with `T` or a blank between date and time.
enum Timestamp {
  private static let daysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

  /// Unix nanoseconds of `text`; `nil` when it is no RFC 3339 time of the years 1970 to 2261.
  ///
  /// A leap second counts as the first second of the next minute. Digits past nanoseconds are cut.
  static func nanoseconds(_ text: [UInt8]) -> Int64? {
    guard text.count >= 20, text[4] == 0x2D, text[7] == 0x2D, text[13] == 0x3A, text[16] == 0x3A,
      text[10] == UInt8(ascii: "T") || text[10] == UInt8(ascii: "t") || text[10] == 0x20,
      let year = number(text, 0..<4), let month = number(text, 5..<7),
      let day = number(text, 8..<10), let hour = number(text, 11..<13),
      let minute = number(text, 14..<16), let second = number(text, 17..<19),
      (1970...2261).contains(year), (1...12).contains(month), day >= 1,
      day <= lengthOfMonth(year, month), hour < 24, minute < 60, second <= 60
    else { return nil }
    var place = 19
    var fraction: Int64 = 0
    if text[place] == UInt8(ascii: ".") || text[place] == UInt8(ascii: ",") {
      place += 1
      let start = place
      while place < text.count, isDigit(text[place]) {
        if place - start < 9 { fraction = fraction * 10 + Int64(text[place] - 0x30) }
        place += 1
      }
      guard place > start else { return nil }
      for _ in min(place - start, 9)..<9 { fraction *= 10 }
    }
    guard let offset = zoneSeconds(text, place) else { return nil }
    let days = daysSince1970(year, month, day)
    let seconds = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second - offset)
    return seconds * 1_000_000_000 + fraction
  }

  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let before = year - 1
    let leapDays = before / 4 - before / 100 + before / 400 - 477
    let february = month > 2 && isLeap(year) ? 1 : 0
    return (year - 1970) * 365 + leapDays + daysBeforeMonth[month - 1] + february + day - 1
  }

  private static func isLeap(_ year: Int) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  }

  private static func lengthOfMonth(_ year: Int, _ month: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// The offset from UTC of the zone that ends `text`; `nil` when it is none.
  private static func zoneSeconds(_ text: [UInt8], _ start: Int) -> Int? {
    guard start < text.count else { return nil }
    let sign = text[start]
    if sign == UInt8(ascii: "Z") || sign == UInt8(ascii: "z") {
      return start + 1 == text.count ? 0 : nil
    }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    let digits = text[(start + 1)...].filter { $0 != UInt8(ascii: ":") }
    guard digits.count == 4, let hours = number(Array(digits), 0..<2),
      let minutes = number(Array(digits), 2..<4), hours < 24, minutes < 60
    else { return nil }
    let seconds = hours * 3600 + minutes * 60
    return sign == UInt8(ascii: "-") ? -seconds : seconds
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private static func number(_ text: [UInt8], _ range: Range<Int>) -> Int? {
    var value = 0
    for index in range {
      guard isDigit(text[index]) else { return nil }
      value = value * 10 + Int(text[index] - 0x30)
    }
    return value
  }
}
