/// What a `.glide` file holds: everything that the runtime needs to predict and to pick.
///
/// Plain data without behaviour. Prediction of one head is
/// `intercept + Σ coefficients[t] · groupScale[t] · term[t](features)`, then the head's calibration.
public struct GlideModel: Sendable, Hashable {
  /// The features that the terms index, as a fingerprint of the runtime's schema.
  public var schemaFingerprint: UInt64
  /// How long an engine step takes, per group; entry 0 is the pool's default.
  public var engines: [EngineModel]
  /// The groups that deviate from the pool: accelerator classes and endpoints.
  public var groups: [Group]
  /// The predictor of time to first token.
  public var ttft: TargetModel
  /// The predictor of time per output token.
  public var tpot: TargetModel
  /// How strongly outcomes correct the predictions between two fits.
  public var correction: CorrectionModel
  /// What the runtime's features ranged over in training, in schema order.
  public var support: [FeatureSupport]
  /// The routing policy's parameters by number; empty when not tuned.
  public var policy: [PolicyParameter]
  /// Where the model comes from.
  public var provenance: Provenance

  /// A model made of its parts.
  public init(
    schemaFingerprint: UInt64, engines: [EngineModel], groups: [Group], ttft: TargetModel,
    tpot: TargetModel, correction: CorrectionModel, support: [FeatureSupport],
    policy: [PolicyParameter], provenance: Provenance
  ) {
    self.schemaFingerprint = schemaFingerprint
    self.engines = engines
    self.groups = groups
    self.ttft = ttft
    self.tpot = tpot
    self.correction = correction
    self.support = support
    self.policy = policy
    self.provenance = provenance
  }
}

/// The length of an engine step as a linear function of what it computes, and the engine's limits.
public struct EngineModel: Sendable, Hashable {
  /// ms per unit of each step feature, in the runtime's step-feature order.
  public var stepCoefficients: [Double]
  /// The 95 % half-widths of those coefficients; same shape.
  public var stepHalfWidths: [Float]
  /// Tokens that one step may compute (chunked prefill's budget); at least 1.
  public var tokenBudget: Double
  /// Sequences that one step may run; at least 1.
  public var maximumSequences: Double
  /// Gateway to engine, ms.
  public var uplinkMilliseconds: Double
  /// Engine to gateway, ms.
  public var downlinkMilliseconds: Double

  /// An engine made of its parts.
  public init(
    stepCoefficients: [Double], stepHalfWidths: [Float], tokenBudget: Double,
    maximumSequences: Double, uplinkMilliseconds: Double, downlinkMilliseconds: Double
  ) {
    self.stepCoefficients = stepCoefficients
    self.stepHalfWidths = stepHalfWidths
    self.tokenBudget = tokenBudget
    self.maximumSequences = maximumSequences
    self.uplinkMilliseconds = uplinkMilliseconds
    self.downlinkMilliseconds = downlinkMilliseconds
  }
}

/// An accelerator class or an endpoint whose coefficients deviate from the pool's.
public struct Group: Sendable, Hashable {
  /// What the group's name names.
  public enum Kind: UInt8, Sendable, Hashable {
    case accelerator = 0
    case endpoint = 1
  }
  /// What the name names.
  public var kind: Kind
  /// The accelerator type or the endpoint as the log writes it; at most 255 bytes.
  public var name: String
  /// The group an endpoint belongs to (an index into the model's groups), -1 for none.
  public var parent: Int32
  /// Which of the model's engines it runs.
  public var engine: UInt16
  /// Training requests behind the deviation.
  public var sampleCount: UInt64
  /// Multiplies each TTFT term; empty means 1.
  public var ttftScales: [Float]
  /// Multiplies each TPOT term; empty means 1.
  public var tpotScales: [Float]

  /// A group made of its parts.
  public init(
    kind: Kind, name: String, parent: Int32, engine: UInt16, sampleCount: UInt64,
    ttftScales: [Float], tpotScales: [Float]
  ) {
    self.kind = kind
    self.name = name
    self.parent = parent
    self.engine = engine
    self.sampleCount = sampleCount
    self.ttftScales = ttftScales
    self.tpotScales = tpotScales
  }
}

/// One feature, transformed.
public struct Factor: Sendable, Hashable {
  /// How a feature enters a term.
  public enum Transform: UInt8, Sendable, Hashable {
    /// x
    case identity = 0
    /// min(x, knot)
    case capped = 1
    /// max(0, x − knot)
    case hinge = 2
    /// 1 when x > knot, else 0
    case above = 3
  }
  /// The feature's number in the runtime's schema.
  public var feature: UInt16
  /// The transform.
  public var transform: Transform
  /// The transform's constant, in the feature's unit; 0 for identity.
  public var knot: Double

  /// `transform(feature)`.
  public init(feature: UInt16, transform: Transform = .identity, knot: Double = 0) {
    self.feature = feature
    self.transform = transform
    self.knot = knot
  }
}

