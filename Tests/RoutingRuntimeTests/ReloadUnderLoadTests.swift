import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Synchronization
import TestSupport
import Testing

/// Readers predict all the time while the file is replaced under them.
@Suite struct ReloadUnderLoadTests {
  /// Predictions that were missing, and such as were made of two models.
  private struct Verdict: Sendable {
    var predictions = 0
    var failed = 0
    var mixed = 0
    var modelsSeen = 0
  }

  @Test func aThousandReloadsNeitherFailNorMixAPrediction() throws {
    let folder = try TemporaryFolder()
    try folder.replace(model: .constant(1), at: "m.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published)
    let isDone = Switch()
    let verdicts = Mutex<[Verdict]>([])
    let readers = (0..<2).map { _ in
      let thread = Thread { [published] in
        let verdict = Self.predict(with: published, until: isDone)
        verdicts.withLock { $0.append(verdict) }
      }
      thread.start()
      return thread
    }

    for version in UInt64(2)...1_001 {
      try folder.replace(model: .constant(Double(version)), at: "m.glide")
      var patience = 50_000
      while published.version < version, patience > 0 {
        usleep(100)
        patience -= 1
      }
      guard published.version == version else { break }
    }
    isDone.isOn = true
    while verdicts.withLock({ $0.count }) < readers.count { usleep(1_000) }

    #expect(published.version == 1_001)
    #expect(watcher.status.loadedCount == 1_001)
    #expect(watcher.status.refusedCount == 0)
    for verdict in verdicts.withLock({ $0 }) {
      #expect(verdict.predictions > 1_000)
      #expect(verdict.failed == 0)
      #expect(verdict.mixed == 0)
      #expect(verdict.modelsSeen > 100)
    }
  }

  private static func predict(with published: PublishedModel, until isDone: Switch) -> Verdict {
    var verdict = Verdict()
    var reader = ModelReader(published)
    guard let first = reader.predictor else { return verdict }
    var pool = EndpointPool(predictor: first)
    for name in ["e0", "e1", "e2"] {
      _ = pool.addEndpoint(named: name, accelerator: "fast", engine: first.model.engines[0])
    }
    let request = RequestShape(promptTokens: 500)
    var time = 0.0
    while !isDone.isOn {
      if reader.refresh(), let newer = reader.predictor {
        pool.install(newer)
        verdict.modelsSeen += 1
      }
      time += 1
      let handle = pool.dispatched(request, to: Int(time) % 3, at: time)
      let expected = reader.predictor?.model.ttft.heads[0].intercept
      for endpoint in 0..<3 {
        verdict.predictions += 1
        guard let prediction = pool.predict(request, on: endpoint, at: time) else {
          verdict.failed += 1
          continue
        }
        let heads = [prediction.ttft, prediction.tpot].flatMap {
          [$0.mean, $0.p50, $0.p90, $0.p95, $0.p99]
        }
        if heads.contains(where: { $0 != expected }) { verdict.mixed += 1 }
      }
      pool.finished(handle, outputTokens: 0, at: time + 0.5)
    }
    return verdict
  }
}

extension TemporaryFolder {
  /// Renames a file with `model` into place, without forcing it to disk.
  fileprivate func replace(model: GlideModel, at name: String) throws {
    let new = URL(fileURLWithPath: path(".next"))
    try Data(model.encoded()).write(to: new)
    guard Foundation.rename(new.path, path(name)) == 0 else { throw CocoaError(.fileWriteUnknown) }
  }
}

extension GlideModel {
  /// Above what the emulated engines forecast, so that nothing raises the heads.
  fileprivate static func constant(_ number: Double) -> GlideModel {
    SyntheticModel.constant(1e6 + number)
  }
}
