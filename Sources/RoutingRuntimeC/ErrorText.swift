internal import Glibc

/// Texts that a thread asks for after a failed call.
enum ErrorText {
  /// One text per thread, freed with the thread.
  private final class Box {
    var text = ""
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    unsafe pthread_key_create(&key) { box in
      guard let box = unsafe box else { return }
      unsafe Unmanaged<Box>.fromOpaque(box).release()
    }
    return key
  }()

  /// The calling thread's text.
  static var last: String {
    guard let box = unsafe pthread_getspecific(key) else { return "" }
    return unsafe Unmanaged<Box>.fromOpaque(box).takeUnretainedValue().text
  }

  /// Keeps `text` for the calling thread and returns `code`.
  static func note(_ code: ResultCode, _ text: String) -> Int32 {
    let box: Box
    if let known = unsafe pthread_getspecific(key) {
      box = unsafe Unmanaged<Box>.fromOpaque(known).takeUnretainedValue()
    } else {
      box = Box()
      unsafe pthread_setspecific(key, Unmanaged.passRetained(box).toOpaque())
    }
    box.text = text
    return code.rawValue
  }

  /// Copies `text` into `buffer`, cut to `size` bytes with the terminator; returns its whole length.
  static func copy(_ text: String, to buffer: UnsafeMutablePointer<CChar>?, size: Int64) -> Int64 {
    let bytes = Array(text.utf8)
    if let buffer = unsafe buffer, size > 0 {
      let count = min(bytes.count, Int(size) - 1)
      for index in 0..<count { unsafe buffer[index] = CChar(bitPattern: bytes[index]) }
      unsafe buffer[count] = 0
    }
    return Int64(bytes.count)
  }
}
