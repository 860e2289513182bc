import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One client's connection: requests in, answers out, until one side is done.
struct HTTPConnection: ~Copyable {
  private let descriptor: Int32
  private let peer: String
  private var buffer: [UInt8] = []

  /// The most bytes of a request's head and of its body.
  private static let headLimit = 64 << 10
  private static let bodyLimit = 8 << 20

  /// Why a request cannot be answered as meant.
  private enum Refusal: Error {
    /// The client is gone, or never spoke.
    case ended
    case status(Int)
  }

  /// The descriptor stays the caller's to close.
  init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
  }

  /// Serves requests until the connection ends.
  mutating func serve(
    now: () -> Instant, handler: (HTTPServerRequest) -> HTTPServerResponse
  ) {
    while true {
      let request: HTTPServerRequest
      do {
        request = try nextRequest()
      } catch {
        if case .status(let status) = error {
          send(HTTPServerResponse(status, text: "refused\n"), to: nil, date: now(), last: true)
        }
        return
      }
      let response = handler(request)
      let last = request.header("connection")?.lowercased() == "close"
      guard send(response, to: request, date: now(), last: last), !last else { return }
    }
  }

  @discardableResult
  private func send(
    _ response: HTTPServerResponse, to request: HTTPServerRequest?, date: Instant, last: Bool
  ) -> Bool {
    if response.delivery == .reset {
      Socket.resetOnClose(descriptor)
      return false
    }
    let reason = HTTPServerResponse.reasons[response.status] ?? "Status"
    var head = "HTTP/1.1 \(response.status) \(reason)\r\n"
    for header in response.headers { head += "\(header.name): \(header.value)\r\n" }
    if response.headers.allSatisfy({ $0.name.lowercased() != "date" }) {
      head += "Date: \(date.httpDate)\r\n"
    }
    if response.status != 204 { head += "Content-Length: \(response.body.count)\r\n" }
    if last { head += "Connection: close\r\n" }
    var bytes = Array((head + "\r\n").utf8)
    if request?.method != "HEAD", response.status != 204 {
      if case .cut(let count) = response.delivery {
        Socket.sendAll(descriptor, bytes + response.body.prefix(count))
        return false
      }
      bytes += response.body
    }
    return Socket.sendAll(descriptor, bytes)
  }

  private mutating func fill() throws(Refusal) {
    guard let chunk = try? readSome(descriptor, limit: 64 << 10), !chunk.isEmpty else {
      throw .ended
    }
    buffer += chunk
  }

  private mutating func take(_ count: Int) throws(Refusal) -> [UInt8] {
    while buffer.count < count { try fill() }
    let bytes = Array(buffer.prefix(count))
    buffer.removeFirst(count)
    return bytes
  }

  private mutating func line() throws(Refusal) -> String {
    var scanned = 0
    while true {
      if let end = buffer[scanned...].firstIndex(of: 0x0A) {
        guard end > 0, buffer[end - 1] == 0x0D,
          let text = String(validating: buffer[..<(end - 1)], as: UTF8.self)
        else { throw .status(400) }
        buffer.removeFirst(end + 1)
        return text
      }
      scanned = buffer.count
      guard buffer.count < Self.headLimit else { throw .status(413) }
      try fill()
    }
  }

  private mutating func nextRequest() throws(Refusal) -> HTTPServerRequest {
    let parts = try line().split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[2] == "HTTP/1.1", parts[1].first == "/" else {
      throw .status(400)
    }
    var headers: [(name: String, value: String)] = []
    while true {
      let text = try line()
      if text.isEmpty { break }
      guard headers.count < 100, let colon = text.firstIndex(of: ":"), colon > text.startIndex,
        text.first != " ", text.first != "\t"
      else { throw .status(400) }
      let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      headers.append((text[..<colon].lowercased(), String(value)))
    }
    let target = parts[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var segments: [String] = []
    for part in target[0].split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
      guard let segment = percentDecoded(part, plusIsSpace: false) else { throw .status(400) }
      segments.append(segment)
    }
    guard let query = formFields(target.count > 1 ? target[1] : "") else { throw .status(400) }
    var request = HTTPServerRequest(
      method: String(parts[0]), segments: segments, rawPath: String(target[0]), query: query,
      headers: headers, body: [], peer: peer)
    guard request.header("host") != nil else { throw .status(400) }
    request.body = try body(of: request)
    return request
  }

  private mutating func body(of request: HTTPServerRequest) throws(Refusal) -> [UInt8] {
    let lengths = request.headers.filter { $0.name == "content-length" }
    let coding = request.header("transfer-encoding")?.lowercased()
    guard lengths.count <= 1, lengths.isEmpty || coding == nil else { throw .status(400) }
    if request.header("expect")?.lowercased() == "100-continue" {
      Socket.sendAll(descriptor, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
    }
    if let length = lengths.first {
      guard let count = Int(length.value), count >= 0 else { throw .status(400) }
      guard count <= Self.bodyLimit else { throw .status(413) }
      return try take(count)
    }
    guard let coding else { return [] }
    guard coding == "chunked" else { throw .status(400) }
    var body: [UInt8] = []
    while true {
      let size = try line().prefix { $0 != ";" }
      guard (1...8).contains(size.count), let count = Int(size, radix: 16), count >= 0 else {
        throw .status(400)
      }
      guard body.count + count <= Self.bodyLimit else { throw .status(413) }
      if count == 0 { break }
      body += try take(count)
      guard try line().isEmpty else { throw .status(400) }
    }
    while try !line().isEmpty {}
    return body
  }
}
