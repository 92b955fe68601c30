import Foundation
import GRDB
public import RequestLog

/// Why the workspace refused.
public enum LogStoreError: Error, Sendable {
  /// There is no workspace in the folder; the payload says what was found.
  case notAWorkspace(path: String, detail: String)
  /// A later version of glidepath has written the workspace.
  case newerSchema(path: String)
  /// Another process kept the database locked for longer than we wait.
  case locked(path: String, waitedSeconds: Double)
  /// The disk, or the quota, is full.
  case diskFull(path: String)
  /// The database is damaged.
  case corrupt(path: String, detail: String)
  /// The database may not be written.
  case readOnly(path: String)
  /// The system refused to open, read or write a file.
  case inputOutput(path: String, errno: Int32)
  /// Any other refusal of SQLite, with its own words.
  case database(path: String, code: Int32, detail: String)
  /// The log could not be read or has too many bad lines; nothing of the ingest was kept.
  case log(RequestLogError)
  /// A model id is no plain file name of at most 100 letters, digits, dots, dashes and underscores.
  case badModelID(String)
  /// A model with this id and other bytes is stored.
  case modelExists(String)
  /// No model has this id.
  case noSuchModel(String)
  /// The champion has no predecessor.
  case nothingToRollBackTo
  /// Another process promoted a model at the same time; the link is as that process left it.
  case promotionOvertaken(model: String)
  /// Another retrain is running in the workspace.
  case retrainRunning(directory: String)
  /// The caller's own code stopped the reading.
  case stopped(by: any Error)
}

extension LogStoreError: CustomStringConvertible {
  /// What happened, and what to do, for a person.
  public var description: String {
    switch self {
    case .notAWorkspace(let path, let detail):
      return "\(path) is no glidepath workspace: \(detail); create one with `glidepath ingest`,"
        + " or name the right folder"
    case .newerSchema(let path):
      return "\(path) was written by a newer glidepath; install that version"
    case .locked(let path, let waited):
      return "\(path) is in use by another process (waited \(waited) s); try again when its"
        + " ingest or retrain is done"
    case .diskFull(let path):
      return "no space is left for \(path); free some, or prune old requests; nothing was changed"
    case .corrupt(let path, let detail):
      return "\(path) is damaged (\(detail)); restore it from a backup, or move it away and"
        + " ingest the logs again"
    case .readOnly(let path):
      return "\(path) may not be written; check its owner and the mount"
    case .inputOutput(let path, let code):
      return "\(path): \(FileSystem.message(code)); check the path, its rights and the disk"
    case .database(let path, let code, let detail):
      return "\(path): SQLite refused with code \(code): \(detail)"
    case .log(let error): return "\(error)"
    case .badModelID(let id):
      return "\"\(id)\" is no model id; use up to 100 letters, digits, dots, dashes, underscores"
    case .modelExists(let id): return "another model is stored as \(id); choose another id"
    case .noSuchModel(let id):
      return "there is no model \(id); `glidepath history` lists the models"
    case .nothingToRollBackTo:
      return "the champion has no predecessor to roll back to; promote a model by its id instead"
    case .promotionOvertaken(let model):
      return "another process changed the champion while \(model) was promoted; look at"
        + " `glidepath history` and try again"
    case .retrainRunning(let directory):
      return "another retrain is running in \(directory); wait for its end, then try again"
    case .stopped(let error): return "\(error)"
    }
  }
}

extension LogStoreError {
  /// Runs `body` and turns what it throws into this module's error.
  static func mapping<Result>(
    _ path: String, waited: Double, _ body: () throws -> Result
  ) throws(LogStoreError) -> Result {
    do {
      return try body()
    } catch let error as LogStoreError {
      throw error
    } catch let error as RequestLogError {
      throw from(error, path, waited)
    } catch let error as DatabaseError {
      throw from(error, path, waited)
    } catch let error as ChunkFault {
      throw .corrupt(path: path, detail: error.detail)
    } catch {
      throw .database(path: path, code: 0, detail: "\(error)")
    }
  }

  /// A handler of ours may have stopped the reader: then its error counts.
  private static func from(
    _ error: RequestLogError, _ path: String, _ waited: Double
  ) -> LogStoreError {
    guard case .stopped(let inner) = error else { return .log(error) }
    if let inner = inner as? LogStoreError { return inner }
    if let inner = inner as? ChunkFault { return .corrupt(path: path, detail: inner.detail) }
    if let inner = inner as? DatabaseError { return from(inner, path, waited) }
    return .stopped(by: inner)
  }

  private static func from(
    _ error: DatabaseError, _ path: String, _ waited: Double
  ) -> LogStoreError {
    let detail = error.message ?? "no details"
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return .locked(path: path, waitedSeconds: waited)
    case .SQLITE_FULL: return .diskFull(path: path)
    case .SQLITE_CORRUPT: return .corrupt(path: path, detail: detail)
    case .SQLITE_NOTADB: return .notAWorkspace(path: path, detail: "the file is no database")
    case .SQLITE_READONLY: return .readOnly(path: path)
    default:
      return .database(
        path: path, code: error.extendedResultCode.rawValue, detail: detail)
    }
  }
}
