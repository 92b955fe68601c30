internal import CoefficientFile
internal import FleetSimulation
internal import Glibc
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Learns step lengths from how long answers took, given who else was on the endpoint.
///
/// A request that generated N tokens after its first was part of N steps: their number is known, and
/// so, from the log, are the batches and the prompts that it met. The time from first to last
/// token is therefore linear in the step coefficients, with no guess at how many steps it was.
/// Steps of a window are taken from its stretches of constant batch in proportion to their number
/// there, which depends on the coefficients, so the fit is repeated.
///
/// - Complexity: O(*n p²*) per round.
struct DecodeRegression {
  /// One stretch of time between two changes of an endpoint's batch.
  private struct Stretch {
    var start: Double
    var step = StepComposition()
  }

  /// A prompt that was computed, at its first token.
  private struct Prompt {
    var time: Double
    var newTokens: Double
    var attention: Double
    var decoding: Double
  }

  private let log: TuningLog
  private let rows: [Int]
  private let tokenBudget: Double
  private var stretches: [Stretch] = []
  private var prompts: [Prompt] = []

  /// Columns that are fitted: step, batch and its bends, context, others, prompts.
  private static let columns = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 19, 21]
  private static let shortestAnswer: Int32 = 5

  /// Prepares rows of one endpoint, all of which have their outcomes.
  ///
  /// - Parameter others: Requests that other endpoints decode, by time.
  init(log: TuningLog, rows: [Int], tokenBudget: Double, others: BatchHistory?) {
    self.log = log
    self.rows = rows.filter { log.replay.isComplete($0) && log.replay.firstTokenTime($0) != nil }
    self.tokenBudget = tokenBudget
    makeStretches(others)
  }

  /// Normal equations of one endpoint, given what steps take.
  struct Sums {
    var gram = [Double](repeating: 0, count: StepFeature.count * StepFeature.count)
    var moment = [Double](repeating: 0, count: StepFeature.count)
    var count = 0
  }

  private mutating func makeStretches(_ others: BatchHistory?) {
    var changes: [(time: Double, count: Double, context: Double)] = []
    for row in rows {
      guard let first = log.replay.firstTokenTime(row) else { continue }
      let logged = log.replay.rows[row]
      let context = Double(logged.inputTokens) + 0.5 * Double(max(logged.outputTokens, 0))
      changes.append((first, 1, context))
      changes.append((log.replay.endTime(row), -1, -context))
    }
    changes.sort { $0.time < $1.time }
    var step = StepComposition()
    for change in changes {
      step.decodingRequests += change.count
      step.contextTokens += change.context
      step.otherDecodingRequests = others?.count(at: change.time) ?? 0
      step.otherDecodingRequests = max(0, step.otherDecodingRequests - step.decodingRequests)
      stretches.append(Stretch(start: change.time, step: step))
    }
    for row in rows {
      guard let first = log.replay.firstTokenTime(row) else { continue }
      let logged = log.replay.rows[row]
      let prompt = Double(max(logged.inputTokens, 1))
      let new = max(1, prompt - Double(max(logged.cachedTokens, 0)))
      prompts.append(
        Prompt(
          time: first, newTokens: new, attention: new * (prompt - new / 2) * 1e-6,
          decoding: stretches[stretch(at: first)].step.decodingRequests))
    }
    prompts.sort { $0.time < $1.time }
  }

  /// Adds the equations of all answers, weighted by how well `previous` explains them.
  func accumulate(into sums: inout Sums, previous: [Double]) {
    let size = StepFeature.count
    guard !stretches.isEmpty else { return }
    let model = StepModel(coefficients: previous)
    let cumulative = decodeSums(model)
    let promptSums = prefillSums()
    var row = [Double](repeating: 0, count: size)
    for index in rows {
      let logged = log.replay.rows[index]
      guard logged.outputTokens >= Self.shortestAnswer,
        let first = log.replay.firstTokenTime(index)
      else { continue }
      let end = log.replay.endTime(index)
      let target = end - first
      guard target > 0 else { continue }
      let (from, to) = (stretch(at: first), stretch(at: end))
      let (left, right) = (from * (size + 1), to * (size + 1))
      let steps = Double(logged.outputTokens - 1)
      let weight = cumulative[right + size] - cumulative[left + size]
      let (firstPrompt, lastPrompt) = (promptsBy(first), promptsBy(end))
      for column in 0..<size {
        let decode =
          weight > 0 ? (cumulative[right + column] - cumulative[left + column]) / weight : 0
        row[column] =
          steps * decode + promptSums[lastPrompt * size + column]
          - promptSums[firstPrompt * size + column]
      }
      row[0] = steps
      add(row, target: target, to: &sums, previous: previous)
    }
  }

  private func add(
    _ row: [Double], target: Double, to sums: inout Sums, previous: [Double]
  ) {
    let size = StepFeature.count
    let scale = 0.05 * target + previous[0]
    var predicted = 0.0
    for column in 0..<size { predicted += row[column] * previous[column] }
    let residual = abs(target - predicted) / scale
    let weight = (residual <= 1 ? 1 : 1 / residual) / (scale * scale)
    for column in Self.columns {
      sums.moment[column] += weight * row[column] * target
      for other in Self.columns {
        sums.gram[column * size + other] += weight * row[column] * row[other]
      }
    }
    sums.count += 1
  }

  /// Per stretch, cumulated before it: decode features × steps, then steps.
  private func decodeSums(_ model: StepModel) -> [Double] {
    let size = StepFeature.count
    var result = [Double](repeating: 0, count: (stretches.count + 1) * (size + 1))
    var running = [Double](repeating: 0, count: size + 1)
    var features = [Double](repeating: 0, count: size)
    for index in stretches.indices {
      for column in 0...size { result[index * (size + 1) + column] = running[column] }
      let end = index + 1 < stretches.count ? stretches[index + 1].start : stretches[index].start
      let steps = (end - stretches[index].start) / model.milliseconds(stretches[index].step)
      for column in 0..<size { features[column] = 0 }
      StepFeature.accumulate(stretches[index].step, weight: steps, into: &features)
      for column in 0..<size { running[column] += features[column] }
      running[size] += steps
    }
    for column in 0...size { result[stretches.count * (size + 1) + column] = running[column] }
    return result
  }

  /// Prefill features of the prompts before each, cumulated.
  private func prefillSums() -> [Double] {
    let size = StepFeature.count
    var result = [Double](repeating: 0, count: (prompts.count + 1) * size)
    var with = [Double](repeating: 0, count: size)
    var without = [Double](repeating: 0, count: size)
    for (index, prompt) in prompts.enumerated() {
      for column in 0..<size {
        with[column] = result[index * size + column]
        without[column] = 0
      }
      var remaining = prompt.newTokens
      while remaining > 0 {
        var step = StepComposition()
        step.decodingRequests = prompt.decoding
        StepFeature.accumulate(step, weight: 1, into: &without)
        step.prefillTokens = min(remaining, tokenBudget)
        step.attention = prompt.attention * step.prefillTokens / prompt.newTokens
        StepFeature.accumulate(step, weight: 1, into: &with)
        remaining -= tokenBudget
      }
      for column in 0..<size {
        result[(index + 1) * size + column] = with[column] - without[column]
      }
    }
    return result
  }

  /// The last stretch that begins by `time`.
  private func stretch(at time: Double) -> Int {
    var (low, high) = (0, stretches.count)
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].start <= time { low = middle + 1 } else { high = middle }
    }
    return max(0, low - 1)
  }

  /// How many prompts were done by `time`.
  private func promptsBy(_ time: Double) -> Int {
    var (low, high) = (0, prompts.count)
    while low < high {
      let middle = (low + high) / 2
      if prompts[middle].time <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: - Solving

  /// The coefficients, none negative, that explain the equations best.
  ///
  /// Coordinate descent on the normal equations: they are few, and convergence is to the unique
  /// optimum of a convex problem.
  static func solve(_ sums: Sums, from start: [Double]) -> [Double] {
    let size = StepFeature.count
    var solution = start.map { max($0, 0) }
    for column in 0..<size where !columns.contains(column) { solution[column] = 0 }
    for _ in 0..<3000 {
      var change = 0.0
      for column in columns {
        let diagonal = sums.gram[column * size + column]
        guard diagonal > 0 else {
          solution[column] = 0
          continue
        }
        var gradient = sums.moment[column]
        for other in columns { gradient -= sums.gram[column * size + other] * solution[other] }
        let updated = max(0, solution[column] + gradient / diagonal)
        change = max(change, abs(updated - solution[column]) * diagonal.squareRoot())
        solution[column] = updated
      }
      if change < 1e-7 { break }
    }
    return solution
  }
}

/// How many requests all endpoints decoded, by time.
struct BatchHistory: Sendable {
  private var times: [Double] = []
  private var counts: [Double] = []

  /// Of the complete rows among `rows`.
  init(_ log: TuningLog, rows: Range<Int>) {
    var changes: [(time: Double, change: Double)] = []
    for row in rows {
      guard log.replay.isComplete(row), let first = log.replay.firstTokenTime(row) else { continue }
      changes.append((first, 1))
      changes.append((log.replay.endTime(row), -1))
    }
    changes.sort { $0.time < $1.time }
    var count = 0.0
    for change in changes {
      count += change.change
      times.append(change.time)
      counts.append(count)
    }
  }

  /// How many there were at `time`.
  func count(at time: Double) -> Double {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? counts[low - 1] : 0
  }
}
