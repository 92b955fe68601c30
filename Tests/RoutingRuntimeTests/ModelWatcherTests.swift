import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import TestSupport
import Testing

@Suite struct ModelWatcherTests {
  @Test func loadsAFileThatIsThereAlready() throws {
    let folder = try TemporaryFolder()
    try folder.write(model: 1, to: "m.glide")
    let published = PublishedModel()

    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published)

    #expect(published.fingerprint == 1)
    #expect(watcher.status.loadedCount == 1)
  }

  @Test func seesAFileThatAppearsLater() throws {
    let folder = try TemporaryFolder()
    let published = PublishedModel()
    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published)
    #expect(watcher.status.lastRefusal?.kind == .unreadable)

    try folder.rename(model: 2, to: "m.glide")

    #expect(published.waits(forFingerprint: 2))
    #expect(watcher.status.lastRefusal == nil)
  }

  @Test func seesARenameIntoPlace() throws {
    let folder = try TemporaryFolder()
    try folder.write(model: 1, to: "m.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published)
    for fingerprint in UInt64(2)...5 {
      try folder.rename(model: fingerprint, to: "m.glide")
      #expect(published.waits(forFingerprint: fingerprint))
    }
    #expect(watcher.status.refusedCount == 0)
  }

  @Test func seesACopyInPlaceOnceItIsWhole() throws {
    let folder = try TemporaryFolder()
    try folder.write(model: 1, to: "m.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(
      path: folder.path("m.glide"), publishingTo: published,
      configuration: .init(rescanMilliseconds: 60_000))
    let bytes = try SyntheticModel.model(seed: 2).encoded()

    let file = try #require(FileHandle(forWritingAtPath: folder.path("m.glide")))
    try file.truncate(atOffset: 0)
    for start in stride(from: 0, to: bytes.count, by: 512) {
      try file.write(contentsOf: Data(bytes[start..<min(start + 512, bytes.count)]))
      usleep(2_000)
    }
    try file.close()

    #expect(published.waits(forFingerprint: 2))
    // A busy machine may look in the middle: that is refused, and never put in force.
    #expect(watcher.status.loadedCount == 2)
  }

  @Test func seesASwitchedLink() throws {
    let folder = try TemporaryFolder()
    try folder.makeFolder("versions")
    try folder.write(model: 1, to: "versions/1.glide")
    try folder.write(model: 2, to: "versions/2.glide")
    try folder.link("champion", to: "versions/1.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(path: folder.path("champion"), publishingTo: published)
    #expect(published.fingerprint == 1)

    try folder.link("champion", to: "versions/2.glide")

    #expect(published.waits(forFingerprint: 2))
    #expect(watcher.status.loadedCount == 2)
  }

  @Test func seesAChangeBehindALink() throws {
    let folder = try TemporaryFolder()
    try folder.makeFolder("versions")
    try folder.write(model: 1, to: "versions/1.glide")
    try folder.link("champion", to: "versions/1.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(
      path: folder.path("champion"), publishingTo: published,
      configuration: .init(rescanMilliseconds: 60_000))
    // The watch stands once a first change is seen.
    try folder.rename(model: 2, to: "versions/1.glide")
    #expect(published.waits(forFingerprint: 2))

    try folder.rename(model: 3, to: "versions/1.glide")

    #expect(published.waits(forFingerprint: 3))
    #expect(watcher.status.refusedCount == 0)
  }

  @Test func seesTheDataSwitchOfAConfigMap() throws {
    let folder = try TemporaryFolder()
    for version in UInt64(1)...3 {
      try folder.makeFolder("..\(version)")
      try folder.write(model: version, to: "..\(version)/m.glide")
    }
    try folder.link("..data", to: "..1")
    try folder.link("m.glide", to: "..data/m.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published)
    #expect(published.fingerprint == 1)
    for version in UInt64(2)...3 {
      try folder.link("..data", to: "..\(version)")
      #expect(published.waits(forFingerprint: version))
    }
    #expect(watcher.status.refusedCount == 0)
  }

  @Test func rescansSeeALinkSwitchedFurtherUp() throws {
    let folder = try TemporaryFolder()
    for version in UInt64(1)...2 {
      try folder.makeFolder("v\(version)")
      try folder.write(model: version, to: "v\(version)/m.glide")
    }
    try folder.link("current", to: "v1")
    let published = PublishedModel()
    let watcher = ModelWatcher(
      path: folder.path("current/m.glide"), publishingTo: published,
      configuration: .init(rescanMilliseconds: 20))

    try folder.link("current", to: "v2")

    #expect(published.waits(forFingerprint: 2))
    #expect(watcher.status.loadedCount == 2)
  }

  @Test func stopsAtOnceAndForGood() throws {
    let folder = try TemporaryFolder()
    try folder.write(model: 1, to: "m.glide")
    let published = PublishedModel()
    let watcher = ModelWatcher(
      path: folder.path("m.glide"), publishingTo: published,
      configuration: .init(rescanMilliseconds: 600_000))
    watcher.stop()
    watcher.stop()
    try folder.rename(model: 2, to: "m.glide")

    #expect(published.fingerprint == 1)
    #expect((try? watcher.reload().get()) == 2)
    #expect(published.fingerprint == 2)
  }
}

/// A refused file leaves the model in force, is counted and says why.
@Suite struct ModelRefusalTests {
  enum Fault: CaseIterable {
    case empty, text, truncated, flippedBit, olderFormat, oversized, unsigned, otherSchema, folder,
      missing

    var kind: ReloadRefusal.Kind {
      switch self {
      case .empty, .text, .truncated, .flippedBit: .malformed
      case .olderFormat: .unsupportedFormat
      case .oversized: .oversized
      case .unsigned: .untrusted
      case .otherSchema: .schemaMismatch
      case .folder, .missing: .unreadable
      }
    }

    func bytes() throws -> [UInt8] {
      var model = SyntheticModel.model(seed: 9)
      if self == .otherSchema { model.schemaFingerprint ^= 1 }
      var bytes = try model.encoded()
      switch self {
      case .empty: bytes = []
      case .text: bytes = Array("{\"model\": 1}\n".utf8)
      case .truncated: bytes.removeLast(bytes.count / 2)
      case .flippedBit: bytes[bytes.count / 2] ^= 4
      case .olderFormat: bytes[8] = 0
      case .oversized: bytes += [UInt8](repeating: 0, count: 70_000)
      case .unsigned, .otherSchema, .folder, .missing: break
      }
      return bytes
    }
  }

  @Test(arguments: Fault.allCases)
  func keepsTheModelInForce(fault: Fault) throws {
    let folder = try TemporaryFolder()
    try folder.write(model: 1, to: "m.glide")
    let published = PublishedModel()
    let needsSignature = Switch()
    let load: ModelWatcher.Loader = { path in
      guard needsSignature.isOn else { return Predictor.load(path: path) }
      return Predictor.load(path: path, verify: { _, _ in true })
    }
    let watcher = ModelWatcher(path: folder.path("m.glide"), publishingTo: published, load: load)
    needsSignature.isOn = fault == .unsigned

    try FileManager.default.removeItem(atPath: folder.path("m.glide"))
    switch fault {
    case .missing: break
    case .folder: try folder.makeFolder("m.glide")
    default:
      let bytes = try fault.bytes()
      try folder.rename(bytes: bytes, to: "m.glide")
    }
    watcher.reload()

    let status = watcher.status
    #expect(published.fingerprint == 1)
    #expect(status.loadedCount == 1)
    #expect(status.lastRefusal?.kind == fault.kind)
    #expect(status.lastRefusal?.reason.contains("m.glide") == true)
    #expect(status.refusedCounts[Int(fault.kind.rawValue)] == status.refusedCount)

    // A good file behind it is taken up again.
    if fault == .folder { try FileManager.default.removeItem(atPath: folder.path("m.glide")) }
    needsSignature.isOn = false
    try folder.rename(model: 3, to: "m.glide")
    #expect(published.waits(forFingerprint: 3))
  }
}
