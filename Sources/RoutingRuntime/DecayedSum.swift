internal import Glibc

/// A sum whose past fades: after each half-life, half of it counts.
struct DecayedSum: Sendable {
  private(set) var value = 0.0
  private(set) var time = 0.0

  /// Adds `amount` at `time`; times may not run backwards by more than they are rounded.
  mutating func add(_ amount: Double, at time: Double, halfLife: Double) {
    value = decayed(to: time, halfLife: halfLife) + amount
    self.time = max(time, self.time)
  }

  /// Adds `amount` at `time`, when the share `kept` of the past counts.
  mutating func add(_ amount: Double, at time: Double, keeping kept: Double) {
    value = value * kept + amount
    self.time = max(time, self.time)
  }

  /// The share of the past that counts at `time`.
  func kept(at time: Double, halfLife: Double) -> Double {
    let elapsed = time - self.time
    return elapsed > 0 ? exp2(-elapsed / halfLife) : 1
  }

  /// The sum as of `time`.
  func decayed(to time: Double, halfLife: Double) -> Double {
    let elapsed = time - self.time
    return elapsed > 0 ? value * exp2(-elapsed / halfLife) : value
  }

  /// The sum as a rate: amount per ms.
  func rate(at time: Double, halfLife: Double) -> Double {
    decayed(to: time, halfLife: halfLife) * 0.693_147_180_559_945_3 / halfLife
  }
}

/// A running mean in which each observation weighs `gain` and older ones fade.
struct RecentMean: Sendable {
  private(set) var value: Double
  private var weight = 0.0
  private let gain: Double

  /// A mean that reads `initial` until the first observation.
  init(initial: Double, gain: Double) {
    value = initial
    self.gain = gain
  }

  /// Mixes in one observation; the first ones count fully, as in an ordinary mean.
  mutating func observe(_ observation: Double) {
    weight = weight * (1 - gain) + 1
    value += (observation - value) / weight
  }
}
