import CoefficientFile
import Foundation
import Synchronization
import TestSupport
import Testing

/// Tells readers that the writer is done.
private final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}

@Suite struct FileTests {
  private func refusal(reading path: String, maximumBytes: Int = 65_536) -> CoefficientFileError? {
    do {
      _ = try CoefficientFile.read(path: path, maximumBytes: maximumBytes)
      return nil
    } catch { return error }
  }

  @Test func aWrittenFileIsReadBackAndNothingElseIsLeftInItsFolder() throws {
    let file = try TemporaryFile(bytes: [], name: "m.glide")
    let model = Models.random(seed: 1)
    try CoefficientFile.write(model.encoded(), to: file.path)
    #expect(try CoefficientFile.read(path: file.path).fields == model.fields)
    #expect(try CoefficientFile.bytes(at: file.path) == (try model.encoded()))
    #expect(try FileManager.default.contentsOfDirectory(atPath: file.folder) == ["m.glide"])
  }

  @Test func aReaderNeverSeesHalfAFileWhileItIsRewritten1000Times() async throws {
    let models = (0..<2).map { Models.random(seed: $0) }
    let encodings = try models.map { try $0.encoded() }
    let file = try TemporaryFile(bytes: encodings[0], name: "m.glide")
    let isDone = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<2 {
        group.addTask {
          repeat {
            let bytes = try CoefficientFile.bytes(at: file.path)
            #expect(encodings.contains(bytes))
          } while !isDone.isSet
        }
      }
      group.addTask {
        defer { isDone.set() }
        for round in 0..<1000 {
          try CoefficientFile.write(encodings[round % 2], to: file.path)
        }
      }
      try await group.waitForAll()
    }
    #expect(try CoefficientFile.bytes(at: file.path) == encodings[1])
  }

  @Test func writersOfOnePathDoNotSpoilEachOther() async throws {
    let encodings = try (0..<4).map { try Models.random(seed: $0).encoded() }
    let file = try TemporaryFile(bytes: [], name: "m.glide")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for bytes in encodings {
        group.addTask {
          for _ in 0..<40 { try CoefficientFile.write(bytes, to: file.path) }
        }
      }
      try await group.waitForAll()
    }
    #expect(encodings.contains(try CoefficientFile.bytes(at: file.path)))
    #expect(try FileManager.default.contentsOfDirectory(atPath: file.folder) == ["m.glide"])
  }

  @Test func writingReplacesALinkAndLeavesWhatItNamed() throws {
    let file = try TemporaryFile(bytes: [1, 2, 3], name: "old.glide")
    let link = file.folder + "/champion"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "old.glide")
    try CoefficientFile.write([4], to: link)
    #expect(try CoefficientFile.bytes(at: link) == [4])
    #expect(try CoefficientFile.bytes(at: file.path) == [1, 2, 3])
  }

  @Test func aFileThatCannotBePutInPlaceLeavesNothingBehind() throws {
    let file = try TemporaryFile(bytes: [], name: "m.glide")
    let taken = file.folder + "/folder"
    try FileManager.default.createDirectory(
      atPath: taken + "/inner", withIntermediateDirectories: true)
    #expect(
      throws: CoefficientFileError.inputOutput(path: taken, operation: "renaming", code: EISDIR)
    ) {
      try CoefficientFile.write([1], to: taken)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: file.folder).sorted()
        == ["folder", "m.glide"])
  }

  @Test func aMissingFolderIsNamed() throws {
    let file = try TemporaryFile(bytes: [], name: "m.glide")
    do {
      try CoefficientFile.write([1], to: file.folder + "/none/m.glide")
      Issue.record("written into a folder that does not exist")
    } catch {
      #expect("\(error)".contains("/none/m.glide"))
      #expect("\(error)".contains("No such file"))
    }
  }

  @Test func whatIsNoReadableFileIsRefusedWithItsReason() throws {
    let file = try TemporaryFile(bytes: [], name: "empty.glide")
    #expect(refusal(reading: file.path) == .badMagic)
    let missing = file.folder + "/missing.glide"
    #expect(
      refusal(reading: missing)
        == .inputOutput(path: missing, operation: "opening", code: ENOENT))
    #expect(
      refusal(reading: file.folder)
        == .inputOutput(path: file.folder, operation: "reading", code: EISDIR))
    let zero = file.path + "\0.glide"
    #expect(
      refusal(reading: zero) == .inputOutput(path: zero, operation: "opening", code: EINVAL))
  }

  @Test func aPipeWithoutAWriterIsRefusedInsteadOfAwaited() throws {
    let file = try TemporaryFile(bytes: [], name: "m.glide")
    let pipe = file.folder + "/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    #expect(
      refusal(reading: pipe) == .inputOutput(path: pipe, operation: "reading", code: ENXIO))
  }

  @Test func aLargerFileThanAllowedIsRefused() throws {
    let bytes = try Models.tiny.encoded()
    let file = try TemporaryFile(bytes: bytes, name: "m.glide")
    #expect(refusal(reading: file.path, maximumBytes: bytes.count) == nil)
    #expect(
      refusal(reading: file.path, maximumBytes: bytes.count - 1)
        == .tooLarge(bytes: bytes.count, allowed: bytes.count - 1))
  }

  @Test func aRequiredKeyHoldsForFilesToo() throws {
    let key = FakeKey(key: 3)
    let file = try TemporaryFile(bytes: try Models.tiny.encoded(sign: key.sign), name: "m.glide")
    #expect(throws: Never.self) { try CoefficientFile.read(path: file.path, verify: key.verify) }
    #expect(throws: CoefficientFileError.signatureInvalid) {
      try CoefficientFile.read(path: file.path, verify: FakeKey(key: 4).verify)
    }
  }
}
