import HTTP

/// One call as it goes out, before a token is put to it.
struct ARMCall: Sendable {
  var method: HTTPRequest.Method
  /// Scheme, host, path and query.
  var url: String
  var body: [UInt8]?
  var purpose: String
  /// Whether a second time does no harm.
  var isRepeatable: Bool
  var timeout: Duration
  /// Whether another way leads to the same end, so that a refusal is not sat out.
  var hasFallBack = false

  /// For the log: without the host and the query.
  var path: String { URLText.path(of: url) }

  /// The subscription it is about, lower-cased.
  var subscription: String? { URLText.subscription(of: url) }
}

/// Writes URLs so that no part can end the part that it stands in.
enum URLText {
  private static let unreserved = Set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
  // RFC 3986 pchar, and the slash between segments.
  private static let inPath = unreserved.union("/!$&'()*+,;=:@".utf8)

  static func path(_ text: String) -> String { encode(text, keeping: inPath) }

  static func query(_ items: [(name: String, value: String)]) -> String {
    items.map { item in
      encode(item.name, keeping: unreserved.union("$".utf8)) + "="
        + encode(item.value, keeping: unreserved)
    }.joined(separator: "&")
  }

  /// The path of a URL, without host and query.
  static func path(of url: String) -> String {
    let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
    let path = rest.firstIndex(of: "/").map { rest[$0...] } ?? rest
    return String(path.prefix { $0 != "?" })
  }

  /// The subscription that a URL is about, lower-cased.
  static func subscription(of url: String) -> String? {
    let segments = path(of: url).split(separator: "/")
    guard segments.count >= 2, segments[0].lowercased() == "subscriptions" else { return nil }
    return segments[1].lowercased()
  }

  private static func encode(_ text: String, keeping allowed: Set<UInt8>) -> String {
    let hex = Array("0123456789ABCDEF".utf8)
    var output: [UInt8] = []
    for byte in text.utf8 {
      if allowed.contains(byte) {
        output.append(byte)
      } else {
        output += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: output, as: UTF8.self)
  }
}
