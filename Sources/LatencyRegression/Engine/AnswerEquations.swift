public import LinearAlgebra
public import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// The linear equations in step coefficients that the lengths of answers yield.
///
/// A request that generated N tokens after its first was part of N steps: their number is known,
/// and so, from the log, are the batches and the prompts that it met. The time from its first to
/// its last token is therefore linear in the step coefficients, with no guess at how many steps it
/// was. The steps of a window are taken from its stretches of constant batch in proportion to their
/// number there, which depends on the coefficients, so the fit is repeated.
///
/// Answers of engines that speculate, or whose tokens were not counted, break the rule; a caller
/// should therefore try a calibration with these equations against one without.
public struct AnswerEquations: Sendable {
  /// One stretch of time between two changes of an endpoint's batch.
  private struct Stretch: Sendable {
    var start: Double
    var step = StepComposition()
  }

  /// A prompt that was computed, at its first token.
  private struct Prompt: Sendable {
    var time: Double
    var newTokens: Double
    var promptTokens: Double
    var decoding: Double
  }

  /// One answer, from its first token to its last, and where they stand among an endpoint's.
  private struct Answer: Sendable {
    var steps: Double
    var milliseconds: Double
    var stretches: Range<Int>
    var prompts: Range<Int>
  }

  /// The answers, stretches and prompts of one endpoint.
  private struct Endpoint: Sendable {
    var answers: [Answer] = []
    var stretches: [Stretch] = []
    var prompts: [Prompt] = []
    /// Prefill features of the prompts before each, cumulated.
    var prefill: [Double] = []
  }

  private let log: ReplayLog
  private var endpoints: [Endpoint] = []

  /// Answers with fewer tokens are too quantized to say how long a step is.
  private static let shortestAnswer: Int32 = 5
  /// Relative residuals beyond this count linearly.
  private static let huber = 0.1

  /// Prepares the equations of endpoints of one class.
  ///
  /// - Parameters:
  ///   - rows: Per endpoint, its rows in `log`; those without outcomes are left out.
  ///   - tokenBudget: The most prompt tokens per step.
  ///   - batches: What all endpoints decoded, by time; `nil` where there is only one.
  ///   - threads: How many share the endpoints; the result does not depend on it.
  /// - Complexity: O(*n* log *n*).
  public init(
    _ log: ReplayLog, rows: [[Int]], tokenBudget: Double, batches: BatchHistory?, threads: Int = 1
  ) {
    self.log = log
    endpoints = RowBlocks(rowCount: rows.count, blockRows: 1).map(threads: threads) {
      [self] block -> Endpoint? in
      let complete = rows[block.lowerBound].filter {
        log.isComplete($0) && log.firstTokenTime($0) != nil
      }
      return complete.isEmpty ? nil : prepare(complete, batches, tokenBudget)
    }.compactMap { $0 }
  }

  /// The same answers of engines that compute at most `tokenBudget` prompt tokens a step.
  ///
  /// - Complexity: O(*n*).
  public func withTokenBudget(_ tokenBudget: Double) -> AnswerEquations {
    var copy = self
    for index in copy.endpoints.indices {
      copy.endpoints[index].prefill = Self.prefillSums(endpoints[index].prompts, tokenBudget)
    }
    return copy
  }

  /// The normal equations, each answer relative to its length and bounded where `coefficients`, in
  /// ``StepFeature`` order, do not explain it.
  ///
  /// - Parameter threads: How many share the endpoints; the result does not depend on it.
  /// - Complexity: O(*n p²*).
  public func normalMatrix(
    _ coefficients: [Double], threads: Int = 1
  ) throws(LinearAlgebraError) -> NormalMatrix {
    let model = StepModel(coefficients: coefficients)
    let parts = RowBlocks(rowCount: endpoints.count, blockRows: 1).map(threads: threads) {
      equations(of: endpoints[$0.lowerBound], model, coefficients)
    }
    var all = Equations()
    all.elements.reserveCapacity(parts.reduce(0) { $0 + $1.elements.count })
    for part in parts {
      all.elements += part.elements
      all.targets += part.targets
      all.weights += part.weights
    }
    let design = try Design(
      rowCount: all.targets.count, columnCount: StepFeature.count, elements: all.elements)
    return try NormalMatrix(
      design, targets: all.targets, weights: all.weights, threads: threads)
  }

  /// Rows of a design, with their targets and weights.
  private struct Equations: Sendable {
    var elements: [Float] = []
    var targets: [Double] = []
    var weights: [Double] = []
  }

