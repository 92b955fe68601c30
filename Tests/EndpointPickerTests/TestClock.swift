import EndpointPicker
import Foundation
import Synchronization

/// A clock that tests move.
final class TestClock: Sendable {
  static let start: Int64 = 1_790_000_000_000_000_000
  private let now = Mutex(1_000.0)

  func advance(_ milliseconds: Double) { now.withLock { $0 += milliseconds } }

  var unixNanoseconds: Int64 {
    Self.start + Int64((now.withLock { $0 } - 1_000) * 1e6)
  }

  var clock: PickerClock {
    PickerClock(
      milliseconds: { self.now.withLock { $0 } }, unixNanoseconds: { self.unixNanoseconds })
  }
}

/// A sink that keeps what it gets.
final class CollectedRecords: RequestRecordSink {
  private let kept = Mutex<[RequestRecord]>([])
  func append(_ record: RequestRecord) { kept.withLock { $0.append(record) } }
  var all: [RequestRecord] { kept.withLock { $0 } }
}

extension PickerService {
  /// Picks for `request`; fails the test's expectations by returning `nil` where there is none.
  func picked(
    _ request: InferenceRequest = InferenceRequest(), subset: [String]? = nil,
    receivedUnixNanoseconds: Int64 = TestClock.start
  ) -> PickedEndpoint? {
    guard
      case .endpoint(let picked) = pick(
        request, subset: subset, receivedUnixNanoseconds: receivedUnixNanoseconds)
    else { return nil }
    return picked
  }
}

extension RequestOutcome {
  static let good = RequestOutcome(status: 200, end: .complete, outputTokens: 11)
  static let bad = RequestOutcome(status: 502, end: .complete)
}

extension EndpointDescription {
  /// The endpoint `e`*number* at port 8000 + *number*.
  static func numbered(_ number: Int) -> EndpointDescription {
    EndpointDescription(name: "e\(number)", address: "127.0.0.1:\(8_000 + number)")
  }
}

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
  let path = NSTemporaryDirectory() + "endpoint-picker-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name), options: .atomic)
  }
}

/// Waits until `condition` holds; gives up, and says so, after `limit`.
func eventually(
  within limit: Duration = .seconds(10), _ condition: () async -> Bool
) async -> Bool {
  let end = ContinuousClock.now + limit
  while ContinuousClock.now < end {
    if await condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return await condition()
}

/// Something that one task tells others once.
final class Flag: Sendable {
  private let raised = Atomic(false)
  func raise() { raised.store(true, ordering: .relaxed) }
  var isRaised: Bool { raised.load(ordering: .relaxed) }
}
