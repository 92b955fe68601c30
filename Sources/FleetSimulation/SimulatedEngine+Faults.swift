/// What may go wrong with an engine.
extension SimulatedEngine {
  /// From the next step on each takes `factor` times as long; 1 is as modelled.
  public mutating func setSlowness(_ factor: Double, at time: Double) {
    cutRun(at: time, isForced: true)
    slowness = max(factor, 1e-3)
  }

  /// Stops: requests are taken and nothing happens until ``resume(at:)``.
  public mutating func hang(at time: Double) {
    if hungSince == nil { hungSince = time }
  }

  /// Goes on where it stood.
  public mutating func resume(at time: Double) {
    guard let since = hungSince else { return }
    hungSince = nil
    guard time > since else { return }
    if isBusy {
      runStart += time - since
      runEnd += time - since
    }
    for position in inboxHead..<inbox.count {
      inbox[position].time = max(inbox[position].time, time)
    }
    if inboxHead < inbox.count { cutRun(at: inbox[inboxHead].time) }
  }

  /// Dies: every request fails, and the engine starts anew with an empty cache.
  ///
  /// The failures are handed out by the next ``advance(to:emit:)``.
  public mutating func fail(at time: Double) {
    let here = inbox[inboxHead...].map(\.slot) + queue[queueHead...] + decoding
    for slot in here {
      emit(.failed, slot, at: time, generated: slots[Int(slot)].generatedTokens)
      nodes[Int(slot)].removeAll(keepingCapacity: true)
      freeSlot(slot)
    }
    inbox.removeAll(keepingCapacity: true)
    queue.removeAll(keepingCapacity: true)
    decoding.removeAll(keepingCapacity: true)
    finishSteps.removeAll(keepingCapacity: true)
    (inboxHead, queueHead, nextFinish, contextTokens, prefills) = (0, 0, Int.max, 0, 0)
    (isBusy, isBlocked, hasAborted) = (false, false, false)
    hungSince = nil
    frontEndFree = -.infinity
    cache.clear()
    published = EngineMetrics()
    publishedHeld = 0
  }
}
