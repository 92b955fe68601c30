import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Testing

@testable import EndpointPicker

@Suite struct DashboardTests {
  static let browser = ["chromium", "chromium-browser", "google-chrome"]
    .map { "/usr/bin/" + $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test func pageIsSelfContained() async throws {
    try await RunningPicker.with { running in
      let page = try await running.ask("/")
      #expect(page.status == 200)
      #expect(!page.body.contains("http://") || !page.body.contains("src=\"http"))
      #expect(!page.body.contains("https://"))
      #expect(page.body.contains("prefers-color-scheme: dark"))
      #expect(!page.body.contains("innerHTML"), "text of the picker never becomes markup")
    }
  }

  /// What the page shows after it ran in a browser.
  private func dump(_ url: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.browser ?? "/bin/false")
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--virtual-time-budget=3000", "--timeout=20000", "--dump-dom", url,
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(.enabled(if: DashboardTests.browser != nil, "no Chromium here"))
  func browserShowsThePool() async throws {
    try await RunningPicker.with(model: SyntheticModel.constant(50)) { configuration in
      configuration.pool = "llama-pool"
    } _: { running in
      running.serve(40)
      try running.folder.write("not a model", to: "champion.glide")
      #expect(await eventually { running.runtime.snapshot().reloads.refused["malformed"] == 1 })
      let page = try dump(running.base + "/?still")
      for text in ["llama-pool", ">e0<", ">e1<", ">e2<", ">ready<", "predictedCost"] {
        #expect(page.contains(text), "\(text)")
      }
      #expect(page.contains("50 / 50"), "predicted TTFT of each endpoint")
      #expect(page.contains("<circle"), "the scatter of predicted against actual")
      #expect(page.contains(">in force<"))
      #expect(page.contains(">refused<"), "the reload history")
    }
  }
}
