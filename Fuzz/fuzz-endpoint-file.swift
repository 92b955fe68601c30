// Feeds bytes to the readers of the endpoint file and of the picker's configuration: nothing may
// crash, and what is accepted must be usable.
// `Fuzz/gateway.sh` builds it with libFuzzer and the address sanitizer.

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEndpointFile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  if let endpoints = try? EndpointFile.parse(bytes) {
    precondition(Set(endpoints.map(\.address)).count == endpoints.count, "an address twice")
    for endpoint in endpoints {
      precondition(!endpoint.name.isEmpty && endpoint.address.contains(":"), "no address")
    }
  }
  if let configuration = try? PickerConfiguration.parse(bytes) {
    precondition((try? configuration.validate()) != nil, "accepted, and not valid")
  }
  return 0
}
