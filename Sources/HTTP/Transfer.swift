import CCurl

/// One exchange on its way. Created anywhere, then used by the transfer thread alone.
final class Transfer {
  /// Who waits for the outcome; called once, on the transfer thread.
  let finish: @Sendable (Result<HTTPResponse, HTTPError>) -> Void

  private let request: HTTPRequest
  private var handle: EasyHandle
  private var body: [UInt8] = []
  private var headers: [(name: String, value: String)] = []
  private var headerSize = 0
  /// What was larger than it may be, in words.
  private var excess: String?

  init(
    _ request: HTTPRequest, certificates: CertificateSource,
    finish: @escaping @Sendable (Result<HTTPResponse, HTTPError>) -> Void
  ) throws(HTTPError) {
    self.request = request
    self.finish = finish
    let target = try RequestTarget(request)
    handle = try EasyHandle()
    try configure(target, certificates)
  }

  /// The libcurl handle that stands for this transfer in the multi handle.
  var easy: UnsafeMutableRawPointer { unsafe handle.borrowed }

  private func configure(
    _ target: RequestTarget, _ certificates: CertificateSource
  ) throws(HTTPError) {
    handle.set(CURLOPT_NOSIGNAL, 1)
    handle.set(CURLOPT_URL, request.url)
    handle.set(CURLOPT_PROTOCOLS_STR, target.isPlain ? "http" : "https")
    handle.set(CURLOPT_FOLLOWLOCATION, 0)
    handle.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    handle.set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
    handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    handle.set(CURLOPT_TIMEOUT_MS, request.timeout.wholeMilliseconds)
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, min(15_000, request.timeout.wholeMilliseconds))
    handle.set(CURLOPT_ACCEPT_ENCODING, "")
    if request.freshConnection { handle.set(CURLOPT_FRESH_CONNECT, 1) }
    if request.ipv4Only { handle.set(CURLOPT_IPRESOLVE, Int(CURL_IPRESOLVE_V4)) }
    if target.isLoopback || request.proxy == .none { handle.set(CURLOPT_PROXY, "") }
    if !target.isPlain {
      handle.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
      handle.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
      // Parallel calls to one host share its connection instead of racing to open several.
      handle.set(CURLOPT_PIPEWAIT, 1)
      if let file = certificates.file { handle.set(CURLOPT_CAINFO, file) }
      if let folder = certificates.folder { handle.set(CURLOPT_CAPATH, folder) }
    }

    var lines = ["Expect:"]
    // libcurl would call every body a form, an empty one too; a line without a value takes it away.
    if request.headers.allSatisfy({ $0.name.lowercased() != "content-type" }) {
      lines.append("Content-Type:")
    }
    for (name, value) in request.headers {
      guard RequestTarget.isFieldName(name), RequestTarget.isFieldValue(value) else {
        throw HTTPError(.requestInvalid, "a header field holds a character that is not allowed")
      }
      // "Name;" is how libcurl spells a header without a value.
      lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
    }
    try handle.setHeaders(lines)

    switch request.method {
    case .get: handle.set(CURLOPT_HTTPGET, 1)
    case .post: handle.set(CURLOPT_POST, 1)
    case .put, .delete: handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    }
    if let content = request.body ?? (request.method == .post ? [] : nil) {
      handle.setBody(content)
    }

    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe handle.setCallbacks(
      body: { data, size, count, context in
        guard let data = unsafe data, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let chunk = unsafe UnsafeRawBufferPointer(start: data, count: size * count)
        return unsafe transfer.receiveBody(chunk) ? size * count : 0
      },
      header: { data, size, count, context in
        guard let data = unsafe data, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let line = unsafe UnsafeRawBufferPointer(start: data, count: size * count)
        return unsafe transfer.receiveHeader(line) ? size * count : 0
      },
      context: context)
  }

  // An own cap: libcurl's MAXFILESIZE does not stop a transfer in progress before 8.4.0, and not
  // a decompressed one before 8.20.
  private func receiveBody(_ chunk: UnsafeRawBufferPointer) -> Bool {
    guard body.count + chunk.count <= request.bodyLimit else {
      excess = "the answer is larger than \(sizeText(request.bodyLimit))"
      return false
    }
    unsafe body.append(contentsOf: chunk)
    return true
  }

  private func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    headerSize += bytes.count
    guard headers.count < 500, headerSize <= Self.headerLimit else {
      excess = Self.headerExcess
      return false
    }
    let line = unsafe String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
      // The status line of the answer proper follows an interim one (100, 103).
      headers = []
      return true
    }
    guard let colon = line.firstIndex(of: ":") else { return true }
    let value = line[line.index(after: colon)...]
    headers.append((String(line[..<colon]), value.trimmingBlanks()))
    return true
  }

  /// Tells the outcome, once the multi handle has given the transfer up.
  func complete(_ result: CURLcode) {
    guard result == CURLE_OK else {
      finish(.failure(failure(result)))
      return
    }
    let status = handle.number(CURLINFO_RESPONSE_CODE)
    finish(.success(HTTPResponse(status: status, headers: HTTPHeaders(headers), body: body)))
  }

  private func failure(_ result: CURLcode) -> HTTPError {
    let wasSent = handle.number(CURLINFO_REQUEST_SIZE) > 0
    var kind = kindOfFailure(result)
    // A line that is too long for libcurl itself never comes here; it calls that its memory's end.
    if wasSent, kind == .outOfMemory { excess = excess ?? Self.headerExcess }
    if kind == .timedOut, !wasSent { kind = .connectFailed }
    if let excess {
      return HTTPError(.bodyTooLarge, excess, curlCode: Int(result.rawValue))
    }
    let message =
      result == CURLE_WRITE_ERROR ? "the answer cannot be decoded" : curlMessage(result)
    return HTTPError(kind, message, curlCode: Int(result.rawValue))
  }

  /// All lines together; libcurl has limits of its own, of a line and of all, beyond this.
  private static let headerLimit = 96 << 10
  private static let headerExcess =
    "the answer's header is larger than 500 lines or \(sizeText(headerLimit))"
}

/// `4 MiB`, `64 KiB`, `100 bytes`.
private func sizeText(_ bytes: Int) -> String {
  if bytes >= 1 << 20, bytes % (1 << 20) == 0 { return "\(bytes >> 20) MiB" }
  if bytes >= 1 << 10, bytes % (1 << 10) == 0 { return "\(bytes >> 10) KiB" }
  return "\(bytes) bytes"
}

/// What a `CURLcode` means for the caller (curl's "libcurl-errors" page).
private func kindOfFailure(_ code: CURLcode) -> HTTPError.Kind {
  switch code {
  case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT: .requestInvalid
  case CURLE_COULDNT_RESOLVE_HOST: .nameNotFound
  case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_PROXY: .connectFailed
  case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
    CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
    CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_NOTFOUND:
    .tlsFailed
  case CURLE_OPERATION_TIMEDOUT: .timedOut
  // 100 is CURLE_TOO_LARGE, which older headers do not name.
  case CURLE_OUT_OF_MEMORY, CURLcode(rawValue: 100): .outOfMemory
  case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR: .answerInvalid
  default: .interrupted
  }
}

extension Duration {
  /// Whole milliseconds, at least one: libcurl takes 0 for "for ever".
  var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return Int.max }
    return max(1, Int(clamping: product) + Int(attoseconds / 1_000_000_000_000_000))
  }
}

extension Substring {
  func trimmingBlanks() -> String {
    var text = self
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
