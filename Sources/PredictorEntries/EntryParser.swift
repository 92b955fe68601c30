/// Reads the bodies of llm-d's predictor API and checks them by its rules.
///
/// The rules: numbers where numbers belong, counts whole and not negative, `kv_cache_percentage`
/// and `prefix_cache_score` within 0…1, every required field there, 1 to
/// ``maximumRows`` rows in a question. Unknown fields are passed over. A row that breaks a rule
/// refuses the whole body, as the API does.
public struct EntryParser: Sendable {
  /// The most rows of a question.
  public static let maximumRows = 10_000
  /// The most rows of examples in one body.
  public static let maximumTrainingRows = 100_000
  /// The most violations that are told.
  public static let maximumViolations = 16

  private let purpose: PredictorEntry.Purpose

  /// A parser of questions or of examples.
  public init(_ purpose: PredictorEntry.Purpose) { self.purpose = purpose }

  /// Reads a body that is one row.
  ///
  /// - Throws: ``PredictorEntriesError/malformed(offset:reason:)`` or
  ///   ``PredictorEntriesError/invalid(_:)``.
  public func parseOne(_ bytes: Span<UInt8>) throws(PredictorEntriesError) -> PredictorEntry {
    var cursor = JSONCursor()
    var violations: [EntryViolation] = []
    let entry = try parseRow(&cursor, bytes, at: ["body"], &violations)
    try cursor.expectEnd(bytes)
    guard violations.isEmpty else { throw .invalid(violations) }
    return entry
  }

  /// Reads a body of many rows, `{"requests": […]}` or `{"entries": […]}`.
  ///
  /// - Throws: As ``parseOne(_:)``.
  /// - Complexity: O(bytes).
  public func parseMany(_ bytes: Span<UInt8>) throws(PredictorEntriesError) -> [PredictorEntry] {
    var cursor = JSONCursor()
    var violations: [EntryViolation] = []
    var entries: [PredictorEntry] = []
    var isThere = false
    let name = "\(purpose.arrayName)"
    guard cursor.peek(bytes) == UInt8(ascii: "{") else {
      try cursor.skipValue(bytes)
      try cursor.expectEnd(bytes)
      throw .invalid([
        EntryViolation(
          location: ["body"], kind: "model_attributes_type",
          message: "Input should be an object")
      ])
    }
    try cursor.forEachMember(bytes) { (cursor, key) throws(PredictorEntriesError) in
      guard JSONCursor.matches(bytes, key, purpose.arrayName) else {
        return try cursor.skipValue(bytes)
      }
      isThere = true
      entries.removeAll(keepingCapacity: true)
      guard cursor.peek(bytes) == UInt8(ascii: "[") else {
        violations.append(
          EntryViolation(
            location: ["body", name], kind: "list_type", message: "Input should be a list"))
        return try cursor.skipValue(bytes)
      }
      var row = 0
      try cursor.forEachElement(bytes) { (cursor) throws(PredictorEntriesError) in
        let location = violations.count < Self.maximumViolations ? ["body", name, "\(row)"] : []
        let entry = try parseRow(&cursor, bytes, at: location, &violations)
        if row < Self.maximumTrainingRows { entries.append(entry) }
        row += 1
      }
      checkCount(row, ["body", name], &violations)
    }
    try cursor.expectEnd(bytes)
    if !isThere {
      violations.append(
        EntryViolation(location: ["body", name], kind: "missing", message: "Field required"))
    }
    guard violations.isEmpty else { throw .invalid(violations) }
    return entries
  }

  private func checkCount(
    _ count: Int, _ location: [String], _ violations: inout [EntryViolation]
  ) {
    let limit = purpose == .prediction ? Self.maximumRows : Self.maximumTrainingRows
    if count > limit {
      add("too_long", "List should have at most \(limit) items", location, &violations)
    }
    if count == 0, purpose == .prediction {
      add("too_short", "List should have at least 1 item", location, &violations)
    }
  }

  // MARK: - One row

  private func parseRow(
    _ cursor: inout JSONCursor, _ bytes: Span<UInt8>, at location: [String],
    _ violations: inout [EntryViolation]
  ) throws(PredictorEntriesError) -> PredictorEntry {
    var entry = PredictorEntry()
    guard cursor.peek(bytes) == UInt8(ascii: "{") else {
      add("model_attributes_type", "Input should be an object", location, &violations)
      try cursor.skipValue(bytes)
      return entry
    }
    try cursor.forEachMember(bytes) { (cursor, key) throws(PredictorEntriesError) in
      if JSONCursor.matches(bytes, key, "pod_type") {
        return try parsePodType(&cursor, bytes, location, &entry, &violations)
      }
      for field in PredictorEntry.Field.allCases
      where JSONCursor.matches(bytes, key, field.wireName) {
        return try parseNumber(field, &cursor, bytes, location, &entry, &violations)
      }
      try cursor.skipValue(bytes)
    }
    for field in purpose.required where !entry.has(field) {
      let isTold = violations.contains { $0.location == location + [field.name] }
      if !isTold { add("missing", "Field required", location + [field.name], &violations) }
    }
    return entry
  }

  private func parseNumber(
    _ field: PredictorEntry.Field, _ cursor: inout JSONCursor, _ bytes: Span<UInt8>,
    _ location: [String], _ entry: inout PredictorEntry, _ violations: inout [EntryViolation]
  ) throws(PredictorEntriesError) {
    let first = cursor.peek(bytes)
    guard first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else {
      add(
        field.isInteger ? "int_type" : "float_type", "Input should be a valid number",
        location + [field.name], &violations)
      return try cursor.skipValue(bytes)
    }
    let value = try cursor.number(bytes)
    if !(value >= 0) {
      add(
        "greater_than_equal", "Input should be greater than or equal to 0",
        location + [field.name], &violations)
    } else if value > field.maximum {
      add(
        "less_than_equal", "Input should be less than or equal to \(Int64(field.maximum))",
        location + [field.name], &violations)
    } else if field.isInteger, value.rounded() != value {
      add(
        "int_from_float", "Input should be a valid integer", location + [field.name], &violations)
    } else {
      entry[field] = value
    }
  }

  private func parsePodType(
    _ cursor: inout JSONCursor, _ bytes: Span<UInt8>, _ location: [String],
    _ entry: inout PredictorEntry, _ violations: inout [EntryViolation]
  ) throws(PredictorEntriesError) {
    if cursor.take("null", bytes) { return }
    guard cursor.peek(bytes) == UInt8(ascii: "\"") else {
      add("string_type", "Input should be a valid string", location + ["pod_type"], &violations)
      return try cursor.skipValue(bytes)
    }
    let text = try cursor.string(bytes)
    if JSONCursor.matches(bytes, text, "prefill") {
      entry.podType = "prefill"
    } else if JSONCursor.matches(bytes, text, "decode") {
      entry.podType = "decode"
    } else {
      // Other roles are served by the pool's own coefficients.
      entry.podType = ""
    }
  }

  private func add(
    _ kind: String, _ message: String, _ location: [String], _ violations: inout [EntryViolation]
  ) {
    guard violations.count < Self.maximumViolations else { return }
    violations.append(EntryViolation(location: location, kind: kind, message: message))
  }
}
