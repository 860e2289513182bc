#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where an RDP service is: a host name or a literal address, and a port.
struct RDPAddress: Sendable, Equatable {
  enum Kind: Sendable {
    case name
    case ipv4
    case ipv6
  }

  /// Without brackets.
  let host: String
  let port: Int?
  let kind: Kind

  /// - Throws: where `host` holds anything but a name's letters, digits, `-` and `.`, or is no
  ///   literal address.
  init(host: String, port: Int?) throws(RDPRefusal) {
    guard port.map({ (1...65535).contains($0) }) ?? true else {
      throw RDPRefusal("has a port outside 1 to 65535")
    }
    if isAddress(host, AF_INET6) {
      kind = .ipv6
    } else if isAddress(host, AF_INET) {
      kind = .ipv4
    } else {
      try checkName(host)
      kind = .name
    }
    self.host = host
    self.port = port
  }

  /// Reads `host`, `host:port`, `[address]:port`.
  init(_ text: String, portNeeded: Bool) throws(RDPRefusal) {
    var host = text[...]
    var port: Int?
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { throw RDPRefusal("lacks a ]") }
      host = text[text.index(after: text.startIndex)..<end]
      let rest = text[text.index(after: end)...]
      if !rest.isEmpty { port = try Self.port(rest) }
      guard isAddress(String(host), AF_INET6) else { throw RDPRefusal("holds no IPv6 address") }
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      guard !host.contains(":") else { throw RDPRefusal("needs [ ] around an IPv6 address") }
      port = try Self.port(text[colon...])
    }
    guard port != nil || !portNeeded else { throw RDPRefusal("lacks the port") }
    try self.init(host: String(host), port: port)
  }

  private static func port(_ text: Substring) throws(RDPRefusal) -> Int {
    let digits = text.dropFirst()
    guard text.first == ":", let port = Int(digits), String(port) == digits else {
      throw RDPRefusal("has no port after the colon")
    }
    return port
  }

  /// As an .rdp file and clients' options take it.
  var text: String {
    let host = kind == .ipv6 ? "[\(self.host)]" : self.host
    guard let port else { return host }
    return "\(host):\(port)"
  }
}

private func isAddress(_ text: String, _ family: Int32) -> Bool {
  // inet_pton would stop at a NUL.
  guard !text.utf8.contains(0) else { return false }
  var address = in6_addr()
  return unsafe inet_pton(family, text, &address) == 1
}

private func checkName(_ host: String) throws(RDPRefusal) {
  guard !host.isEmpty, host.utf8.count <= 253 else { throw RDPRefusal("is no host name") }
  let labels = host.split(separator: ".", omittingEmptySubsequences: false)
  for label in labels {
    guard (1...63).contains(label.utf8.count), label.first != "-", label.last != "-",
      label.utf8.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "-") })
    else { throw RDPRefusal("is no host name") }
  }
  // "1.2.3" is an address to some resolvers, and nobody's name.
  guard labels.last?.utf8.allSatisfy({ (0x30...0x39).contains($0) }) == false else {
    throw RDPRefusal("is no host name and no address")
  }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: false
  }
}
