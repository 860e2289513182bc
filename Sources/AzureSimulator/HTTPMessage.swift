/// A request as it came in.
struct HTTPServerRequest: Sendable {
  var method: String
  /// The path's segments, percent-decoded.
  var segments: [String]
  /// As sent, without the query.
  var rawPath: String
  /// Names and values, percent-decoded, in order.
  var query: [(name: String, value: String)]
  /// Names in lower case.
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  /// The address it comes from.
  var peer: String

  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  func parameter(_ name: String) -> String? {
    query.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

/// An answer, and how it reaches the client.
struct HTTPServerResponse: Sendable {
  /// What is done to the bytes on their way: faults.
  enum Delivery: Sendable, Equatable {
    case whole
    /// The connection ends in the middle of the body, after this many bytes.
    case cut(after: Int)
    /// The connection is reset without a byte.
    case reset
  }

  var status: Int
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  var delivery = Delivery.whole

  init(status: Int) { self.status = status }

  init(_ status: Int, _ json: JSON) {
    self.status = status
    headers = [("Content-Type", "application/json; charset=utf-8")]
    body = json.encoded
  }

  init(_ status: Int, text: String, type: String = "text/plain") {
    self.status = status
    headers = [("Content-Type", type)]
    body = Array(text.utf8)
  }

  func adding(_ name: String, _ value: String) -> HTTPServerResponse {
    var copy = self
    copy.headers.append((name, value))
    return copy
  }

  static let reasons: [Int: String] = [
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
  ]
}

/// Undoes percent-encoding; nil where it is malformed or no UTF-8.
func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool) -> String? {
  var bytes: [UInt8] = []
  var rest = Substring(text).utf8
  while let byte = rest.first {
    rest = rest.dropFirst()
    if byte == UInt8(ascii: "%") {
      guard rest.count >= 2,
        let value = UInt8(String(Substring(rest.prefix(2))), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte == UInt8(ascii: "+") && plusIsSpace ? 0x20 : byte)
    }
  }
  return String(validating: bytes, as: UTF8.self)
}

/// `a=1&b=2` into its parts, decoded; nil where one is malformed.
func formFields(_ text: some StringProtocol) -> [(name: String, value: String)]? {
  var fields: [(name: String, value: String)] = []
  for part in text.split(separator: "&") {
    let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = percentDecoded(pair[0], plusIsSpace: true),
      let value = percentDecoded(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
    else { return nil }
    fields.append((name, value))
  }
  return fields
}
