/// Where a value stands in a JSON record: `usage.prompt_tokens`, `choices[0].id`,
/// `attributes[gen_ai.request.id]`.
///
/// A step is a member name; `[3]` is an element; `[some.name]` is a member whose name has dots, or,
/// in an array, the value of the OTLP attribute of that key. In OTLP a path that starts with
/// `resource.` or `scope.` starts at the span's resource or scope.
struct JSONPath: Sendable, Hashable {
  /// Where the path starts.
  enum Origin: Sendable, Hashable { case record, resource, scope }

  enum Step: Sendable, Hashable {
    case member([UInt8])
    case element(Int)
    case attribute([UInt8])
  }

  let origin: Origin
  let steps: [Step]
  let text: String

  /// `nil` when `text` is no path.
  init?(_ text: String, isOTLP: Bool = false) {
    self.text = text
    var steps: [Step] = []
    var rest = Substring(text)
    while let first = rest.first {
      if first == "[" {
        guard let end = rest.firstIndex(of: "]") else { return nil }
        let inner = rest[rest.index(after: rest.startIndex)..<end]
        guard !inner.isEmpty else { return nil }
        steps.append(Int(inner).map { .element($0) } ?? .attribute(Array(inner.utf8)))
        rest = rest[rest.index(after: end)...]
      } else {
        if first == "." {
          guard !steps.isEmpty else { return nil }
          rest = rest.dropFirst()
        }
        let name = rest.prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else { return nil }
        steps.append(.member(Array(name.utf8)))
        rest = rest.dropFirst(name.count)
      }
    }
    guard let start = steps.first else { return nil }
    switch start {
    case .member(let name) where isOTLP && name == Array("resource".utf8):
      origin = .resource
      self.steps = Array(steps.dropFirst())
    case .member(let name) where isOTLP && name == Array("scope".utf8):
      origin = .scope
      self.steps = Array(steps.dropFirst())
    default:
      origin = .record
      self.steps = steps
    }
  }
}

extension JSONDocument {
  /// The value that `path` leads to from `start`; `nil` when there is none.
  func resolve(_ path: JSONPath, from start: Int) -> Int? {
    var place = start
    for step in path.steps {
      let next: Int?
      switch step {
      case .member(let name): next = member(place, name)
      case .element(let index): next = element(place, index)
      case .attribute(let name):
        next = kind(place) == .array ? attribute(place, name) : member(place, name)
      }
      guard let next else { return nil }
      place = next
    }
    return place
  }

  func member(_ place: Int, _ name: [UInt8]) -> Int? {
    guard kind(place) == .object else { return nil }
    return firstChild(place) { isNamed($0, name) }
  }

  private func element(_ place: Int, _ index: Int) -> Int? {
    guard kind(place) == .array else { return nil }
    var left = index
    return firstChild(place) { _ in
      defer { left -= 1 }
      return left == 0
    }
  }

  private func attribute(_ place: Int, _ name: [UInt8]) -> Int? {
    let entry = firstChild(place) { child in
      guard let key = member(child, Self.keyName), kind(key) == .string else { return false }
      return text(key) == name
    }
    return entry.flatMap { member($0, Self.valueName) }
  }

  /// The value at `index`, taken out of OTLP's `{"intValue": "7"}` where it is so wrapped.
  func unwrappedValue(_ index: Int) -> FieldValue {
    guard kind(index) == .object else { return value(index) }
    let wrapped = firstChild(index) { child in
      Self.wrappers.contains { isNamed(child, $0) }
    }
    return wrapped.map { value($0) } ?? .object
  }

  private static let keyName = Array("key".utf8)
  private static let valueName = Array("value".utf8)
  private static let wrappers = ["stringValue", "intValue", "doubleValue", "boolValue"]
    .map { Array($0.utf8) }
}
