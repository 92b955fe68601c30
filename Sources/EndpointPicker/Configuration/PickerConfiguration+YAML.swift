internal import RoutingRuntime

extension PickerConfiguration {
  /// The largest configuration file, bytes.
  public static let maximumBytes = 1 << 20

  /// Reads and checks a configuration file.
  ///
  /// - Throws: ``EndpointPickerError`` that names the field and the remedy.
  public static func load(path: String) throws(EndpointPickerError) -> PickerConfiguration {
    try parse(try SystemCall.read(path, limit: maximumBytes), name: path)
  }

  /// The configuration that YAML text says, checked; fields that it leaves out keep their defaults.
  ///
  /// - Throws: ``EndpointPickerError`` that names the field and the remedy.
  public static func parse(
    _ bytes: [UInt8], name: String = "configuration"
  ) throws(EndpointPickerError) -> PickerConfiguration {
    var configuration = PickerConfiguration()
    var top = try YAMLDocument.mapping(bytes, name: name)
    try top.read("gateway", into: &configuration.gateway)
    try top.read("pool", into: &configuration.pool)
    try top.read("logLevel", into: &configuration.logLevel)
    try configuration.data.read(try top.mapping("data"))
    try configuration.admin.read(try top.mapping("admin"))
    try configuration.model.read(try top.mapping("model"))
    try configuration.policy.read(try top.mapping("policy"))
    try configuration.endpoints.read(try top.mapping("endpoints"))
    try configuration.scrape.read(try top.mapping("scrape"))
    try configuration.outliers.read(try top.mapping("outliers"))
    try configuration.requestLog.read(try top.mapping("requestLog"))
    try configuration.limits.read(try top.mapping("limits"))
    try configuration.drain.read(try top.mapping("drain"))
    try top.finish()
    try configuration.validate()
    return configuration
  }
}

extension PickerConfiguration.DataPort {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("address", into: &address)
    try mapping.read("port", into: &port)
    try mapping.read("healthPort", into: &healthPort)
    try mapping.finish()
  }
}

extension PickerConfiguration.AdminPort {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("address", into: &address)
    try mapping.read("port", into: &port)
    try mapping.finish()
  }
}

extension PickerConfiguration.Model {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("path", into: &path)
    try mapping.read("publicKeyFile", into: &publicKeyFile)
    try mapping.read("rescanMilliseconds", into: &rescanMilliseconds)
    try mapping.finish()
  }
}

extension PickerConfiguration.Policy {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("name", into: &name)
    parameters = try mapping.numbers("parameters")
    try mapping.read("seed", into: &seed)
    try mapping.finish()
  }
}

extension PickerConfiguration.Endpoints {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("file", into: &file)
    try mapping.read("fileIntervalMilliseconds", into: &fileIntervalMilliseconds)
    try kubernetes.read(try mapping.mapping("kubernetes"))
    try mapping.finish()
  }
}

extension PickerConfiguration.Kubernetes {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("enabled", into: &isEnabled)
    try mapping.read("server", into: &server)
    try mapping.read("namespace", into: &namespace)
    try mapping.read("inferencePool", into: &inferencePool)
    try mapping.read("labelSelector", into: &labelSelector)
    try mapping.read("portName", into: &portName)
    try mapping.read("tokenFile", into: &tokenFile)
    try mapping.read("certificateFile", into: &certificateFile)
    try mapping.read("accelerator", into: &accelerator)
    try mapping.read("acceleratorLabel", into: &acceleratorLabel)
    try mapping.read("roleLabel", into: &roleLabel)
    try mapping.finish()
  }
}

extension PickerConfiguration.Scrape {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("enabled", into: &isEnabled)
    try mapping.read("intervalMilliseconds", into: &intervalMilliseconds)
    try mapping.read("timeoutMilliseconds", into: &timeoutMilliseconds)
    try mapping.read("staleMilliseconds", into: &staleMilliseconds)
    try mapping.read("failuresUntilUnavailable", into: &failuresUntilUnavailable)
    try mapping.read("retryMilliseconds", into: &retryMilliseconds)
    try mapping.read("path", into: &path)
    try mapping.read("filtered", into: &isFiltered)
    try mapping.finish()
  }
}

extension PickerConfiguration.Outliers {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("consecutiveFailures", into: &consecutiveFailures)
    try mapping.read("ejectionMilliseconds", into: &ejectionMilliseconds)
    try mapping.read("stallMilliseconds", into: &stallMilliseconds)
    try mapping.finish()
  }
}

extension PickerConfiguration.RequestLogging {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("folder", into: &folder)
    try mapping.read("maximumFileBytes", into: &maximumFileBytes)
    try mapping.read("maximumFileMilliseconds", into: &maximumFileMilliseconds)
    try mapping.read("compressed", into: &isCompressed)
    try mapping.read("queueCapacity", into: &queueCapacity)
    try mapping.read("chunkOffsets", into: &chunkOffsets)
    try mapping.read("maximumTotalBytes", into: &maximumTotalBytes)
    try mapping.finish()
  }
}

extension PickerConfiguration.Limits {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("maximumBodyBytes", into: &maximumBodyBytes)
    try mapping.read("requestLifetimeMilliseconds", into: &requestLifetimeMilliseconds)
    try mapping.read("requestCapacity", into: &requestCapacity)
    try mapping.read("prefixCapacity", into: &prefixCapacity)
    try mapping.finish()
  }
}

extension PickerConfiguration.Drain {
  fileprivate mutating func read(_ mapping: YAMLMapping) throws(EndpointPickerError) {
    var mapping = mapping
    try mapping.read("graceMilliseconds", into: &graceMilliseconds)
    try mapping.read("limitMilliseconds", into: &limitMilliseconds)
    try mapping.finish()
  }
}
