/// What a tuning found.
public struct TuningResult: Sendable {
  /// A searched policy on the tuning part: where the Pareto front comes from.
  public struct Point: Sendable, Hashable, Codable {
    /// P90 TTFT, ms.
    public var ttftP90: Double
    /// P90 TPOT, ms.
    public var tpotP90: Double
    /// The objective's cost; 0 is the baseline's.
    public var cost: Double
    /// The searched parameters' values.
    public var values: [Double]
  }

  /// The tuned policy against another on the judging part.
  public struct Rival: Sendable, Hashable {
    /// The other policy's name.
    public var name: String
    /// By metric.
    public var comparisons: [PairedComparison]
    /// Latency distributions: P10, P20 … P90, P95, P99 of TTFT, ms.
    public var ttftDistribution: [Double]

    /// The comparison by `metric`.
    public func comparison(_ metric: TuningMetric) -> PairedComparison? {
      comparisons.first { $0.metric == metric }
    }
  }

  /// What the simulated fleet was made of.
  public var calibration: FleetCalibration
  /// Whether it may be believed.
  public var proof: SimulatorProof
  /// What was searched.
  public var space: PolicySpace
  /// What for.
  public var objective: TuningObjective
  /// The policy that is in force, or would be.
  public var baseline: NamedPolicy
  /// The best policy found; `nil` when nothing was searched.
  public var tuned: NamedPolicy?
  /// The searched parameters' values in ``tuned``.
  public var values: [Double] = []
  /// The search's best against the untuned policy on the tuning part, by the objective's metrics;
  /// where none is a win, ``tuned`` is the untuned one.
  public var settling: [PairedComparison] = []
  /// Evaluations on the whole tuning part that the search spent.
  public var spent = 0.0
  /// How often the search began anew.
  public var restarts = 0
  /// All policies that were seen on the whole tuning part.
  public var points: [Point] = []
  /// The indices of ``points`` on the Pareto front.
  public var front: [Int] = []
  /// The tuned policy against the baseline (first) and the others, on the judging part.
  public var rivals: [Rival] = []
  /// The tuned policy's own distribution, as ``Rival/ttftDistribution``.
  public var ttftDistribution: [Double] = []
  /// Which parameters matter.
  public var sensitivity: [ParameterSensitivity] = []
  /// What the log's random decisions say; `nil` when nothing was searched.
  public var audit: OffPolicyAudit?
  /// Requests that judged.
  public var judgedCount = 0
  /// Blocks that the gateway's prefix index was given per endpoint.
  public var prefixCapacity = 0
  /// What to do.
  public var advice: TuningAdvice

  /// What to run if this family's policy is to run: the tuned one where nothing speaks against it,
  /// else the untuned one.
  public var recommended: NamedPolicy {
    guard let tuned, proof.passes, advice.decision != .refuse else {
      return NamedPolicy("untuned", space.base)
    }
    return tuned
  }

  /// Levels of ``ttftDistribution``.
  public static let distributionLevels = [
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99,
  ]
}

/// What to do, and why.
public struct TuningAdvice: Sendable, Hashable, Codable {
  /// What to do.
  public enum Decision: String, Sendable, Hashable, Codable {
    /// Run the tuned policy.
    case adopt
    /// Nothing found is surely better.
    case keep
    /// No advice can be given.
    case refuse
  }

  /// What to do.
  public var decision: Decision
  /// Why, one sentence each.
  public var sentences: [String]

  /// Advice.
  public init(_ decision: Decision, _ sentences: [String]) {
    self.decision = decision
    self.sentences = sentences
  }

  /// What follows from a judged comparison and the audit.
  ///
  /// - Parameter violations: Of the objective's constraints, on the judging part.
  public init(
    proof: SimulatorProof, comparisons: [PairedComparison], violations: [String],
    audit: OffPolicyAudit?
  ) {
    guard proof.passes else {
      self.init(
        .refuse,
        ["The simulation does not resemble the log, so it cannot speak for other policies."]
          + proof.sentences)
      return
    }
    guard let main = comparisons.first else {
      self.init(.keep, ["Nothing was searched."])
      return
    }
    let what = "\(main.metric.title): \(Format.gain(main)) against the baseline, judged on "
    let told = what + "\(main.blockCount) later time blocks with \(main.seedCount) seeds."
    if let audit, audit.contradictsGain, main.verdict == .win, let gain = audit.difference?.gain {
      self.init(
        .refuse,
        [
          told,
          "But the log's own random decisions say the opposite: \(Format.percent(gain.value)) of "
            + "mean TTFT saved (\(Format.percent(gain.lower)) to \(Format.percent(gain.upper))), "
            + "doubly robust. One of the two is wrong, so there is no advice.",
        ])
      return
    }
    guard main.verdict == .win, violations.isEmpty else {
      let reason =
        main.verdict == .win
        ? "But it breaks a constraint." : "That is not surely better: keep what runs."
      self.init(.keep, [told, reason] + violations)
      return
    }
    var sentences = [told]
    if let gain = audit?.difference?.gain {
      sentences.append(
        "The log's random decisions do not contradict it: \(Format.percent(gain.value)) of mean "
          + "TTFT saved (\(Format.percent(gain.lower)) to \(Format.percent(gain.upper))).")
    } else if let refusal = audit?.refusal {
      sentences.append("There was no off-policy audit. " + refusal)
    }
    self.init(.adopt, sentences)
  }
}
