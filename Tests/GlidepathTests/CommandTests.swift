import CoefficientFile
import Foundation
import Testing

extension EndToEnd {
  /// One night after the other, through the executable.
  @Suite struct NightTests {
    @Test func firstNightPromotesAndLeavesAReport() throws {
      let outcome = try GoodNight.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
      let json = try outcome.json()
      let folder = try GoodNight.copy()
      let id = try #require(json["model"] as? String)
      let link = try FileManager.default.destinationOfSymbolicLink(
        atPath: folder.path("workspace/models/champion"))
      #expect(link == id + ".glide")
      #expect(json["outcome"] as? String == "promoted")
      #expect(json["requests"] as? Int == 8000)
      for ending in ["html", "md", "json"] {
        #expect(try !folder.bytes("workspace/reports/\(id).\(ending)").isEmpty)
      }
    }

    @Test func theSameFileTwiceAddsNothing() throws {
      let folder = try GoodNight.copy()
      let again = try Glidepath.run(
        "ingest", "-w", "workspace", "gateway.jsonl", "--json", in: folder)
      #expect(try again.json()["added"] as? Int == 0)
      try #require(
        Glidepath.bash("sed -n '8001,8500p' all.jsonl >> gateway.jsonl", in: folder).status == 0)
      let grown = try Glidepath.run(
        "ingest", "-w", "workspace", "gateway.jsonl", "--json", in: folder)
      #expect(try grown.json()["added"] as? Int == 500)
    }

    @Test func rollbackBringsBackTheModelBefore() throws {
      let folder = try GoodNight.copy()
      let first = try #require(try GoodNight.outcome().json()["model"] as? String)
      let night = try Glidepath.bash(
        """
        sed -n '8001,12000p' all.jsonl >> gateway.jsonl
        glidepath retrain -w workspace --json gateway.jsonl || true
        """, in: folder)
      let second = try #require(try night.json()["model"] as? String, "\(night.output)")
      #expect(second != first)
      let forced = try Glidepath.run(
        "promote", "-w", "workspace", second, "--force", in: folder)
      #expect(forced.status == 0, "\(forced.errors)")
      #expect(try champion(folder) == second)

      let back = try Glidepath.run("rollback", "-w", "workspace", "--json", in: folder)
      #expect(try back.json()["champion"] as? String == first)
      #expect(try champion(folder) == first)
      let none = try Glidepath.run("rollback", "-w", "workspace", in: folder)
      #expect(none.status == 1)
      #expect(none.errors.contains("no predecessor"))
      #expect(try champion(folder) == first)
    }

    @Test func aRunningScorerReloadsAndRefusesWhatIsDamaged() throws {
      let folder = try GoodNight.copy()
      let fit = try Glidepath.bash(
        """
        cp workspace/models/champion live.glide
        sed -n '1,3000p' gateway.jsonl > short.jsonl
        glidepath fit --log short.jsonl --out other.glide
        """, in: folder)
      try #require(fit.status == 0, "\(fit.errors)")
      let watcher = try Glidepath.start(
        Glidepath.executable, ["watch", "--model", "live.glide"], in: folder)
      defer { watcher.end() }
      #expect(watcher.awaitOutput("model 1 in force"))
      _ = try Glidepath.bash("head -c 900 other.glide > cut; mv cut live.glide", in: folder)
      #expect(watcher.awaitOutput("refused"))
      _ = try Glidepath.bash("cp other.glide new; mv new live.glide", in: folder)
      #expect(watcher.awaitOutput("model 2 in force"), "\(watcher.output)")
    }

    private func champion(_ folder: Folder) throws -> String? {
      try Glidepath.run("history", "-w", "workspace", "--json", in: folder)
        .json()["champion"] as? String
    }
  }

  /// Commands that need no workspace.
  @Suite struct FileTests {
    @Test func predictWritesFiveOrderedHeadsForEveryRequest() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.run(
        "predict", "--model", "workspace/models/champion", "--log", "gateway.jsonl", "--out",
        "predictions.jsonl", in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let logged = try Set(lines(folder, "gateway.jsonl").map { $0["request_id"] as? String })
      let predictions = try lines(folder, "predictions.jsonl")
      #expect(predictions.count == 8000)
      #expect(Set(predictions.map { $0["request_id"] as? String }) == logged)
      for prediction in predictions {
        for target in ["ttft_ms", "tpot_ms"] {
          let heads = try #require(prediction[target] as? [String: Double])
          #expect(Set(heads.keys) == ["mean", "p50", "p90", "p95", "p99"])
          let levels = ["p50", "p90", "p95", "p99"].compactMap { heads[$0] }
          #expect(levels == levels.sorted() && levels[0] > 0, "\(prediction)")
        }
      }
    }

    @Test func laterLinesDoNotChangeEarlierPredictions() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '1,1000p' gateway.jsonl > short.jsonl
        sed -n '1,2000p' gateway.jsonl > long.jsonl
        for log in short long; do
          glidepath predict --model workspace/models/champion --log $log.jsonl --out $log.out
        done
        """, in: folder)
      try #require(outcome.status == 0, "\(outcome.errors)")
      let short = try folder.bytes("short.out")
      #expect(!short.isEmpty)
      #expect(try folder.bytes("long.out").starts(with: short))
    }

    @Test func theSameLogGivesTheSameBytesOnAnyNumberOfThreads() throws {
      let folder = try GoodNight.copy()
      for threads in ["1", "3"] {
        let outcome = try Glidepath.run(
          "fit", "--log", "gateway.jsonl", "--out", threads + ".glide", "--threads", threads,
          in: folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      let one = try folder.bytes("1.glide")
      #expect(try one == folder.bytes("3.glide"))
      #expect(one.count <= 8192)
    }

    @Test func inspectShowsEveryTerm() throws {
      let folder = try GoodNight.copy()
      let model = try CoefficientFile.read(path: folder.path("workspace/models/champion"))
      let outcome = try Glidepath.run("inspect", "workspace/models/champion", "--json", in: folder)
      let json = try outcome.json()
      let terms = try #require(json["terms"] as? [[String: Any]])
      // The intercepts are rows too.
      #expect(terms.count == model.ttft.terms.count + model.tpot.terms.count + 2)
      #expect(terms.allSatisfy { $0["coefficient"] is Double && $0["unit"] is String })
      #expect((json["groups"] as? [Any])?.count == model.groups.count)
      #expect(json["requests"] as? Int == Int(model.provenance.sampleCount))
    }

    @Test func onlyTheRightKeyOpensASignedFile() throws {
      let folder = try GoodNight.copy()
      // Test 1 and the public key of test 2: RFC 8032, section 7.1.
      try folder.write(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n", to: "private")
      try folder.write(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n", to: "public")
      try folder.write(
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\n", to: "other")
      let fit = try Glidepath.run(
        "fit", "--log", "gateway.jsonl", "--out", "signed.glide", "--signing-key", "private",
        in: folder)
      #expect(fit.status == 0, "\(fit.errors)")
      func inspect(_ file: String, _ key: String) throws -> Outcome {
        try Glidepath.run("inspect", file, "--public-key", key, in: folder)
      }
      #expect(try inspect("signed.glide", "public").status == 0)
      #expect(try inspect("signed.glide", "other").status == 1)
      #expect(try inspect("workspace/models/champion", "public").status == 1)
    }

    private func lines(_ folder: Folder, _ name: String) throws -> [[String: Any]] {
      try folder.bytes(name).split(separator: UInt8(ascii: "\n")).map {
        try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
      }
    }
  }
}
