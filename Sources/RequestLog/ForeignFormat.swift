/// A format that logs come in and that is not read here, told by a file's first bytes.
public enum ForeignFormat: Sendable, Hashable {
  /// Apache Parquet.
  case parquet
  /// Apache Arrow's file format (Feather).
  case arrow
  /// A SQLite database.
  case sqlite
  /// Packed by xz.
  case xz
  /// Packed by bzip2.
  case bzip2
  /// A zip archive.
  case zip

  /// The format that begins with `magic`; `nil` for what may be a log.
  ///
  /// - Parameter magic: The first four bytes, or fewer.
  init?(magic: [UInt8]) {
    switch magic {
    case Array("PAR1".utf8): self = .parquet
    case Array("ARRO".utf8): self = .arrow
    case Array("SQLi".utf8): self = .sqlite
    case [0xFD, 0x37, 0x7A, 0x58]: self = .xz
    case [0x50, 0x4B, 0x03, 0x04]: self = .zip
    default:
      guard magic.starts(with: Array("BZh".utf8)) else { return nil }
      self = .bzip2
    }
  }

  /// The format as people say it.
  var title: String {
    switch self {
    case .parquet: "a Parquet file"
    case .arrow: "an Arrow file"
    case .sqlite: "a SQLite database"
    case .xz: "packed by xz"
    case .bzip2: "packed by bzip2"
    case .zip: "a zip archive"
    }
  }

  /// How the file at `path` becomes one that is read: a command.
  func remedy(_ path: String) -> String {
    // As a shell's word and as SQL's text: neither may end early.
    let word = "'" + path.replacing("'", with: "'\\''") + "'"
    let text = path.replacing("'", with: "''")
    return switch self {
    case .parquet:
      "Convert it: duckdb -c \"COPY (SELECT * FROM '\(text)') TO 'log.jsonl' (FORMAT json)\""
    case .arrow:
      "Convert it: python3 -c \"import polars; polars.read_ipc('\(text)').write_ndjson('log.jsonl')\""
    case .sqlite: "Write its table of requests as JSON lines or CSV first."
    case .xz: "Unpack it: xz -dc \(word) | glidepath … -"
    case .bzip2: "Unpack it: bzip2 -dc \(word) | glidepath … -"
    case .zip: "Unpack it: unzip -p \(word) | glidepath … -"
    }
  }
}
