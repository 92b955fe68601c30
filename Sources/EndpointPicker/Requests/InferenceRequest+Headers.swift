extension InferenceRequest {
  /// Takes what a request header says, if it says anything of interest.
  ///
  /// - Parameters:
  ///   - name: In lower case.
  ///   - value: Whatever the client sent; what cannot be read is ignored.
  public mutating func readHeader(_ name: String, _ value: String) {
    switch name {
    case "x-request-id": requestIdentifier = String(value.prefix(256))
    case "traceparent": traceParent = String(value.prefix(128))
    case "x-slo-ttft-ms", "x-llm-d-slo-ttft-ms":
      ttftObjectiveMilliseconds = Self.milliseconds(value) ?? ttftObjectiveMilliseconds
    case "x-slo-tpot-ms", "x-llm-d-slo-tpot-ms":
      tpotObjectiveMilliseconds = Self.milliseconds(value) ?? tpotObjectiveMilliseconds
    case "x-llm-d-inference-objective", "x-gateway-inference-objective":
      objective = String(value.prefix(256))
    case "x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id":
      fairnessIdentifier = String(value.prefix(256))
    case "x-glidepath-priority":
      if let priority = Int32(value) { self.priority = Int(priority) }
    default: break
    }
  }

  /// A duration above 0 and below a day, ms.
  private static func milliseconds(_ value: String) -> Double? {
    guard let number = Double(value), number > 0, number < 86_400_000 else { return nil }
    return number
  }
}
