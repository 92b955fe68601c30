import Foundation

/// The files that commands write: checked before the work, written where they are.
enum OutputFiles {
  /// Throws at once what writing to `path` would otherwise throw after the work.
  ///
  /// - Parameter isReplaced: Whether another file is renamed over it. A device or a pipe would
  ///   be gone then, so it is refused.
  static func check(_ path: String, isReplaced: Bool = false) throws {
    let url = URL(fileURLWithPath: path)
    let folder = url.deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    let files = FileManager.default
    guard unsafe files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw CommandFailure("\(path): there is no folder \(folder); create it first")
    }
    let exists = unsafe files.fileExists(atPath: path, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      throw CommandFailure("\(path): is a folder; name a file in it")
    }
    if exists, isReplaced, !isPlain(url) {
      throw CommandFailure("\(path): is no plain file and cannot be replaced; name another file")
    }
    let asked = exists && !isReplaced ? path : folder
    guard files.isWritableFile(atPath: asked) else {
      throw CommandFailure("\(path): \(asked) may not be written; check its owner and rights")
    }
  }

  /// Writes `data` to `path`, into what is there already if something is.
  static func write(_ data: Data, to path: String) throws {
    let handle = try open(path)
    try write(data, to: handle, named: path)
  }

  /// Opens `path` for writing, empty; a device, a pipe or a link stays what it is.
  static func open(_ path: String) throws -> FileHandle {
    try check(path)
    let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure(path, "opened", errno) }
    return FileHandle(fileDescriptor: file, closeOnDealloc: true)
  }

  /// Writes all of `data`, or says which file refused it.
  static func write(_ data: Data, to handle: FileHandle, named path: String) throws {
    do {
      try handle.write(contentsOf: data)
    } catch {
      throw failure(path == "-" ? "standard output" : path, "written", errno)
    }
  }

  private static func isPlain(_ url: URL) -> Bool {
    let resolved = url.resolvingSymlinksInPath().path
    let type = try? FileManager.default.attributesOfItem(atPath: resolved)[.type]
    return type as? FileAttributeType == .typeRegular
  }

  private static func failure(_ path: String, _ verb: String, _ code: Int32) -> CommandFailure {
    CommandFailure(
      "\(path): cannot be \(verb): \(systemWords(code)); check its rights and the "
        + "free space")
  }

  private static func systemWords(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}