  private func equations(
    of endpoint: Endpoint, _ model: StepModel, _ coefficients: [Double]
  ) -> Equations {
    let size = StepFeature.count
    var result = Equations()
    result.elements.reserveCapacity(endpoint.answers.count * size)
    result.targets.reserveCapacity(endpoint.answers.count)
    result.weights.reserveCapacity(endpoint.answers.count)
    let sums = decodeSums(endpoint, model)
    let (decode, prefill, slopes) = (sums.span, endpoint.prefill.span, coefficients.span)
    for answer in endpoint.answers {
      let (steps, target) = (answer.steps, answer.milliseconds)
      let left = answer.stretches.lowerBound * (size + 1)
      let right = answer.stretches.upperBound * (size + 1)
      let (from, to) = (answer.prompts.lowerBound * size, answer.prompts.upperBound * size)
      let weight = decode[right + size] - decode[left + size]
      guard weight > 0 else { continue }
      var predicted = 0.0
      for column in 0..<size {
        var value =
          steps * (decode[right + column] - decode[left + column]) / weight
          + prefill[to + column] - prefill[from + column]
        if column == 0 { value = steps }
        predicted += value * slopes[column]
        result.elements.append(Float(value))
      }
      let scale = target + 2 * slopes[0]
      let residual = abs(target - predicted) / scale
      result.targets.append(target)
      result.weights.append((residual < Self.huber ? 1 : Self.huber / residual) / (scale * scale))
    }
    return result
  }

  // MARK: - Preparation

  private func prepare(
    _ rows: [Int], _ batches: BatchHistory?, _ tokenBudget: Double
  ) -> Endpoint {
    var endpoint = Endpoint()
    var changes: [(time: Double, count: Double, context: Double)] = []
    for row in rows {
      guard let first = log.firstTokenTime(row) else { continue }
      let logged = log.rows[row]
      let context = Double(logged.inputTokens) + 0.5 * Double(max(logged.outputTokens, 0))
      changes.append((first, 1, context))
      changes.append((log.endTime(row), -1, -context))
    }
    changes.sort { $0.time < $1.time }
    var step = StepComposition()
    for change in changes {
      step.decodingRequests += change.count
      step.contextTokens += change.context
      step.otherDecodingRequests = max(
        0, (batches?.count(at: change.time) ?? 0) - step.decodingRequests)
      endpoint.stretches.append(Stretch(start: change.time, step: step))
    }
    for row in rows {
      guard let first = log.firstTokenTime(row) else { continue }
      let logged = log.rows[row]
      let prompt = Double(max(logged.inputTokens, 1))
      let new = max(1, logged.shape.newTokens)
      endpoint.prompts.append(
        Prompt(
          time: first, newTokens: new, promptTokens: prompt,
          decoding: endpoint.stretches[Self.last(endpoint.stretches, by: first, \.start)].step
            .decodingRequests))
    }
    endpoint.prompts.sort { $0.time < $1.time }
    endpoint.prefill = Self.prefillSums(endpoint.prompts, tokenBudget)
    endpoint.answers = rows.compactMap { answer($0, endpoint) }
    return endpoint
  }

  /// The answer of row `index`; `nil` where it says nothing.
  private func answer(_ index: Int, _ endpoint: Endpoint) -> Answer? {
    guard log.rows[index].outputTokens >= Self.shortestAnswer,
      let first = log.firstTokenTime(index)
    else { return nil }
    let end = log.endTime(index)
    guard end > first else { return nil }
    let left = Self.last(endpoint.stretches, by: first, \.start)
    let right = Self.last(endpoint.stretches, by: end, \.start)
    let from = Self.count(endpoint.prompts, by: first, \.time)
    let to = Self.count(endpoint.prompts, by: end, \.time)
    return Answer(
      steps: Double(log.rows[index].outputTokens - 1), milliseconds: end - first,
      stretches: left..<right, prompts: from..<to)
  }

  /// Per stretch, cumulated before it: decode features × steps, then steps.
  private func decodeSums(_ endpoint: Endpoint, _ model: StepModel) -> [Double] {
    let size = StepFeature.count
    let stretches = endpoint.stretches
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
  private static func prefillSums(_ prompts: [Prompt], _ tokenBudget: Double) -> [Double] {
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
        let taken = min(remaining, tokenBudget)
        step.addPrefill(taken, context: prompt.promptTokens - remaining + taken)
        StepFeature.accumulate(step, weight: 1, into: &with)
        remaining -= tokenBudget
      }
      for column in 0..<size {
        result[(index + 1) * size + column] = with[column] - without[column]
      }
    }
    return result
  }

  /// How many elements lie at or before `time`.
  private static func count<Element>(
    _ sorted: [Element], by time: Double, _ key: KeyPath<Element, Double>
  ) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle][keyPath: key] <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The last element at or before `time`; the first where none is.
  private static func last<Element>(
    _ sorted: [Element], by time: Double, _ key: KeyPath<Element, Double>
  ) -> Int {
    max(0, count(sorted, by: time, key) - 1)
  }
}

/// How many requests all endpoints decoded, by time.
public struct BatchHistory: Sendable {
  private var times: [Double] = []
  private var counts: [Double] = []

  /// Of the complete rows among `rows`.
  public init(_ log: ReplayLog, rows: Range<Int>) {
    var changes: [(time: Double, change: Double)] = []
    for row in rows {
      guard log.isComplete(row), let first = log.firstTokenTime(row) else { continue }
      changes.append((first, 1))
      changes.append((log.endTime(row), -1))
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
  ///
  /// - Complexity: O(log *n*).
  public func count(at time: Double) -> Double {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? counts[low - 1] : 0
  }
}