/// A product of one or two transformed features.
public struct Term: Sendable, Hashable {
  /// The first factor.
  public var first: Factor
  /// The second factor, if the term is a product.
  public var second: Factor?
  /// Whether physics says that the term never lowers the latency.
  public var isNonNegative: Bool

  /// `first`, or `first · second`.
  public init(_ first: Factor, _ second: Factor? = nil, isNonNegative: Bool = false) {
    self.first = first
    self.second = second
    self.isNonNegative = isNonNegative
  }
}

/// The heads that predict one target from shared terms.
public struct TargetModel: Sendable, Hashable {
  /// The terms that all heads share.
  public var terms: [Term]
  /// The mean, then p50, p90, p95 and p99.
  public var heads: [Head]

  /// A target made of its parts.
  public init(terms: [Term], heads: [Head]) {
    self.terms = terms
    self.heads = heads
  }
}

/// One predicted number: the mean or a quantile level.
public struct Head: Sendable, Hashable {
  /// The quantile level, strictly between 0 and 1; `nan` for the mean.
  public var level: Double
  /// ms.
  public var intercept: Double
  /// ms per unit of each term.
  public var coefficients: [Double]
  /// The 95 % half-widths of the intercept and then of each coefficient.
  public var halfWidths: [Float]
  /// The split-conformal calibration: the prediction is multiplied by it; 1 is none.
  public var calibration: Double

  /// A head made of its parts.
  public init(
    level: Double, intercept: Double, coefficients: [Double], halfWidths: [Float],
    calibration: Double
  ) {
    self.level = level
    self.intercept = intercept
    self.coefficients = coefficients
    self.halfWidths = halfWidths
    self.calibration = calibration
  }
}

/// The live correction: how outcomes move predictions between two fits.
public struct CorrectionModel: Sendable, Hashable {
  /// The share of a new relative residual in an endpoint's factor, 0…1.
  public var gain: Double
  /// Factors stay within 1/bound … bound; at least 1.
  public var bound: Double
  /// The time in which a factor without outcomes halves its distance to 1, ms.
  public var halfLifeMilliseconds: Double
  /// The step of the adaptive conformal levels, 0…1.
  public var conformalStep: Double

  /// A correction made of its parts.
  public init(
    gain: Double, bound: Double, halfLifeMilliseconds: Double, conformalStep: Double
  ) {
    self.gain = gain
    self.bound = bound
    self.halfLifeMilliseconds = halfLifeMilliseconds
    self.conformalStep = conformalStep
  }
}

/// The range of one feature in training.
public struct FeatureSupport: Sendable, Hashable {
  /// The 0.1 % quantile.
  public var low: Float
  /// The 99.9 % quantile.
  public var high: Float

  /// `low…high`.
  public init(low: Float, high: Float) {
    self.low = low
    self.high = high
  }
}

/// One parameter of the routing policy.
public struct PolicyParameter: Sendable, Hashable {
  /// The parameter's number in the runtime's policy schema.
  public var identifier: UInt16
  /// Its value, in its own unit.
  public var value: Double

  /// The parameter `identifier` set to `value`.
  public init(identifier: UInt16, value: Double) {
    self.identifier = identifier
    self.value = value
  }
}

/// Where a model comes from and how well it did.
public struct Provenance: Sendable, Hashable {
  /// The digest of the rows it was fitted on.
  public var datasetFingerprint: UInt64
  /// Requests it was fitted on.
  public var sampleCount: UInt64
  /// The first and the last arrival it was fitted on, Unix ns.
  public var firstReceivedNanoseconds: Int64
  /// The last arrival it was fitted on, Unix ns.
  public var lastReceivedNanoseconds: Int64
  /// The version of the tool that fitted it.
  public var toolVersion: String
  /// The served model, as the log names it.
  public var servedModel: String
  /// The MAPE of TTFT on the validation block; `nan` when it had none.
  public var validationTTFTError: Double
  /// The MAPE of TPOT on the validation block; `nan` when it had none.
  public var validationTPOTError: Double

  /// A provenance made of its parts.
  public init(
    datasetFingerprint: UInt64 = 0, sampleCount: UInt64 = 0, firstReceivedNanoseconds: Int64 = 0,
    lastReceivedNanoseconds: Int64 = 0, toolVersion: String = "", servedModel: String = "",
    validationTTFTError: Double = .nan, validationTPOTError: Double = .nan
  ) {
    self.datasetFingerprint = datasetFingerprint
    self.sampleCount = sampleCount
    self.firstReceivedNanoseconds = firstReceivedNanoseconds
    self.lastReceivedNanoseconds = lastReceivedNanoseconds
    self.toolVersion = toolVersion
    self.servedModel = servedModel
    self.validationTTFTError = validationTTFTError
    self.validationTPOTError = validationTPOTError
  }
}
