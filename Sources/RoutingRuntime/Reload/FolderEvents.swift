internal import Glibc

/// Changes in folders, as the kernel reports them.
struct FolderEvents: ~Copyable {
  /// What happened to an entry of a watched folder.
  struct Event {
    var name: String
    /// Bytes were written, and more may come.
    var isBeingWritten = false
    /// The entry is whole: written and closed, or moved here.
    var isComplete = false
    /// The entry is new; a link is complete by that, a file is not.
    var isNew = false
    /// The kernel dropped events, or a watched folder went.
    var isUncertain = false
  }

  private let descriptor: Int32
  /// Ends a wait from another thread.
  private let wakeup: Int32
  private var watches: [String: Int32] = [:]
  private var buffer = [UInt8](repeating: 0, count: 16_384)

  /// `nil` when the kernel has no inotify instance left; then only rescans see changes.
  init?(wakeup: Int32) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    self.wakeup = wakeup
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  private static let mask = UInt32(
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF
      | IN_ONLYDIR)

  /// Watches exactly `folders`; those that do not exist are tried again at the next call.
  ///
  /// - Returns: Whether some folder was not watched before.
  mutating func watch(_ folders: [String]) -> Bool {
    for (folder, watch) in watches where !folders.contains(folder) {
      inotify_rm_watch(descriptor, watch)
      watches[folder] = nil
    }
    var isNew = false
    for folder in folders {
      // Adding a folder that is watched already returns the same number; a replaced one a new one.
      let watch = unsafe inotify_add_watch(descriptor, folder, Self.mask)
      if watch >= 0, watches[folder] != watch { isNew = true }
      watches[folder] = watch >= 0 ? watch : nil
    }
    return isNew
  }

  /// Waits up to `milliseconds` for a change or a wake-up and returns what was seen.
  mutating func wait(milliseconds: Int32) -> [Event] {
    var descriptors = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
    ]
    guard unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 else { return [] }
    var events: [Event] = []
    while true {
      let count = unsafe read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return events }
      parse(count, into: &events)
    }
  }

  /// Each record: watch, mask, cookie, length (32 bits each), then the name, padded with zeros.
  private func parse(_ count: Int, into events: inout [Event]) {
    var offset = 0
    while offset + 16 <= count {
      let mask = word(at: offset + 4)
      let length = Int(word(at: offset + 12))
      let end = min(offset + 16 + length, count)
      let name = String(decoding: buffer[(offset + 16)..<end].prefix { $0 != 0 }, as: UTF8.self)
      var event = Event(name: name)
      event.isBeingWritten = mask & UInt32(IN_MODIFY) != 0
      event.isComplete = mask & UInt32(IN_CLOSE_WRITE | IN_MOVED_TO) != 0
      event.isNew = mask & UInt32(IN_CREATE) != 0
      event.isUncertain =
        mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_Q_OVERFLOW | IN_IGNORED) != 0
      events.append(event)
      offset = end
    }
  }

  private func word(at offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(buffer[offset + $1]) << (8 * UInt32($1)) }
  }
}
