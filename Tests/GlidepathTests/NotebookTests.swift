import Foundation
import Testing

extension EndToEnd {
  /// The walk-throughs do what they say.
  @Suite struct NotebookTests {
    static let notebooks = [
      "01-first-model.md", "02-reading-the-accuracy-report.md", "03-a-bad-night.md",
      "04-tune.md",
    ]

    @Test(arguments: notebooks)
    func everyBlockRunsAndPrintsWhatItStates(name: String) throws {
      let file = Glidepath.repository.appendingPathComponent("notebooks-md/" + name)
      let blocks = Notebook.blocks(try String(contentsOf: file, encoding: .utf8))
      try #require(!blocks.isEmpty)
      let folder = try Folder()
      for block in blocks {
        let outcome = try Glidepath.bash("exec 2>&1\n" + block.script, in: folder)
        let place = "\(name), the block at line \(block.line):\n\(outcome.output)"
        try #require(outcome.status == 0, "\(place)")
        var rest = Substring(outcome.output)
        for text in block.expectations {
          let match = try #require(rest.range(of: text), "no \"\(text)\" in \(place)")
          rest = rest[match.upperBound...]
        }
      }
    }

    @Test func everyNotebookIsTested() throws {
      let folder = Glidepath.repository.appendingPathComponent("notebooks-md").path
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      // The notes on benchmarks show no commands that a test could afford.
      let walkThroughs = files.filter { !["README.md", "benchmarks.md"].contains($0) }
      #expect(walkThroughs.sorted() == Self.notebooks)
    }
  }
}

/// The `sh` blocks of a Markdown file.
enum Notebook {
  struct Block: Equatable {
    /// The line that its fence stands on, from 1.
    var line: Int
    var script = ""
    /// Texts that its output must contain, in this order.
    var expectations: [String] = []
  }

  static func blocks(_ markdown: String) -> [Block] {
    var blocks: [Block] = []
    var open: Block?
    for (index, line) in markdown.split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
    {
      if line == "```sh" {
        open = Block(line: index + 1)
      } else if line == "```", let block = open {
        blocks.append(block)
        open = nil
      } else if open != nil, line.hasPrefix("# expect: ") {
        open?.expectations.append(String(line.dropFirst("# expect: ".count)))
      } else if open != nil {
        open?.script += line + "\n"
      }
    }
    return blocks
  }
}
