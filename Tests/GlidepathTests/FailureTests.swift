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

    @Test func twoRetrainsAtOnceDoNotOvertakeEachOther() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        "flock workspace/retrain.lock glidepath retrain -w workspace", in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("another retrain is running"), "\(outcome.errors)")
    }

    @Test func aChampionChangedDuringARetrainStays() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '8001,29261p' all.jsonl >> gateway.jsonl
        cp workspace/models/champion workspace/models/other.glide
        mkfifo progress
        glidepath retrain -w workspace gateway.jsonl 2> progress &
        while read -r line; do
          echo "$line"
          if [[ $line == replaying ]]; then ln -sfn other.glide workspace/models/champion; fi
        done < progress
        wait $!
        """, in: folder)
      #expect(outcome.status == 1)
      #expect(outcome.output.contains("another process changed the champion"), "\(outcome.output)")
      #expect(try link(folder) == "other.glide")
    }

    @Test func devicesPipesAndLinksStayWhatTheyAre() throws {
      let folder = try GoodNight.copy()
      let outcome = try Glidepath.bash(
        """
        sed -n '1,300p' all.jsonl > short.jsonl
        mkfifo pipe
        ln -s target.jsonl link
        glidepath fit --log short.jsonl --out pipe || echo "fit: $?"
        glidepath predict --model workspace/models/champion --log short.jsonl --out link
        glidepath predict --model workspace/models/champion --log short.jsonl --out pipe &
        wc -l < pipe
        wait
        [[ -p pipe && -L link ]] && wc -l < target.jsonl
        """, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("fit: 1"))
      #expect(outcome.output.split(separator: "\n").filter { $0 == "300" }.count == 2)
      #expect(outcome.errors.contains("pipe: is no plain file"), "\(outcome.errors)")
    }

    @Test func aFullDiskIsToldAndNothingClaimed() throws {
      let folder = try GoodNight.copy()
      for arguments in [
        "predict --model workspace/models/champion --log gateway.jsonl --out /dev/full",
        "evaluate --model workspace/models/champion --log gateway.jsonl > /dev/full",
        "inspect workspace/models/champion > /dev/full",
      ] {
        let outcome = try Glidepath.bash("glidepath \(arguments)", in: folder)
        #expect(outcome.status == 1, "\(arguments)")
        #expect(outcome.errors.contains("cannot be written"), "\(arguments): \(outcome.errors)")
      }
    }

    @Test func whatCannotBeWrittenIsToldBeforeTheWork() throws {
      let folder = try GoodNight.copy()
      try Data("no key".utf8).write(to: folder.url.appendingPathComponent("bad.key"))
      let cases: [(arguments: String, named: String)] = [
        ("fit --log gateway.jsonl --out absent/m.glide", "absent"),
        ("fit --log gateway.jsonl --out workspace", "is a folder"),
        ("fit --log gateway.jsonl --out m.glide --signing-key bad.key", "bad.key"),
        ("retrain -w workspace --signing-key bad.key", "bad.key"),
        (
          "evaluate --model workspace/models/champion --log gateway.jsonl --out absent/r.md",
          "absent"
        ),
        ("fit-entries absent --output m.glide", "absent"),
        ("tune --log gateway.jsonl --objective nonsense", "nonsense"),
      ]
      for (arguments, named) in cases {
        let outcome = try Glidepath.bash("glidepath \(arguments)", in: folder)
        #expect(outcome.status == 1, "\(arguments)")
        #expect(outcome.errors.contains(named), "\(arguments): \(outcome.errors)")
        #expect(!outcome.errors.contains("fitting"), "\(arguments): \(outcome.errors)")
        #expect(!outcome.errors.contains("NSCocoa"), "\(arguments): \(outcome.errors)")
      }
    }

    private func link(_ folder: Folder) throws -> String {
      try FileManager.default.destinationOfSymbolicLink(
        atPath: folder.path("workspace/models/champion"))
    }
  }
}
