import Foundation
import Testing

extension EndToEnd {
  /// Every refusal has its exit code and a sentence that says what to do.
  @Suite struct FailureTests {
    @Test func wrongUsageExitsWith64() throws {
      let folder = try Folder()
      for arguments in [["frobnicate"], ["fit", "--out", "m.glide"], ["retrain", "--nonsense"]] {
        let outcome = try Glidepath.start(Glidepath.executable, arguments, in: folder).wait()
        #expect(outcome.status == 64, "\(arguments)")
        #expect(outcome.errors.contains("Usage:"), "\(arguments): \(outcome.errors)")
      }
    }

    @Test func missingThingsAreNamed() throws {
      let folder = try GoodNight.copy()
      let cases: [(arguments: [String], named: String)] = [
        (["ingest", "-w", "workspace", "absent.jsonl"], "absent.jsonl"),
        (["history", "-w", "elsewhere"], "elsewhere"),
        (["promote", "-w", "workspace", "20200101-none"], "20200101-none"),
        (["inspect", "absent.glide"], "absent.glide"),
        (["predict", "--model", "absent.glide", "--log", "gateway.jsonl"], "absent.glide"),
        (
          [
            "explain", "--model", "workspace/models/champion", "--log", "gateway.jsonl",
            "--request", "nobody",
          ], "nobody"
        ),
      ]
      for (arguments, named) in cases {
        let outcome = try Glidepath.start(Glidepath.executable, arguments, in: folder).wait()
        #expect(outcome.status == 1, "\(arguments)")
        #expect(outcome.errors.contains(named), "\(arguments): \(outcome.errors)")
      }
    }

    @Test func tooFewRequestsExitWith5() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '1,100p' gateway.jsonl > short.jsonl
        glidepath retrain -w new short.jsonl
        """, in: folder)
      #expect(outcome.status == 5, "\(outcome.errors)")
      #expect(outcome.output.contains("only 100 requests"))
      #expect(!FileManager.default.fileExists(atPath: folder.path("new/models/champion")))
    }

    @Test func anotherUnitExitsWith4AndChangesNothing() throws {
      let folder = try GoodNight.copy()
      let before = try link(folder)
      let outcome = try Glidepath.bash(
        """
        sed -n '8001,14000p' all.jsonl | jq -c '.ttft_ms /= 1000 | .e2e_ms /= 1000' >> gateway.jsonl
        glidepath retrain -w workspace --json gateway.jsonl
        """, in: folder)
      #expect(outcome.status == 4, "\(outcome.errors)")
      let json = try outcome.json()
      #expect(json["exit_code"] as? Int == 4)
      let reasons = try #require(json["reasons"] as? [String])
      #expect(reasons.contains { $0.contains("unit") }, "\(reasons)")
      #expect(try link(folder) == before)
    }

    @Test func aBadLogIsRefusedWholeWithItsFirstBadLine() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '8001,8100p' all.jsonl | sed '7,16s/"ttft_ms"/"ttft"/' > bad.jsonl
        glidepath ingest -w workspace bad.jsonl
        """, in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("bad.jsonl:7"), "\(outcome.errors)")
      #expect(outcome.errors.contains("ttft_ms"), "\(outcome.errors)")
      let doctor = try Glidepath.run("doctor", "-w", "workspace", "--json", in: folder)
      let facts = try #require(try doctor.json()["facts"] as? [String: String])
      #expect(facts["requests"] == "8000")
    }

    @Test func fewBadLinesAreSetAsideAndCounted() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '8001,8100p' all.jsonl | sed '7s/"ttft_ms":/"ttft_ms":-/' > bad.jsonl
        glidepath ingest -w workspace --json bad.jsonl
        """, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let json = try outcome.json()
      #expect(json["added"] as? Int == 99)
      #expect(json["quarantined"] as? Int == 1)
    }

    @Test func aDamagedModelIsRefusedWithItsPlace() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        "head -c 1000 workspace/models/champion > cut.glide; glidepath inspect cut.glide",
        in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("cut.glide"))
      #expect(outcome.errors.contains("byte 1000"), "\(outcome.errors)")
    }

    private func link(_ folder: Folder) throws -> String {
      try FileManager.default.destinationOfSymbolicLink(
        atPath: folder.path("workspace/models/champion"))
    }
  }
}
