public import RoutingRuntime

extension RoutingPolicy {
  /// The policies by the names that configurations and logs use.
  public static let names = [
    "predictedCost", "latencyScorer", "affinity", "weightedScorers", "loadProduct",
    "leastRequest", "powerOfTwo", "roundRobin", "random",
  ]

  /// This policy's name.
  public var name: String {
    switch self {
    case .predictedCost: "predictedCost"
    case .latencyScorer: "latencyScorer"
    case .affinity: "affinity"
    case .weightedScorers: "weightedScorers"
    case .loadProduct: "loadProduct"
    case .leastRequest: "leastRequest"
    case .powerOfTwo: "powerOfTwo"
    case .roundRobin: "roundRobin"
    case .random: "random"
    }
  }
}

extension PickerConfiguration.Policy {
  /// The policy that is to be used whatever the model says; `nil` for the model's.
  ///
  /// - Throws: ``EndpointPickerError/badField(_:problem:remedy:)`` for a name or number out of place.
  public func routingPolicy() throws(EndpointPickerError) -> RoutingPolicy? {
    switch name {
    case "model":
      if let first = parameters.keys.min() {
        throw .badField(
          "policy.parameters.\(first)", problem: "the model's policy brings its own",
          remedy: "set policy.name: predictedCost to use other parameters")
      }
      return nil
    case "predictedCost": return .predictedCost(try predictedCost())
    case "weightedScorers": return .weightedScorers(try set(ScorerWeights(), Self.scorerFields))
    case "affinity": return .affinity(try set(AffinityParameters(), Self.affinityFields))
    case "latencyScorer":
      var fields = parameters
      let packs = fields.removeValue(forKey: "prefersLeastHeadroom")
      var rest = self
      rest.parameters = fields
      var scorer = try rest.set(LatencyScorerParameters(), Self.latencyFields)
      if let packs { scorer.prefersLeastHeadroom = packs != 0 }
      return .latencyScorer(scorer)
    default: return try plain()
    }
  }

  private func plain() throws(EndpointPickerError) -> RoutingPolicy {
    let policies: [RoutingPolicy] = [
      .loadProduct, .leastRequest, .powerOfTwo, .roundRobin, .random,
    ]
    guard let policy = policies.first(where: { $0.name == name }) else {
      throw .badField(
        "policy.name", problem: "`\(name)` is no policy",
        remedy: "use model, \(RoutingPolicy.names.joined(separator: ", "))")
    }
    if let first = parameters.keys.min() {
      throw .badField(
        "policy.parameters.\(first)", problem: "\(name) has no parameters", remedy: "leave it out")
    }
    return policy
  }

  private func predictedCost() throws(EndpointPickerError) -> PredictedCostParameters {
    let schema = PredictedCostParameters.schema
    var values = PredictedCostParameters().values
    for (key, value) in parameters.sorted(by: { $0.key < $1.key }) {
      guard let index = schema.firstIndex(where: { $0.name == key }) else {
        throw unknown(key, known: schema.map(\.name))
      }
      guard schema[index].range.contains(value) else {
        throw .badField(
          "policy.parameters.\(key)", problem: "\(value) is out of range",
          remedy: "use \(schema[index].range.lowerBound) to \(schema[index].range.upperBound)")
      }
      values[index] = value
    }
    return PredictedCostParameters(values: values)
  }

  private func unknown(_ key: String, known: [String]) -> EndpointPickerError {
    .badField(
      "policy.parameters.\(key)", problem: "\(name) has no such parameter",
      remedy: "use \(known.joined(separator: ", "))")
  }

  private func set<Parameters>(
    _ defaults: Parameters, _ fields: [String: WritableKeyPath<Parameters, Double>]
  ) throws(EndpointPickerError) -> Parameters {
    var result = defaults
    for (key, value) in parameters.sorted(by: { $0.key < $1.key }) {
      guard let field = fields[key] else { throw unknown(key, known: fields.keys.sorted()) }
      guard value >= 0 else {
        throw .badField(
          "policy.parameters.\(key)", problem: "\(value) is below 0", remedy: "use 0 or more")
      }
      result[keyPath: field] = value
    }
    return result
  }

  private static var scorerFields: [String: WritableKeyPath<ScorerWeights, Double>] {
    [
      "queue": \.queue, "kvCache": \.kvCache, "prefix": \.prefix, "loadAware": \.loadAware,
      "tokenLoad": \.tokenLoad, "activeRequests": \.activeRequests,
      "tokenLoadThreshold": \.tokenLoadThreshold,
    ]
  }
  private static var affinityFields: [String: WritableKeyPath<AffinityParameters, Double>] {
    [
      "affinityThreshold": \.affinityThreshold,
      "explorationProbability": \.explorationProbability,
      "maximumTTFTPenaltyMilliseconds": \.maximumTTFTPenaltyMilliseconds,
      "peakPrefillThroughput": \.peakPrefillThroughput,
    ]
  }
  private static var latencyFields: [String: WritableKeyPath<LatencyScorerParameters, Double>] {
    [
      "ttftWeight": \.ttftWeight, "tpotWeight": \.tpotWeight,
      "negativeExploration": \.negativeExploration,
      "strictAffinityThreshold": \.strictAffinityThreshold,
      "affinityThreshold": \.affinityThreshold,
      "maximumTTFTPenaltyMilliseconds": \.maximumTTFTPenaltyMilliseconds,
    ]
  }
}
