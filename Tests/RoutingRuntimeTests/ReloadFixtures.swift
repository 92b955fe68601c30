import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Synchronization

/// A folder that goes with the value's last copy.
final class TemporaryFolder: Sendable {
  private let base: String

  init() throws {
    base = NSTemporaryDirectory() + "reload-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: base) }

  func path(_ name: String) -> String { base + "/" + name }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
  }

  /// Writes the model that `seed` determines in place.
  func write(model seed: UInt64, to name: String) throws {
    try Data(SyntheticModel.model(seed: seed).encoded()).write(
      to: URL(fileURLWithPath: path(name)))
  }

  /// Puts the model that `seed` determines in place by a rename.
  func rename(model seed: UInt64, to name: String) throws {
    try rename(bytes: SyntheticModel.model(seed: seed).encoded(), to: name)
  }

  func rename(bytes: [UInt8], to name: String) throws {
    try CoefficientFile.write(bytes, to: path(name))
  }

  /// Points the link `name` at `target` by a rename, as `ln -sfn` and Kubernetes do.
  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: path(".new"), withDestinationPath: target)
    guard Foundation.rename(path(".new"), path(name)) == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
  }
}

extension PublishedModel {
  /// The dataset fingerprint of the model in force: the seed that made it.
  var fingerprint: UInt64? { predictor?.model.provenance.datasetFingerprint }

  /// Whether the model with `fingerprint` comes into force before patience ends.
  func waits(forFingerprint expected: UInt64) -> Bool {
    for _ in 0..<5_000 {
      if fingerprint == expected { return true }
      usleep(1_000)
    }
    return false
  }
}

/// A flag that threads share.
final class Switch: Sendable {
  private let value = Atomic<Bool>(false)

  var isOn: Bool {
    get { value.load(ordering: .acquiring) }
    set { value.store(newValue, ordering: .releasing) }
  }
}
