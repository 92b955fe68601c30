extension GlideModel {
  /// This model with coefficients as binary32 and half-widths with 8 significant bits, which the file
  /// stores in half the space.
  ///
  /// A coefficient changes by at most 6e-8 of itself. A half-width only grows, by less than 1 %, so
  /// that the interval still covers. Whoever rounds does so before judging or predicting: the file
  /// itself stores whatever it is given exactly.
  ///
  /// - Complexity: O(coefficients).
  public func rounded() -> GlideModel {
    var model = self
    for index in model.engines.indices {
      Self.round(&model.engines[index].stepCoefficients)
      Self.roundUp(&model.engines[index].stepHalfWidths)
    }
    model.ttft.round()
    model.tpot.round()
    return model
  }

  fileprivate static func round(_ values: inout [Double]) {
    for index in values.indices { values[index] = Double(Float(values[index])) }
  }

  fileprivate static func roundUp(_ values: inout [Float]) {
    for index in values.indices where values[index].isFinite && values[index] > 0 {
      let pattern = values[index].bitPattern
      let lower = pattern & 0xFFFF_0000
      let upper = Float(bitPattern: pattern == lower ? lower : lower + 0x1_0000)
      if upper <= Float(GlideFormat.singleBound) { values[index] = upper }
    }
  }
}

extension TargetModel {
  fileprivate mutating func round() {
    for index in heads.indices {
      GlideModel.round(&heads[index].coefficients)
      GlideModel.roundUp(&heads[index].halfWidths)
    }
  }
}
