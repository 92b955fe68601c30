extension EngineEmulator {
  /// Stands where `other` stands, in buffers of its own, so that neither copies the other's on a
  /// write.
  ///
  /// - Precondition: both run the same engine.
  @inline(always)
  mutating func assume(_ other: borrowing EngineEmulator) {
    let waiting = other.queue.count - other.queueHead
    queue.overwrite(from: other.queue.span.extracting(last: waiting))
    queueHead = 0
    decoding.overwrite(from: other.decoding.span)
    assumeState(of: other)
  }

  /// Stands where `other` stands and takes its buffers; `other` is left without meaning.
  ///
  /// - Precondition: both run the same engine.
  @inline(always)
  mutating func takeOver(_ other: inout EngineEmulator) {
    swap(&queue, &other.queue)
    queueHead = other.queueHead
    swap(&decoding, &other.decoding)
    assumeState(of: other)
  }

  @inline(always)
  private mutating func assumeState(of other: borrowing EngineEmulator) {
    contextTokens = other.contextTokens
    stepCount = other.stepCount
    isBusy = other.isBusy
    stepStart = other.stepStart
    stepEnd = other.stepEnd
    current = other.current
    awaitsFirstToken = other.awaitsFirstToken
    otherDecodingRequests = other.otherDecodingRequests
    lastBoundary = other.lastBoundary
    stepsSinceBoundary = other.stepsSinceBoundary
    slowness = other.slowness
    slownessLogarithm = other.slownessLogarithm
    version = other.version
    predictedSinceBoundary = other.predictedSinceBoundary
    isGapClean = other.isGapClean
  }
}

extension Array {
  /// Becomes a copy of `source` in its own memory.
  @inline(always)
  fileprivate mutating func overwrite(from source: Span<Element>) {
    if count > source.count { removeLast(count - source.count) }
    var own = mutableSpan
    let shared = own.count
    for index in 0..<shared { own[index] = source[index] }
    for index in shared..<source.count { append(source[index]) }
  }
}
