/// The base address of a server, taken apart strictly: what this type cannot read is refused,
/// because tokens and secrets go where it points.
package struct Endpoint: Sendable, Equatable {
  package enum Scheme: String, Sendable {
    case https, http
  }

  package var scheme: Scheme
  /// Lower case; an IPv6 address without its brackets.
  package var host: String
  package var port: Int?
  /// Begins with `/` or is empty; never ends with `/`.
  package var path: String

  /// Reads `https://host[:port][/path][/]`.
  ///
  /// Nil for anything with a user, a query, a fragment, or a character that has no business in a
  /// base address.
  package init?(_ text: String) {
    var rest: Substring
    if let bare = Self.dropping("https://", from: text) {
      scheme = .https
      rest = bare
    } else if let bare = Self.dropping("http://", from: text) {
      scheme = .http
      rest = bare
    } else {
      return nil
    }
    let authority = rest.prefix { $0 != "/" }
    rest = rest.dropFirst(authority.count)
    guard let (host, port) = Self.splitAuthority(authority) else { return nil }
    self.host = host
    // One server, one spelling: what is compared must not differ by a port that is understood.
    self.port = port == scheme.defaultPort ? nil : port
    while rest.last == "/" { rest.removeLast() }
    guard rest.utf8.allSatisfy({ Self.isPathByte($0) }), !rest.contains("/..") else { return nil }
    path = String(rest)
  }

  /// The address without a final slash.
  package var text: String {
    let shown = host.contains(":") ? "[\(host)]" : host
    return "\(scheme.rawValue)://\(shown)\(port.map { ":\($0)" } ?? "")\(path)"
  }

  /// `host` or `host:port`, as it is shown and as token caches name an environment.
  package var authority: String { port.map { "\(host):\($0)" } ?? host }

  /// Whether requests to it stay on this machine: 127/8, ::1, localhost.
  package var isLoopback: Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.first == "127"
      && parts.allSatisfy { (1...3).contains($0.count) && UInt8($0) != nil && !$0.hasPrefix("+") }
  }

  /// Whether a secret may be sent there: TLS, or a host that is this machine.
  package var isSafe: Bool { scheme == .https || isLoopback }

  /// Whether the host is that domain or a name under it.
  func isUnder(_ domain: String) -> Bool { host == domain || host.hasSuffix("." + domain) }

  /// Whether both are the same server.
  package func isSameServer(as other: Endpoint) -> Bool {
    scheme == other.scheme && host == other.host
      && port == other.port
  }

  private static func dropping(_ prefix: String, from text: String) -> Substring? {
    guard text.count > prefix.count, text.prefix(prefix.count).lowercased() == prefix else {
      return nil
    }
    return text.dropFirst(prefix.count)
  }

  private static func splitAuthority(_ text: Substring) -> (String, Int?)? {
    let host: Substring
    let afterHost: Substring
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      afterHost = text[text.index(after: end)...]
      guard host.utf8.allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") }),
        host.contains(":")
      else { return nil }
    } else {
      host = text.prefix { $0 != ":" }
      afterHost = text.dropFirst(host.count)
      // A final dot would be another spelling of the same name.
      guard host.utf8.allSatisfy(isHostByte), host.first != ".", host.first != "-",
        host.last != "."
      else { return nil }
    }
    guard !host.isEmpty, host.count <= 253 else { return nil }
    if afterHost.isEmpty { return (host.lowercased(), nil) }
    let digits = afterHost.dropFirst()
    guard afterHost.first == ":", (1...5).contains(digits.count),
      digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let port = Int(digits), (1...65535).contains(port)
    else { return nil }
    return (host.lowercased(), port)
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func isPathByte(_ byte: UInt8) -> Bool {
    isHostByte(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "~")
  }
}

extension Endpoint.Scheme {
  fileprivate var defaultPort: Int { self == .https ? 443 : 80 }
}
