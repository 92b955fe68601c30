import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A real Envoy with the configuration that the project ships, on loopback.
final class EnvoyProcess: Sendable {
  enum Failure: Error {
    case missing
    case notReady(log: String)
  }

  /// The root of the checkout.
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The binary: `ENVOY` of the environment, else what `deploy/fetch-envoy.sh` has fetched.
  static let binary: String? = {
    let fetched = root.appending(path: ".build/envoy/envoy").path
    let path = ProcessInfo.processInfo.environment["ENVOY"] ?? fetched
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()

  /// The port that clients connect to.
  let port: Int
  private let adminPort: Int
  private let folder: URL
  private let processes = Mutex<[Process]>([])

  /// Starts Envoy in front of the picker at `pickerPort` and waits until it serves.
  ///
  /// A port that was free may be taken before Envoy binds it; others are tried then.
  static func start(
    configuration: String = "envoy.yaml", pickerPort: Int, changes: [(String, String)] = []
  ) async throws -> EnvoyProcess {
    for _ in 0..<4 {
      do {
        return try await EnvoyProcess(
          configuration: configuration, pickerPort: pickerPort, changes: changes)
      } catch Failure.notReady(let log) where log.contains("Address already in use") {
        continue
      }
    }
    return try await EnvoyProcess(
      configuration: configuration, pickerPort: pickerPort, changes: changes)
  }

  private init(
    configuration: String, pickerPort: Int, changes: [(String, String)]
  ) async throws {
    port = try Loopback.freePort()
    adminPort = try Loopback.freePort()
    folder = FileManager.default.temporaryDirectory.appending(path: "envoy-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var text = try String(
      contentsOf: Self.root.appending(path: "deploy/envoy/\(configuration)"), encoding: .utf8)
    text = text.replacing("address: 0.0.0.0", with: "address: 127.0.0.1")
      .replacing("LISTEN_PORT", with: "\(port)").replacing("ADMIN_PORT", with: "\(adminPort)")
      .replacing("PICKER_PORT", with: "\(pickerPort)")
    for (old, new) in changes { text = text.replacing(old, with: new) }
    // An unoptimized picker on a busy machine is slow, not hung.
    text = text.replacing("interval: 5s, timeout: 5s", with: "interval: 60s, timeout: 60s")
    try text.write(
      to: folder.appending(path: "envoy.yaml"), atomically: true, encoding: .utf8)
    try await launch(["--use-dynamic-base-id", "--base-id-path", folder.appending(path: "id").path])
    try await waitUntilReady(epoch: 0)
  }

  /// Starts a second Envoy that takes over the listeners of the first and lets it end.
  func hotRestart() async throws {
    let identifier = try String(
      contentsOf: folder.appending(path: "id"), encoding: .utf8)
    try await launch(["--base-id", identifier, "--restart-epoch", "1"])
    try await waitUntilReady(epoch: 1)
    try await eventually { [self] in processes.withLock { $0.first?.isRunning == false } }
  }

  /// A figure that Envoy keeps, 0 when it does not.
  func statistic(_ name: String) async throws -> Int {
    let answer = try await TestClient.send(port: adminPort, path: "/stats?filter=\(name)")
    let line = String(decoding: answer.body, as: UTF8.self).split(separator: "\n").first
    return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
  }

  deinit { stop() }

  func stop() {
    for process in processes.withLock({ $0 }) where process.isRunning {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    try? FileManager.default.removeItem(at: folder)
  }

  /// A process on its way to another thread, which alone uses it until it runs.
  private struct Started: @unchecked Sendable {
    let process: Process

    init(_ process: Process) { self.process = process }
  }

  private func launch(_ arguments: [String]) async throws {
    guard let binary = Self.binary else { throw Failure.missing }
    let process = Process()
    process.executableURL = URL(filePath: binary)
    process.arguments =
      arguments + [
        "-c", folder.appending(path: "envoy.yaml").path, "--concurrency", "2",
        "--drain-time-s", "1", "--parent-shutdown-time-s", "2", "-l", "warning",
        "--log-path", folder.appending(path: "log").path,
      ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let started = Started(process)
    // Envoy asks the kernel for SIGTERM when the thread that started it ends: take one that stays.
    try await Loopback.group.next().submit {
      // A child inherits the thread's blocked signals, and Envoy is told to end by one.
      var none = sigset_t()
      var former = sigset_t()
      sigemptyset(&none)
      pthread_sigmask(SIG_SETMASK, &none, &former)
      defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
      try started.process.run()
    }.get()
    processes.withLock { $0.append(process) }
  }

  /// Waits until it listens and knows that the picker is healthy.
  private func waitUntilReady(epoch: Int) async throws {
    do {
      try await eventually { [self] in
        // Envoy ends when it cannot bind.
        guard processes.withLock({ $0.last?.isRunning == true }) else { throw NeverHappened() }
        let answer = try? await TestClient.send(
          port: adminPort, path: "/stats?filter=cluster.picker.membership_healthy")
        let text = String(decoding: answer?.body ?? [], as: UTF8.self)
        let information = try? await TestClient.send(port: adminPort, path: "/server_info")
        let server = String(decoding: information?.body ?? [], as: UTF8.self)
        return text.contains("membership_healthy: 1") && server.contains("\"LIVE\"")
          && server.contains("\"restart_epoch\": \(epoch)")
      }
    } catch {
      let log = try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)
      stop()
      throw Failure.notReady(log: log ?? "")
    }
  }
}

/// A condition was not met in time.
struct NeverHappened: Error {}

/// Waits until `condition` holds, for at most a time that no machine needs.
func eventually(_ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  throw NeverHappened()
}
