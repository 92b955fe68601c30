internal import RoutingRuntime

extension PickerConfiguration {
  private static let logLevels = [
    "trace", "debug", "info", "notice", "warning", "error", "critical",
  ]

  /// Checks every field.
  ///
  /// - Throws: ``EndpointPickerError/badField(_:problem:remedy:)`` for the first that is wrong.
  public func validate() throws(EndpointPickerError) {
    guard Self.logLevels.contains(logLevel) else {
      throw .badField(
        "logLevel", problem: "`\(logLevel)` is no level",
        remedy: "use one of \(Self.logLevels.joined(separator: ", "))")
    }
    try Self.check(data.port, in: 0...65_535, "data.port")
    try Self.check(data.healthPort, in: 0...65_535, "data.healthPort")
    try Self.check(admin.port, in: 0...65_535, "admin.port")
    try checkPorts()
    try Self.check(model.rescanMilliseconds, in: 10...600_000, "model.rescanMilliseconds")
    _ = try policy.routingPolicy()
    try Self.check(policy.seed, in: 0...Int.max, "policy.seed")
    try checkEndpoints()
    try checkScrape()
    try checkRequestLog()
    try Self.check(outliers.consecutiveFailures, in: 0...10_000, "outliers.consecutiveFailures")
    try Self.check(
      outliers.ejectionMilliseconds, in: 1...3_600_000, "outliers.ejectionMilliseconds")
    try Self.check(outliers.stallMilliseconds, in: 0...3_600_000, "outliers.stallMilliseconds")
    try Self.check(limits.maximumBodyBytes, in: 1...(1 << 30), "limits.maximumBodyBytes")
    try Self.check(
      limits.requestLifetimeMilliseconds, in: 1_000...604_800_000,
      "limits.requestLifetimeMilliseconds")
    try Self.check(limits.requestCapacity, in: 1...1_000_000, "limits.requestCapacity")
    try Self.check(limits.prefixCapacity, in: 1...4_000_000, "limits.prefixCapacity")
    try Self.check(drain.graceMilliseconds, in: 0...3_600_000, "drain.graceMilliseconds")
    try Self.check(drain.limitMilliseconds, in: 0...86_400_000, "drain.limitMilliseconds")
    guard drain.limitMilliseconds >= drain.graceMilliseconds else {
      throw .badField(
        "drain.limitMilliseconds", problem: "is below drain.graceMilliseconds",
        remedy: "use at least \(drain.graceMilliseconds)")
    }
  }

  private func checkPorts() throws(EndpointPickerError) {
    guard !data.address.isEmpty else {
      throw .badField("data.address", problem: "is empty", remedy: "use 0.0.0.0 for all")
    }
    guard !admin.address.isEmpty else {
      throw .badField("admin.address", problem: "is empty", remedy: "use 127.0.0.1")
    }
    let ports = [data.port, data.healthPort, admin.port].filter { $0 != 0 }
    guard Set(ports).count == ports.count else {
      throw .badField(
        "admin.port", problem: "a port is used twice",
        remedy: "give data.port, data.healthPort and admin.port different numbers")
    }
  }

  private func checkEndpoints() throws(EndpointPickerError) {
    let cluster = endpoints.kubernetes
    guard !endpoints.file.isEmpty || cluster.isEnabled else {
      throw .badField(
        "endpoints", problem: "nothing says where the endpoints are",
        remedy: "set endpoints.file, or endpoints.kubernetes.enabled: true")
    }
    try Self.check(
      endpoints.fileIntervalMilliseconds, in: 10...600_000, "endpoints.fileIntervalMilliseconds")
    guard cluster.isEnabled else { return }
    guard cluster.inferencePool.isEmpty != cluster.labelSelector.isEmpty else {
      throw .badField(
        "endpoints.kubernetes.labelSelector",
        problem: "exactly one of labelSelector and inferencePool is needed",
        remedy: "set one, such as labelSelector: kubernetes.io/service-name=vllm")
    }
    guard cluster.server.hasPrefix("https://") || cluster.server.hasPrefix("http://") else {
      throw .badField(
        "endpoints.kubernetes.server", problem: "`\(cluster.server)` is no URL",
        remedy: "write https://host:port")
    }
    for (name, value) in [
      ("namespace", cluster.namespace), ("inferencePool", cluster.inferencePool),
    ] where !value.utf8.allSatisfy(Self.isNameByte) {
      throw .badField(
        "endpoints.kubernetes.\(name)", problem: "`\(value)` is no Kubernetes name",
        remedy: "use lower-case letters, digits, dots and dashes")
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private func checkScrape() throws(EndpointPickerError) {
    try Self.check(scrape.intervalMilliseconds, in: 10...60_000, "scrape.intervalMilliseconds")
    try Self.check(scrape.timeoutMilliseconds, in: 10...60_000, "scrape.timeoutMilliseconds")
    try Self.check(scrape.staleMilliseconds, in: 10...600_000, "scrape.staleMilliseconds")
    try Self.check(
      scrape.failuresUntilUnavailable, in: 0...1_000, "scrape.failuresUntilUnavailable")
    try Self.check(scrape.retryMilliseconds, in: 10...600_000, "scrape.retryMilliseconds")
    guard scrape.path.hasPrefix("/"), scrape.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .badField(
        "scrape.path", problem: "`\(scrape.path)` is no path", remedy: "use /metrics")
    }
    guard scrape.staleMilliseconds > scrape.intervalMilliseconds else {
      throw .badField(
        "scrape.staleMilliseconds", problem: "is not above scrape.intervalMilliseconds",
        remedy: "use several intervals")
    }
  }

  private func checkRequestLog() throws(EndpointPickerError) {
    try Self.check(
      requestLog.maximumFileBytes, in: 4_096...(1 << 40), "requestLog.maximumFileBytes")
    try Self.check(
      requestLog.maximumFileMilliseconds, in: 100...604_800_000,
      "requestLog.maximumFileMilliseconds")
    try Self.check(requestLog.queueCapacity, in: 1...10_000_000, "requestLog.queueCapacity")
    try Self.check(requestLog.chunkOffsets, in: 0...100_000, "requestLog.chunkOffsets")
    try Self.check(
      requestLog.maximumTotalBytes, in: 0...Int.max, "requestLog.maximumTotalBytes")
  }

  private static func check(
    _ value: Int, in range: ClosedRange<Int>, _ field: String
  ) throws(EndpointPickerError) {
    guard range.contains(value) else {
      throw .badField(
        field, problem: "\(value) is out of range",
        remedy: "use \(range.lowerBound) to \(range.upperBound)")
    }
  }
}
