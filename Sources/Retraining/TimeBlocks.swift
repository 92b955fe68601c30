internal import LogReplay

/// A log cut by time: what is fitted, and what the fit is judged on.
struct TimeBlocks {
  /// Rows to fit and calibrate on; all of them ended before the judged block began.
  let fit: Range<Int>
  /// Rows to judge on.
  let judge: Range<Int>
  /// How long before the cut a request had to be dispatched to count as fitted, ms.
  let embargoMilliseconds: Double

  /// The newest share that is judged.
  static let judgedShare = 0.2
  /// The embargo takes at most this share of the time.
  private static let largestEmbargoShare = 0.1

  /// Cuts all rows of `log`; the embargo is the longest latency before the cut.
  init(_ log: ReplayLog) {
    let count = log.rows.count
    let cut = count - Int(Self.judgedShare * Double(count))
    guard cut > 0, cut < count else {
      fit = 0..<count
      judge = count..<count
      embargoMilliseconds = 0
      return
    }
    let cutTime = log.dispatchTime(cut)
    var longest = 0.0
    for index in 0..<cut { longest = max(longest, log.endTime(index) - log.dispatchTime(index)) }
    longest = min(longest, Self.largestEmbargoShare * (cutTime - log.dispatchTime(0)))
    var end = cut
    while end > 0, log.dispatchTime(end - 1) > cutTime - longest { end -= 1 }
    fit = 0..<end
    judge = cut..<count
    embargoMilliseconds = longest
  }
}
