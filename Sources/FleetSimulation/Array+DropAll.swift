extension Array {
  /// Removes all elements and keeps the memory; quicker than `removeAll(keepingCapacity:)` for the
  /// one or two that there mostly are.
  @inline(always)
  mutating func dropAll() { while !isEmpty { removeLast() } }
}
