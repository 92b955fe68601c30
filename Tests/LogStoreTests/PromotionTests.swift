import Foundation
import Testing

@testable import LogStore

@Suite struct PromotionTests {
  let folder: TemporaryFolder
  let workspace: Workspace

  init() throws {
    folder = try TemporaryFolder()
    workspace = try makeWorkspace(folder)
    for id in ["a", "b", "c"] {
      try workspace.record(
        model: ModelRecord(id: id, createdUnixSeconds: 7, window: 1...9), bytes: Array(id.utf8))
    }
  }

  @Test func aModelIsStoredOnceAndKeepsItsBytes() throws {
    try workspace.record(
      model: ModelRecord(id: "a", createdUnixSeconds: 8), bytes: Array("a".utf8))
    #expect(try workspace.models().map(\.id) == ["a", "b", "c"])
    #expect(try workspace.models()[0].window == 1...9)
    #expect(try workspace.modelBytes("a") == Array("a".utf8))
    #expect(throws: LogStoreError.self) {
      try workspace.record(model: ModelRecord(id: "a", createdUnixSeconds: 8), bytes: [1])
    }
  }

  @Test(arguments: ["", "../a", "champion", ".x", "a/b", "é", String(repeating: "x", count: 101)])
  func idsThatAreNoFileNamesAreRefused(id: String) {
    #expect(throws: LogStoreError.self) {
      try workspace.record(model: ModelRecord(id: id, createdUnixSeconds: 8), bytes: [1])
    }
  }

  @Test func promotingMovesTheLinkAndIsRecorded() throws {
    #expect(workspace.champion() == nil)
    let evaluation = try workspace.record(
      evaluation: EvaluationRecord(
        modelID: "a", championID: nil, createdUnixSeconds: 1, verdict: "promoted",
        reason: "beats a constant", metricsJSON: "{\"mape\":0.2}"))
    try workspace.promote("a", reason: "first", evaluation: evaluation)
    try workspace.promote("b", reason: "better")
    try workspace.promote("b", reason: "again")

    #expect(workspace.champion() == "b")
    let link = try FileManager.default.destinationOfSymbolicLink(atPath: workspace.championPath)
    #expect(link == "b.glide")
    #expect(try Data(contentsOf: URL(fileURLWithPath: workspace.championPath)) == Data("b".utf8))
    let history = try workspace.history()
    #expect(history.map(\.modelID) == ["a", "b"])
    #expect(history.map(\.previousID) == [nil, "a"])
    #expect(history[0].evaluationID == evaluation)
    #expect(try workspace.evaluations(of: "a").map(\.verdict) == ["promoted"])
    #expect(try workspace.evaluations(of: "b").isEmpty)
  }

  @Test func oneRetrainAtATime() throws {
    let other = try Workspace(directory: workspace.directory, create: false)
    try workspace.withRetrainLock {
      #expect(throws: LogStoreError.self) { try other.withRetrainLock {} }
      // Everything else goes on.
      try other.promote("a", reason: "meanwhile")
    }
    #expect(try other.withRetrainLock { other.champion() } == "a")
  }

  @Test func rollingBackUndoesPromotionsOneByOne() throws {
    for id in ["a", "b", "c"] { try workspace.promote(id, reason: "new") }
    #expect(try workspace.rollback(reason: "bad night") == "b")
    #expect(try workspace.rollback(reason: "worse") == "a")
    #expect(throws: LogStoreError.self) { try workspace.rollback(reason: "no more") }
    #expect(workspace.champion() == "a")
    #expect(try workspace.history().map(\.kind.rawValue).suffix(2) == ["rollback", "rollback"])
  }

  @Test func aModelThatIsNotStoredIsNotPromoted() throws {
    #expect(throws: LogStoreError.self) { try workspace.promote("z", reason: "typo") }
    #expect(throws: LogStoreError.self) {
      try workspace.record(
        evaluation: EvaluationRecord(
          modelID: "z", championID: nil, createdUnixSeconds: 1, verdict: "", reason: ""))
    }
    #expect(workspace.champion() == nil)
    #expect(try workspace.history().isEmpty)
  }

  /// A crash after the link was moved, and one before.
  @Test(arguments: [true, false])
  func anInterruptedPromotionIsSettledAtOpening(isMoved: Bool) throws {
    try workspace.promote("a", reason: "first")
    try workspace.pool.write { database in
      try database.execute(
        sql: """
          INSERT INTO promotions(model_id, previous_id, kind, state, at_unix_s, reason)
          VALUES ('b', 'a', 'promote', 'pending', 5, 'second')
          """)
    }
    if isMoved { try FileSystem.relink(workspace.modelsDirectory, "champion", to: "b.glide") }
    _ = try folder.write("", to: "w/models/.champion.1.tmp")

    let opened = try makeWorkspace(folder)

    #expect(try opened.history().map(\.modelID) == (isMoved ? ["a", "b"] : ["a"]))
    #expect(opened.champion() == (isMoved ? "b" : "a"))
    #expect(!FileSystem.names(in: opened.modelsDirectory).contains(".champion.1.tmp"))
  }

  @Test func aLinkMovedByHandIsWrittenDown() throws {
    try workspace.promote("a", reason: "first")
    try FileSystem.relink(workspace.modelsDirectory, "champion", to: "c.glide")
    let history = try makeWorkspace(folder).history()
    #expect(history.last?.kind == .external)
    #expect(history.last?.modelID == "c")
    #expect(history.last?.previousID == "a")
  }
}
