internal import CoefficientFile

/// One guess at an engine's limits.
struct EngineLimits: Hashable, Sendable {
  var tokenBudget = 8192.0
  /// The budgets of the classes that have another, by class.
  var ownBudgets: [Int: Double] = [:]
  var uplink = 0.5
  /// How far a gap may deviate from its forecast and count, in steps.
  var gate = 0.35
  /// Whether answers' lengths are equations, too: not where their tokens do not count steps.
  var usesAnswers = true

  /// The most prompt tokens per step of engines of a class.
  func tokenBudget(ofClass index: Int) -> Double { ownBudgets[index] ?? tokenBudget }
}

/// One guess at the engines' limits, and the coefficients that replays and fits in turn have led to.
struct CalibrationTrial: Sendable {
  private(set) var limits: EngineLimits
  /// One per class; none where ``EngineLimits/usesAnswers`` is false.
  var answers: [AnswerEquations]
  /// The engines that are replayed next.
  var engines: [EngineModel]
  /// The engines of least error so far.
  private(set) var best: [EngineModel]
  /// Their mean relative error.
  private(set) var error = Double.infinity
  /// The error of the last replay.
  private(set) var latestError = Double.infinity
  /// What the next replay's round is counted as: later ones learn from longer gaps.
  private(set) var round = 0
  /// Replays so far.
  private(set) var replays = 0
  private var rounds: Int

  /// A trial of `rounds` fits, each after a replay, and one replay more.
  init(
    limits: EngineLimits, answers: [AnswerEquations], engines: [EngineModel], rounds: Int
  ) {
    self.limits = limits
    self.answers = answers
    self.engines = engines
    best = engines
    self.rounds = rounds
  }

  /// Whether nothing was learned yet, not even from the answers.
  var isFresh: Bool { round == 0 }
  /// Whether the engines are still so rough that part of the rows says as much.
  var isEarly: Bool { round < 2 }
  /// Whether the last replay is over.
  var isDone: Bool { replays > rounds }
  /// Answers are left out only for a clear gain: without them a step may pass for two.
  var handicappedError: Double { handicap * error }
  private var handicap: Double { limits.usesAnswers ? 1 : 1.1 }

  /// Takes down what the replay of ``engines`` led to.
  mutating func note(error latest: Double) {
    // The first rounds' replays are of engines that cannot be right yet.
    if latest < error || (round < 3 && replays < rounds) { (error, best) = (latest, engines) }
    latestError = latest
    round += 1
    replays += 1
  }

  /// A trial of other limits from here on; what is roughly right may learn from long gaps at once.
  func continued(_ other: EngineLimits, rounds: Int) -> CalibrationTrial {
    var next = CalibrationTrial(limits: other, answers: answers, engines: best, rounds: rounds)
    for index in next.engines.indices {
      next.engines[index].uplinkMilliseconds = other.uplink
      next.engines[index].tokenBudget = other.tokenBudget(ofClass: index)
    }
    next.best = next.engines
    next.round = Self.warmRound
    return next
  }

  /// Neighbours whose next replay is the same stand together.
  static func alike(_ trials: [CalibrationTrial]) -> [[CalibrationTrial]] {
    var groups: [[CalibrationTrial]] = []
    for trial in trials {
      if let last = groups.last?.last, !trial.isFresh, !last.isFresh,
        trial.isEarly == last.isEarly, trial.engines == last.engines
      {
        groups[groups.count - 1].append(trial)
      } else {
        groups.append([trial])
      }
    }
    return groups
  }

  /// The trials that may still win, in their order.
  ///
  /// - Parameter leader: One that has ended, whose error counts beside theirs.
  static func promising(
    _ trials: [CalibrationTrial], beside leader: CalibrationTrial?
  ) -> [CalibrationTrial] {
    let least = trials.map(\.latestHandicapped).min() ?? .infinity
    let reference = min(least, leader?.handicappedError ?? .infinity)
    var kept: [CalibrationTrial] = []
    for trial in trials {
      let isBehind = trial.latestHandicapped > trial.slack * reference
      // One that does as an earlier one does would lose the tie.
      let likeness = trial.replays > 2 ? Self.likeness : 0
      let isTwin =
        trial.replays > 1 && !trial.isDone
        && kept.contains { abs(trial.latestError - $0.latestError) <= likeness * trial.latestError }
      if !isBehind && !isTwin { kept.append(trial) }
    }
    return kept
  }

  private var latestHandicapped: Double { handicap * latestError }

  /// By what factor a trial may be behind after its replays so far.
  private var slack: Double {
    let slacks = isWarm ? Self.warmSlacks : limits.usesAnswers ? Self.slacks : Self.lateSlacks
    return replays <= slacks.count ? slacks[replays - 1] : .infinity
  }
  private var isWarm: Bool { round > replays }

  /// The round at which engines that are roughly right go on.
  private static let warmRound = 5
  /// From a first guess: what stands so far behind after that many replays does not catch up.
  private static let slacks = [2, 1.3, 1.2, 1.03, 1.015]
  /// Without answers the first guess is a worse one, and takes longer to become right.
  private static let lateSlacks = [.infinity, .infinity, 2, 1.1, 1.05]
  /// Errors that differ by less than this share come from engines that will not differ.
  private static let likeness = 2e-4
  /// From engines that are roughly right; the first replay is of another engine's steps.
  private static let warmSlacks = [2, 1.04]
}
