/// Whether a URL may be asked: https anywhere, plain http on loopback alone.
struct RequestTarget {
  var isPlain: Bool
  var isLoopback: Bool

  init(_ request: HTTPRequest) throws(HTTPError) {
    let url = request.url
    // libcurl would take some of these; no URL that we build holds them.
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
      throw HTTPError(.requestInvalid, "the address holds a character that is not allowed")
    }
    guard let parts = URLParts(url) else {
      throw HTTPError(.requestInvalid, "not an http or https address")
    }
    isPlain = parts.scheme == "http"
    isLoopback = Self.isLoopback(parts.host)
    if isPlain, !isLoopback, !request.allowsPlainHTTP {
      throw HTTPError(.requestInvalid, "plain http is only for addresses of this machine")
    }
  }

  /// 127/8, `::1` and `localhost`, spelled plainly: a name that resolves to them does not count.
  package static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" || host == "::1" { return true }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers[0] == "127"
      && numbers.allSatisfy { UInt8($0) != nil && $0.allSatisfy(\.isNumber) }
  }

  /// RFC 9110 §5.6.2, token.
  static func isFieldName(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// Visible characters, blanks and tabs: no line break can start a header of its own.
  static func isFieldValue(_ value: String) -> Bool {
    value.utf8.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
  }
}

/// The parts of an absolute http or https URL that decide where it goes.
package struct URLParts: Sendable, Equatable {
  /// `http` or `https`.
  package var scheme: String
  /// In lower case, without the brackets of an IPv6 address.
  package var host: String
  package var port: Int?
  /// From the first slash on; may be empty.
  package var path: String

  /// Nil for anything that is not `http(s)://host[:port][/…]`, and for a URL with a user name.
  package init?(_ url: String) {
    guard let separator = url.firstRange(of: "://") else { return nil }
    scheme = url[..<separator.lowerBound].lowercased()
    guard scheme == "http" || scheme == "https" else { return nil }
    let rest = url[separator.upperBound...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    path = String(rest[end...])
    var authority = rest[..<end]
    guard !authority.contains("@") else { return nil }
    if authority.first == "[" {
      guard let close = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<close].lowercased()
      authority = authority[authority.index(after: close)...]
      guard authority.isEmpty || authority.first == ":" else { return nil }
    } else {
      let colon = authority.firstIndex(of: ":") ?? authority.endIndex
      host = authority[..<colon].lowercased()
      authority = authority[colon...]
    }
    guard !host.isEmpty else { return nil }
    if authority.first == ":" {
      guard let number = UInt16(authority.dropFirst()), number > 0 else { return nil }
      port = Int(number)
    }
  }

  /// Whether plain http may be spoken to this host.
  package var isLoopback: Bool { RequestTarget.isLoopback(host) }
}
