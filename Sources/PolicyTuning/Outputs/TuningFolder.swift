public import CoefficientFile
internal import Foundation
internal import RoutingRuntime

/// Where a tuning's files go.
public enum TuningFolder {
  /// Writes the report as `report.html`, `report.md` and `report.json`; where the advice is to adopt,
  /// the policy too: `tuned.glide`, or `endpoint-picker-config.yaml` for llm-d's router.
  ///
  /// - Parameters:
  ///   - model: The coefficient file whose policy section is replaced; all else stays.
  ///   - sign: See ``GlideModel``.
  /// - Returns: The paths written.
  /// - Throws: ``PolicyTuningError/inputOutput(path:reason:)``.
  public static func write(
    _ result: TuningResult, model: GlideModel, to folder: String,
    sign: ((_ message: [UInt8]) -> [UInt8]?)? = nil
  ) throws(PolicyTuningError) -> [String] {
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .inputOutput(
        path: folder, reason: "cannot be created: \(error.localizedDescription)")
    }
    var files: [(name: String, bytes: [UInt8])] = [
      ("report.html", Array(TuningPage.html(result).utf8)),
      ("report.md", Array(TuningMarkdown.text(result).utf8)),
      ("report.json", Array(TuningDocument(result).text.utf8)),
    ]
    if result.advice.decision == .adopt, let policy = result.tuned?.policy {
      if let tuned = PolicyFiles.model(model, with: policy) {
        do {
          files.append(("tuned.glide", try tuned.encoded(sign: sign)))
        } catch {
          throw .inputOutput(path: folder + "/tuned.glide", reason: "\(error)")
        }
      } else if let configuration = PolicyFiles.endpointPickerConfig(policy) {
        files.append(("endpoint-picker-config.yaml", Array(configuration.utf8)))
      }
    }
    var paths: [String] = []
    for (name, bytes) in files {
      let path = folder + "/" + name
      do {
        try CoefficientFile.write(bytes, to: path)
      } catch {
        throw .inputOutput(path: path, reason: "\(error)")
      }
      paths.append(path)
    }
    return paths
  }
}
