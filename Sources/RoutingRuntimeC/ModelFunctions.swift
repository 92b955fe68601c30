internal import CoefficientFile
internal import RoutingRuntime

/// Layout of `glidepath_model_info`.
private struct ModelInfo {
  var version: UInt64 = 0
  var datasetFingerprint: UInt64 = 0
  var sampleCount: UInt64 = 0
  var firstReceivedNanoseconds: Int64 = 0
  var lastReceivedNanoseconds: Int64 = 0
  var loadedCount: UInt64 = 0
  var refusedCount: UInt64 = 0
}

@_cdecl("glidepath_abi_version")
func glidepathABIVersion() -> Int32 { 1 }

@_cdecl("glidepath_model_open")
func glidepathModelOpen(
  _ path: UnsafePointer<CChar>?, _ watch: Int32,
  _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  unsafe openModel(path, watch, nil, result)
}

/// The host's own check of a signature.
typealias SignatureCheck =
  @convention(c) (
    UnsafePointer<UInt8>?, Int64, UnsafePointer<UInt8>?, Int64, UnsafeMutableRawPointer?
  ) -> Int32

@_cdecl("glidepath_model_open_signed")
func glidepathModelOpenSigned(
  _ path: UnsafePointer<CChar>?, _ watch: Int32, _ check: SignatureCheck?,
  _ context: UnsafeMutableRawPointer?,
  _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  guard let check = unsafe check else { return noHandle() }
  // As a number: the header asks the host for a pointer that any thread may use.
  let host = UInt(bitPattern: context)
  return unsafe openModel(
    path, watch,
    { message, signature in
      unsafe check(
        message, Int64(message.count), signature, Int64(signature.count),
        UnsafeMutableRawPointer(bitPattern: host)) == 1
    }, result)
}

private func openModel(
  _ path: UnsafePointer<CChar>?, _ watch: Int32, _ verify: ModelHandle.Verification?,
  _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
  guard let result = unsafe result else {
    return ErrorText.note(.invalidArgument, "no place for the model")
  }
  unsafe result.pointee = nil
  guard let path = unsafe text(path), !path.isEmpty else {
    return ErrorText.note(.invalidArgument, "the path is missing or not UTF-8")
  }
  let model = ModelHandle(path: path, isWatched: watch != 0, verify: verify)
  if watch == 0, let refusal = model.refusal {
    return ErrorText.note(ResultCode(refusal.kind), refusal.reason)
  }
  unsafe result.pointee = Unmanaged.passRetained(model).toOpaque()
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_model_close")
func glidepathModelClose(_ model: UnsafeMutableRawPointer?) {
  guard let model = unsafe model else { return }
  let handle = unsafe Unmanaged<ModelHandle>.fromOpaque(model).takeRetainedValue()
  handle.close()
}

@_cdecl("glidepath_model_reload")
func glidepathModelReload(_ model: UnsafeMutableRawPointer?) -> Int32 {
  guard let model = unsafe handle(model, ModelHandle.self) else { return noHandle() }
  switch model.reload() {
  case .success: return ResultCode.ok.rawValue
  case .failure(let refusal): return ErrorText.note(ResultCode(refusal.kind), refusal.reason)
  }
}

@_cdecl("glidepath_model_describe")
func glidepathModelDescribe(
  _ model: UnsafeMutableRawPointer?, _ result: UnsafeMutableRawPointer?
) -> Int32 {
  guard let model = unsafe handle(model, ModelHandle.self), let result = unsafe result else {
    return noHandle()
  }
  var info = ModelInfo()
  (info.loadedCount, info.refusedCount) = model.loadedAndRefused
  let reader = ModelReader(model.published)
  info.version = reader.version
  if let provenance = reader.predictor?.model.provenance {
    info.datasetFingerprint = provenance.datasetFingerprint
    info.sampleCount = provenance.sampleCount
    info.firstReceivedNanoseconds = provenance.firstReceivedNanoseconds
    info.lastReceivedNanoseconds = provenance.lastReceivedNanoseconds
  }
  unsafe result.assumingMemoryBound(to: ModelInfo.self).pointee = info
  return ResultCode.ok.rawValue
}

@_cdecl("glidepath_model_refusal")
func glidepathModelRefusal(
  _ model: UnsafeMutableRawPointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int64
) -> Int64 {
  let model = unsafe handle(model, ModelHandle.self)
  return unsafe ErrorText.copy(model?.refusal?.reason ?? "", to: buffer, size: size)
}

@_cdecl("glidepath_last_error")
func glidepathLastError(_ buffer: UnsafeMutablePointer<CChar>?, _ size: Int64) -> Int64 {
  unsafe ErrorText.copy(ErrorText.last, to: buffer, size: size)
}

// MARK: - Arguments

/// The object behind an opaque pointer.
func handle<Object: AnyObject>(
  _ pointer: UnsafeMutableRawPointer?, _ type: Object.Type
) -> Object? {
  guard let pointer = unsafe pointer else { return nil }
  return unsafe Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
}

/// The text behind a C string; `nil` when there is none or it is not UTF-8.
func text(_ pointer: UnsafePointer<CChar>?) -> String? {
  guard let pointer = unsafe pointer else { return nil }
  return unsafe String(validatingCString: pointer)
}

/// Notes that a handle or a place for a result is missing.
func noHandle() -> Int32 { ErrorText.note(.invalidArgument, "a handle or a result is null") }
