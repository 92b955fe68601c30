import ArgumentParser
import CoefficientFile
import Crypto
import Foundation
import LogStore
import RequestLog
import Retraining

/// What every command understands.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document instead of text; no progress.")
  var json = false

  var progress: Progress { Progress(isQuiet: json) }
}

/// How logs are read.
struct LogOptions: ParsableArguments {
  @Option(help: "A field mapping: envoy, otel-genai, llm-d, or a YAML file.")
  var mapping: String?

  @Option(help: "Threads; 0 means all cores.")
  var threads = 0

  @Option(help: "The share of bad lines above which the log is refused, 0…1.")
  var maximumBadShare = 0.05

  var threadCount: Int {
    threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
  }

  func validate() throws {
    guard (0...1).contains(maximumBadShare) else {
      throw ValidationError("--maximum-bad-share must be 0…1")
    }
  }

  func configuration() throws -> LogReader.Configuration {
    try LogReader.Configuration(
      threads: threadCount, mapping: mapping.map { try FieldMapping.named($0) },
      maximumBadShare: maximumBadShare, batchRows: 65_536)
  }

  /// Reads `inputs` whole, reporting quarantined lines on standard error.
  ///
  /// - Parameter isForFit: Keeps only what a fit needs, so that memory stays bounded.
  func read(
    _ inputs: [String], _ progress: Progress, isForFit: Bool = false
  ) throws -> LoadedLog {
    let log = try LoadedLog.read(
      inputs, configuration: configuration(), rowLimit: isForFit ? LoadedLog.fitRowLimit : nil,
      keepsIDs: !isForFit
    ) { done, total in
      progress.update("reading the log", total.map { Double(done) / Double(max($0, 1)) } ?? 0)
    }
    progress.finish()
    if let first = log.rejected.first {
      let sentence =
        "\(log.rejected.count) lines quarantined; the first: \(first.file):\(first.lineNumber): "
        + "\(first.sentence) \(first.remedy)\n"
      FileHandle.standardError.write(Data(sentence.utf8))
    }
    return log
  }
}

/// Where the workspace is.
struct WorkspaceOptions: ParsableArguments {
  @Option(name: [.customLong("workspace"), .customShort("w")], help: "The workspace's folder.")
  var directory = "glidepath-workspace"

  func open(create: Bool = false) throws -> Workspace {
    try Workspace(directory: directory, create: create)
  }
}

/// Ed25519 keys: 32 raw bytes, as 64 hexadecimal digits in a file.
enum SigningKeys {
  /// A signer from a private key's file.
  static func signer(_ path: String) throws -> @Sendable ([UInt8]) -> [UInt8]? {
    let key = try key(path, Curve25519.Signing.PrivateKey.init(rawRepresentation:))
    return { message in (try? key.signature(for: message)).map { [UInt8]($0) } }
  }

  /// A verifier from a public key's file.
  static func verifier(_ path: String) throws -> @Sendable ([UInt8], [UInt8]) -> Bool {
    let key = try key(path, Curve25519.Signing.PublicKey.init(rawRepresentation:))
    return { message, signature in key.isValidSignature(signature, for: message) }
  }

  private static func key<Key>(_ path: String, _ make: ([UInt8]) throws -> Key) throws -> Key {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure("\(path): the key cannot be read; check the path and its rights")
    }
    guard let bytes = keyBytes(data), let key = try? make(bytes) else {
      throw CommandFailure(
        "\(path): is no key; an Ed25519 key is 64 hexadecimal digits (32 bytes) in a text file")
    }
    return key
  }

  private static func keyBytes(_ data: Data) -> [UInt8]? {
    let text = String(decoding: data.prefix(1000), as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    var bytes: [UInt8] = []
    var rest = Substring(text)
    while rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16) {
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes.count == 32 && rest.isEmpty ? bytes : nil
  }
}

/// Reads a model, saying which file is wrong.
enum ModelFiles {
  static func read(_ path: String, publicKey: String? = nil) throws -> GlideModel {
    let verify = try publicKey.map { try SigningKeys.verifier($0) }
    do {
      return try CoefficientFile.read(path: path, verify: verify)
    } catch CoefficientFileError.inputOutput(let place, let operation, let code) where place == path
    {
      // The path stands in the error's own words.
      let error = CoefficientFileError.inputOutput(path: place, operation: operation, code: code)
      throw CommandFailure("\(error)")
    } catch {
      throw CommandFailure("\(path): \(error)")
    }
  }
}
