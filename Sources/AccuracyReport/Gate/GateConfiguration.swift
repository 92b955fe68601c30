/// How much worse a challenger may be, and how sure the gate must be that it is.
///
/// A comparison fails when the challenger is surely worse than its bound allows, or worse by the hard
/// bound and surely worse at all. "Surely" means more than chance explains: the models are compared on
/// the same requests, stretch of time by stretch of time, each longer than the load remembers itself,
/// and the false-alarm rate is shared by all checks of a kind.
public struct GateConfiguration: Sendable, Codable, Hashable {
  /// Allowed relative increase of MAPE, MAE and p90 pinball over the whole block; default 0.10.
  ///
  /// MAPE rewards a model that leans low, so an unbiased challenger may show a few per cent more of
  /// it than a champion that drifted; the bound leaves room for that.
  public var overallBound = 0.1
  /// The same in one slice; default 0.10.
  public var sliceBound = 0.10
  /// An increase in one slice that fails when the slice is surely worse at all; default 0.5.
  public var sliceHardBound = 0.5
  /// An overall increase that fails when the challenger is surely worse at all; default 0.25.
  public var hardBound = 0.25
  /// What no one would notice, allowed on top of the bounds: a share of the mean latency, 0…1.
  ///
  /// Default 0.01. Two models that err by 1 % and 1.5 % differ by half, and route alike.
  public var indifference = 0.01
  /// Allowed distance of coverage from p50, p90, p95, p99.
  ///
  /// A champion that misses by more widens it to its own miss. Default 0.03, 0.02, 0.015, 0.007.
  public var coverageTolerances = [0.03, 0.02, 0.015, 0.007]
  /// How many times wider the coverage bounds are while there is no champion; default 3.
  public var firstRunCoverageFactor = 3.0
  /// The chance that a challenger exactly at its bounds fails any check of one kind; default 0.1.
  ///
  /// One as good as the champion is further from its bounds, and hardly ever fails.
  public var falseAlarmRate = 0.1
  /// Slices with fewer requests are reported and not judged; default 300.
  public var minimumSliceCount = 300
  /// Slices with a smaller share of the block are reported and not judged; default 0.05.
  public var minimumSliceShare = 0.05
  /// Fewer judged requests than this decide nothing; default 200.
  public var minimumRequests = 200
  /// How far below the constant predictor's MAE a first model must be for one latency at least; for
  /// neither may MAE or p90 pinball loss be surely higher; default 0.05.
  public var minimumGainOverConstant = 0.05
  /// A median relative error below this is not believed; default 0.005.
  public var implausibleMedianAPE = 0.005
  /// An error below this fraction of the champion's, both now and at its promotion, is not
  /// believed; default 0.35.
  public var implausibleRatio = 0.35

  /// The documented defaults.
  public init() {}
}
