internal import CoefficientFile
public import FleetSimulation
internal import RoutingRuntime

/// Why a simulated endpoint cannot serve.
public enum SimulatedEndpointError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The address cannot be listened on.
  case cannotListen(host: String, port: Int, reason: String)
  /// A configured value is out of its range.
  case outOfRange(name: String, value: Double)

  /// What happened.
  public var description: String {
    switch self {
    case .cannotListen(let host, let port, let reason):
      "cannot listen on \(host):\(port): \(reason)"
    case .outOfRange(let name, let value): "\(name) is out of range: \(value)"
    }
  }
}

/// What a simulated endpoint is and where it listens.
public struct EndpointConfiguration: Sendable, Hashable {
  /// The address to listen on.
  public var host = "127.0.0.1"
  /// The port; 0 for any free one.
  public var port = 0
  /// The model that it says it serves.
  public var model = "simulated"
  /// The engine behind it; every token is emitted, whatever this says.
  public var engine: SimulatedEngine.Configuration
  /// Simulated time per real time, above 0; 10 answers in a tenth of the time.
  public var acceleration = 1.0
  /// Tokens of an answer whose request does not say.
  public var defaultAnswerTokens = 64
  /// The largest request body, bytes.
  public var maximumBodyBytes = 32 << 20
  /// Whether `POST /fault` is answered.
  public var takesFaults = true
  /// Seeds the engine's noise.
  public var seed: UInt64 = 1

  /// An endpoint before `engine`, on any free loopback port.
  public init(engine: SimulatedEngine.Configuration) { self.engine = engine }

  /// Bytes that count as one token.
  static let bytesPerToken = 4

  func validate() throws(SimulatedEndpointError) {
    guard (0...65_535).contains(port) else { throw .outOfRange(name: "port", value: Double(port)) }
    guard acceleration > 0, acceleration.isFinite else {
      throw .outOfRange(name: "acceleration", value: acceleration)
    }
    guard defaultAnswerTokens > 0 else {
      throw .outOfRange(name: "defaultAnswerTokens", value: Double(defaultAnswerTokens))
    }
  }
}

extension SimulatedEngine.Configuration {
  /// An engine about as quick as an 8-billion-parameter model on one accelerator of its day.
  ///
  /// A step takes 7.5 ms and a little more for each request and token in it; a thousand prompt
  /// tokens take 90 ms.
  ///
  /// - Parameter speed: Divides every step's length; above 0.
  public static func typical(speed: Double = 1, kvBlocks: Int = 16_384) -> Self {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 7.5 / speed
    coefficients[1] = 0.06 / speed
    coefficients[2] = 4e-5 / speed
    coefficients[3] = 0.09 / speed
    coefficients[4] = 0.02 / speed
    coefficients[5] = 1.5 / speed
    return SimulatedEngine.Configuration(
      engine: EngineModel(
        stepCoefficients: coefficients,
        stepHalfWidths: [Float](repeating: 0, count: coefficients.count), tokenBudget: 2_048,
        maximumSequences: 64, uplinkMilliseconds: 0, downlinkMilliseconds: 0),
      kvBlocks: kvBlocks, stepNoise: 0.03, requestOverheadMilliseconds: 2, overheadNoise: 0.2,
      emitsEveryToken: true)
  }
}
