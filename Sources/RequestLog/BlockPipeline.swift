import Foundation

/// Parses the blocks of one input on several threads and hands them out in order.
///
/// The calling thread is one of the parsers: it takes the next block in order when that is ready and
/// parses one itself when not. At most `window` blocks are in flight, which bounds the memory.
///
/// `@unchecked Sendable`: `source` is used only under `sourceLock`, all other variables only under
/// `condition`.
final class BlockPipeline: @unchecked Sendable {
  private let source: LineSource
  private let sourceLock = NSLock()
  private let condition = NSCondition()
  private let format: RecordFormat
  private let configuration: LogReader.Configuration
  private let window: Int
  /// A block that a thread has read and will parse.
  private struct Claim {
    var sequence: Int
    var packedPosition: Int64
  }

  private var ready: [Int: ParsedBlock] = [:]
  private var spare: [ParsedBlock] = []
  private var claimed = 0
  private var delivered = 0
  private var end: Int?
  private var failure: RequestLogError?
  private var isStopped = false
  private var running = 0
  private var ownParser: BlockParser
  private let ownBlock = ByteBlock(capacity: 1 << 16)

  init(_ source: LineSource, format: RecordFormat, configuration: LogReader.Configuration) {
    self.source = source
    self.format = format
    self.configuration = configuration
    window = 3 * configuration.threads + 1
    ownParser = Self.parser(0, format, configuration)
    for worker in 1..<max(configuration.threads, 1) { start(worker) }
  }

  private static func parser(
    _ worker: Int, _ format: RecordFormat, _ configuration: LogReader.Configuration
  ) -> BlockParser {
    BlockParser(
      worker: worker, format: format, limits: configuration.limits,
      usesFastPath: configuration.usesFastPath)
  }

  private func start(_ worker: Int) {
    condition.withLock { running += 1 }
    let format = format
    let configuration = configuration
    Thread.detachNewThread { [self] in
      var parser = Self.parser(worker, format, configuration)
      let block = ByteBlock(capacity: 1 << 16)
      while let claim = claim(into: block, waits: true) {
        parse(block, claim, &parser)
      }
      condition.withLock {
        running -= 1
        condition.broadcast()
      }
    }
  }

  /// The next block in order; `nil` behind the last.
  func next() throws(RequestLogError) -> ParsedBlock? {
    while true {
      condition.lock()
      if let block = ready.removeValue(forKey: delivered) {
        delivered += 1
        condition.broadcast()
        condition.unlock()
        return block
      }
      if let end, delivered == end {
        let failure = failure
        condition.unlock()
        if let failure { throw failure }
        return nil
      }
      condition.unlock()
      if let claim = claim(into: ownBlock, waits: false) {
        parse(ownBlock, claim, &ownParser)
        continue
      }
      condition.lock()
      if ready[delivered] == nil, end != delivered { condition.wait() }
      condition.unlock()
    }
  }

  /// Gives a block's memory back.
  func recycle(_ block: consuming ParsedBlock) {
    condition.lock()
    if spare.count < window { spare.append(block) }
    condition.unlock()
  }

  /// Ends the threads, however far they are.
  func stop() {
    condition.lock()
    isStopped = true
    condition.broadcast()
    while running > 0 { condition.wait() }
    condition.unlock()
  }

  private func parse(_ block: ByteBlock, _ claim: Claim, _ parser: inout BlockParser) {
    condition.lock()
    var parsed = spare.popLast() ?? ParsedBlock()
    condition.unlock()
    parser.parse(block, into: &parsed)
    parsed.packedPosition = claim.packedPosition
    condition.lock()
    ready[claim.sequence] = parsed
    condition.broadcast()
    condition.unlock()
  }

  /// Reads the next block of the source; `nil` when there is none to take.
  private func claim(into block: ByteBlock, waits: Bool) -> Claim? {
    if waits { sourceLock.lock() } else if !sourceLock.try() { return nil }
    defer { sourceLock.unlock() }
    guard waitForRoom(waits: waits) else { return nil }
    var hasBlock = false
    var fault: RequestLogError?
    do throws(RequestLogError) { hasBlock = try source.next(into: block) } catch { fault = error }
    let position = source.packedPosition
    condition.lock()
    defer { condition.unlock() }
    guard hasBlock else {
      end = claimed
      failure = fault
      condition.broadcast()
      return nil
    }
    claimed += 1
    return Claim(sequence: claimed - 1, packedPosition: position)
  }

  private func waitForRoom(waits: Bool) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while claimed >= delivered + window, !isStopped, end == nil {
      guard waits else { return false }
      condition.wait()
    }
    return !isStopped && end == nil
  }
}
