import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Testing

/// The examples run as a host would run them: another language, the shared library, the header.
@Suite struct ExampleTests {
  private let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Examples")

  private var include: String {
    examples.appendingPathComponent("../../../Sources/RoutingRuntimeC/include").standardized.path
  }

  /// Products stand beside the tests.
  private var products: URL {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  }

  private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  private func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("capi-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  private func compile(_ name: String, into folder: URL) throws -> String {
    let program = folder.appendingPathComponent(name).path
    let result = try run([
      "clang", "-Wall", "-Wextra", "-Werror", "-I", include, "-o", program,
      examples.appendingPathComponent(name + ".c").path, "-L", products.path,
      "-lglidepath_runtime", "-lm", "-Wl,-rpath," + products.path,
    ])
    try #require(result.status == 0, Comment(rawValue: result.output))
    return program
  }

  private func model(in folder: URL) throws -> String {
    let path = folder.appendingPathComponent("m.glide").path
    try CoefficientFile.write(SyntheticModel.model(seed: 4).encoded(), to: path)
    return path
  }

  /// What the examples do, in Swift.
  private func expectedOutput() throws -> String {
    let predictor = try Predictor.compile(SyntheticModel.model(seed: 4)).get()
    var pool = EndpointPool(predictor: predictor)
    for (name, accelerator) in [("e0", "fast"), ("e1", "")] {
      _ = pool.addEndpoint(
        named: name, accelerator: accelerator, engine: predictor.model.engines[0])
    }
    let matched: [Double] = [100, 0]
    var output = ""
    for turn in 0..<10 {
      let time = 400 * Double(turn)
      let requests = matched.map {
        RequestShape(promptTokens: 1500, matchedPrefixTokens: $0, maximumTokens: 256)
      }
      let predictions = (0..<2).compactMap { pool.predict(requests[$0], on: $0, at: time) }
      let best = predictions[0].ttft.p90 <= predictions[1].ttft.p90 ? 0 : 1
      let handle = pool.dispatched(requests[best], to: best, at: time)
      pool.firstToken(handle, at: time + 120)
      pool.observe(
        EngineSnapshot(
          waitingRequests: 0, runningRequests: 1, kvCacheUsage: 0.1, time: time + 150), on: best)
      pool.finished(handle, outputTokens: 30, at: time + 380)
      let (ttft, tpot) = (predictions[best].ttft.p90, predictions[best].tpot.mean)
      output += String(format: "%d %.17g %.17g\n", best, ttft, tpot)
    }
    return output + "0 1 4\n"
  }

  @Test func theCExamplePredictsWhatSwiftPredicts() throws {
    try withFolder { folder in
      let program = try compile("example", into: folder)
      let result = try run([program, try model(in: folder)])
      #expect(result.status == 0)
      #expect(try result.output == expectedOutput())
    }
  }

  @Test func thePythonExamplePredictsWhatSwiftPredicts() throws {
    try withFolder { folder in
      let result = try run([
        "python3", examples.appendingPathComponent("example.py").path,
        products.appendingPathComponent("libglidepath_runtime.so").path, try model(in: folder),
      ])
      #expect(result.status == 0)
      #expect(try result.output == expectedOutput())
    }
  }

  @Test func misuseReturnsCodesAndNeverCrashes() throws {
    try withFolder { folder in
      let program = try compile("misuse", into: folder)
      let bad = folder.appendingPathComponent("bad.glide").path
      try CoefficientFile.write(Array("not a model".utf8), to: bad)
      let result = try run([program, try model(in: folder), bad])
      #expect(result.status == 0, Comment(rawValue: result.output))
    }
  }
}
