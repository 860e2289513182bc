import CCurl

/// libcurl's global state, set up once and never torn down.
let curlIsReady: Bool = {
  curl_global_init(ccurl_global_default) == CURLE_OK
}()

/// An easy handle of libcurl, owned by one transfer and confined to the transfer thread.
@safe struct EasyHandle: ~Copyable {
  private let pointer: UnsafeMutableRawPointer
  /// Header and list memory that libcurl borrows until the handle goes.
  private var list: UnsafeMutablePointer<curl_slist>?

  init() throws(HTTPError) {
    guard curlIsReady, let pointer = unsafe curl_easy_init() else {
      throw HTTPError(.outOfMemory, "libcurl did not start")
    }
    unsafe self.pointer = pointer
  }

  deinit {
    unsafe curl_easy_cleanup(pointer)
    unsafe curl_slist_free_all(list)
  }

  /// Lends the pointer to the multi handle, which identifies a transfer by it.
  var borrowed: UnsafeMutableRawPointer { unsafe pointer }

  func set(_ option: CURLoption, _ value: Int) {
    _ = unsafe ccurl_set_long(pointer, option, value)
  }

  func set(_ option: CURLoption, _ value: String) {
    _ = unsafe ccurl_set_string(pointer, option, value)
  }

  /// Sets the request's body, which libcurl copies.
  func setBody(_ bytes: [UInt8]) {
    _ = unsafe ccurl_set_size(pointer, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count))
    _ = unsafe bytes.withUnsafeBytes { buffer in
      // libcurl reads exactly the size set above; an empty array may have no address.
      unsafe ccurl_set_pointer(
        pointer, CURLOPT_COPYPOSTFIELDS,
        UnsafeMutableRawPointer(mutating: buffer.baseAddress ?? UnsafeRawPointer(pointer)))
    }
  }

  mutating func setHeaders(_ lines: [String]) throws(HTTPError) {
    for line in lines {
      guard let longer = unsafe curl_slist_append(list, line) else {
        throw HTTPError(.outOfMemory, "out of memory")
      }
      unsafe list = longer
    }
    _ = unsafe ccurl_set_list(pointer, CURLOPT_HTTPHEADER, list)
  }

  /// Lets a function of the transfer see the body and header bytes as they come.
  func setCallbacks(
    body: @escaping ccurl_data_callback, header: @escaping ccurl_data_callback,
    context: UnsafeMutableRawPointer
  ) {
    _ = unsafe ccurl_set_data_callback(pointer, CURLOPT_WRITEFUNCTION, body)
    _ = unsafe ccurl_set_pointer(pointer, CURLOPT_WRITEDATA, context)
    _ = unsafe ccurl_set_data_callback(pointer, CURLOPT_HEADERFUNCTION, header)
    _ = unsafe ccurl_set_pointer(pointer, CURLOPT_HEADERDATA, context)
  }

  func number(_ info: CURLINFO) -> Int {
    var value = 0
    _ = unsafe ccurl_get_long(pointer, info, &value)
    return value
  }
}

/// libcurl's text for a code.
func curlMessage(_ code: CURLcode) -> String {
  guard let text = unsafe curl_easy_strerror(code) else { return "curl error \(code.rawValue)" }
  return unsafe String(cString: text)
}
