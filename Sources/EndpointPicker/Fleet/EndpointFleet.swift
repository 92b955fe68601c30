internal import Logging
internal import Synchronization

/// The endpoints of all sources together, handed to the picker and the scraper when they change.
final class EndpointFleet: Sendable {
  private let picker: LivePicker
  private let scraper: MetricsScraper
  private let logger: Logger
  private let lists = Mutex<[String: [EndpointDescription]]>([:])

  init(picker: LivePicker, scraper: MetricsScraper, logger: Logger) {
    self.picker = picker
    self.scraper = scraper
    self.logger = logger
  }

  /// Takes over what `source` lists now.
  func update(_ endpoints: [EndpointDescription], from source: String) {
    // Applied under the lock, so that two sources never overwrite each other's change.
    lists.withLock { lists in
      lists[source] = endpoints
      let merged = Self.merged(lists)
      picker.setEndpoints(merged)
      scraper.setEndpoints(merged)
    }
    logger.info(
      "endpoints changed", metadata: ["source": "\(source)", "count": "\(endpoints.count)"])
  }

  /// All lists in one, each address and name once; the first source by name wins.
  static func merged(_ lists: [String: [EndpointDescription]]) -> [EndpointDescription] {
    var (names, addresses) = (Set<String>(), Set<String>())
    var merged: [EndpointDescription] = []
    for source in lists.keys.sorted() {
      for endpoint in lists[source] ?? [] where !addresses.contains(endpoint.address) {
        guard names.insert(endpoint.name).inserted else { continue }
        addresses.insert(endpoint.address)
        merged.append(endpoint)
      }
    }
    return merged
  }
}

/// What a source of endpoints did so far.
struct SourceStatus: Sendable, Hashable {
  var updates: UInt64 = 0
  var refusals: UInt64 = 0
  /// Why the newest list was not taken over; `nil` when it was.
  var lastRefusal: String?
}

/// Follows the endpoint file.
final class EndpointFileSource: Sendable {
  private let path: String
  private let fleet: EndpointFleet
  private let logger: Logger
  private let state = Mutex<(seen: FileState?, status: SourceStatus)>((nil, SourceStatus()))

  init(path: String, fleet: EndpointFleet, logger: Logger) {
    self.path = path
    self.fleet = fleet
    self.logger = logger
  }

  var status: SourceStatus { state.withLock { $0.status } }

  /// Reads the file if it changed since the last look; a bad one leaves the endpoints as they are.
  func refresh() {
    state.withLock { state in
      let identity = SystemCall.identity(path)
      guard identity != state.seen || identity == nil else { return }
      do throws(EndpointPickerError) {
        let bytes = try SystemCall.read(path, limit: EndpointFile.maximumBytes)
        let endpoints = try EndpointFile.parse(bytes, name: path)
        // If it changed while it was read, the next look reads it again.
        state.seen = identity
        state.status.updates += 1
        state.status.lastRefusal = nil
        fleet.update(endpoints, from: "file")
      } catch {
        state.seen = identity
        let reason = "\(error)"
        guard reason != state.status.lastRefusal else { return }
        state.status.refusals += 1
        state.status.lastRefusal = reason
        logger.error("the endpoint file was refused", metadata: ["reason": "\(reason)"])
      }
    }
  }

  /// Looks at the file until the task is cancelled.
  func follow(everyMilliseconds interval: Int) async {
    while !Task.isCancelled {
      refresh()
      try? await Task.sleep(for: .milliseconds(interval))
    }
  }
}
