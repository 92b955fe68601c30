extension EngineEmulator {
  /// Stands where `other` stands, in buffers of its own, so that neither copies the other's on a
  /// write.
  ///
  /// Who is in the batch matters only where slots may run out; else they stay with `other`, and
  /// those that join come after them.
  ///
  /// - Precondition: both run the same engine.
  @inline(always)
  mutating func assume(_ other: borrowing EngineEmulator) {
    let waiting = other.queue.count - other.queueHead
    if waiting > 0 {
      queue.overwrite(from: other.queue.span.extracting(last: waiting))
    } else if !queue.isEmpty {
      queue.dropAll()
    }
    queueHead = 0
    if other.mayRunOutOfSlots {
      decoding.overwrite(from: other.decoding.span)
      borrowedRequests = 0
    } else {
      if !decoding.isEmpty { decoding.dropAll() }
      borrowedRequests = other.decoding.count
    }
    assumeState(of: other)
  }

  /// Stands where `other` stands, which was copied from this one, and takes what it has of its own;
  /// `other` is left without meaning.
  @inline(always)
  mutating func takeOver(_ other: inout EngineEmulator) {
    if queueHead < queue.count || other.queueHead < other.queue.count {
      swap(&queue, &other.queue)
      queueHead = other.queueHead
    }
    if other.borrowedRequests == 0 {
      swap(&decoding, &other.decoding)
    } else if !other.decoding.isEmpty {
      decoding.append(contentsOf: other.decoding)
    }
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
  /// Removes all elements and keeps the memory; quicker than ``removeAll(keepingCapacity:)`` for the
  /// one or two that there mostly are.
  @inline(always)
  mutating func dropAll() { while !isEmpty { removeLast() } }

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
