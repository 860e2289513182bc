/// The host word of a command line, taken apart.
package struct SSHDestination: Sendable, Equatable {
  package var user: String?
  /// The word as typed without user and port: a host, a VM, `group/vm` or a resource id.
  package var host: String
  /// Only from `ssh://…:port`.
  package var port: Int?

  package init(user: String? = nil, host: String, port: Int? = nil) {
    self.user = user
    self.host = host
    self.port = port
  }

  /// What tokens (`%h`, `%n`) may carry: the VM's own name where a path names it.
  package var tokenHost: String { Self.tokenHost(host) }

  static func tokenHost(_ host: String) -> String {
    guard let slash = host.utf8.lastIndex(of: UInt8(ascii: "/")) else { return host }
    return String(host[host.utf8.index(after: slash)...])
  }

  /// Reads `host`, `user@host` (the last `@` splits) or `ssh://[user@]host[:port]`.
  package static func parse(_ word: String) throws(SSHConfigError) -> SSHDestination {
    if word.hasPrefix("ssh://") {
      guard let destination = uri(word) else {
        throw SSHConfigError(.usage, "invalid destination \"\(word)\"")
      }
      return destination
    }
    guard let at = word.utf8.lastIndex(of: UInt8(ascii: "@")) else {
      return SSHDestination(host: word)
    }
    let user = String(word[..<at])
    if user.isEmpty { throw SSHConfigError(.usage, "invalid destination \"\(word)\"") }
    return SSHDestination(user: user, host: String(word[word.utf8.index(after: at)...]))
  }

  /// `ssh://[user[;params]@]host[:port]`; nil if it does not read so, or holds a path.
  static func uri(_ text: String) -> SSHDestination? {
    var rest = Array(text.utf8).dropFirst(6)
    var user: String?
    if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
      let info = rest[..<at].prefix { $0 != UInt8(ascii: ";") }
      guard !info.isEmpty, let decoded = percentDecoded(info) else { return nil }
      user = decoded
      rest = rest[(at + 1)...]
    }
    guard let (host, tail) = hostAndRest(rest), isDomain(host) || isAddress6(host) else {
      return nil
    }
    var port: Int?
    if let tail, !tail.isEmpty {
      guard rest[tail.startIndex - 1] == UInt8(ascii: ":") else { return nil }
      let digits = tail.prefix { $0 != UInt8(ascii: "/") }
      guard tail.dropFirst(digits.count).allSatisfy({ $0 == UInt8(ascii: "/") }),
        tail.count - digits.count <= 1,
        case .number(let number) = wholeNumber(
          String(decoding: digits, as: UTF8.self), in: 1...65535)
      else { return nil }
      port = number
    }
    return SSHDestination(
      user: user, host: trimmedDot(String(decoding: host, as: UTF8.self)), port: port)
  }

  /// Splits `host:rest` or `[host]:rest` at the colon or slash.
  static func hostAndRest(
    _ bytes: ArraySlice<UInt8>
  ) -> (host: ArraySlice<UInt8>, rest: ArraySlice<UInt8>?)? {
    var end: Int
    if bytes.first == UInt8(ascii: "[") {
      guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      end = bracket + 1
    } else {
      end =
        bytes.firstIndex { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") } ?? bytes.endIndex
    }
    var rest: ArraySlice<UInt8>?
    if end < bytes.endIndex {
      guard bytes[end] == UInt8(ascii: ":") || bytes[end] == UInt8(ascii: "/") else { return nil }
      rest = bytes[(end + 1)...]
    }
    var host = bytes[..<end]
    if host.isEmpty { return nil }
    if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count >= 2 {
      host = host.dropFirst().dropLast()
    }
    return (host, rest)
  }

  private static func percentDecoded(_ bytes: ArraySlice<UInt8>) -> String? {
    var result: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      switch bytes[index] {
      case UInt8(ascii: "+"): result.append(0x20)
      case UInt8(ascii: "%"):
        guard index + 2 < bytes.endIndex, let high = hexValue(bytes[index + 1]),
          let low = hexValue(bytes[index + 2]), high * 16 + low != 0
        else { return nil }
        result.append(high * 16 + low)
        index += 2
      case let byte: result.append(byte)
      }
      index += 1
    }
    return String(decoding: result, as: UTF8.self)
  }

  static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte.lowercase {
    case 0x30...0x39: byte - 0x30
    case 0x61...0x66: byte.lowercase - 0x61 + 10
    default: nil
    }
  }

  private static func isDomain(_ host: ArraySlice<UInt8>) -> Bool {
    SSHName.domainComplaint(String(decoding: host, as: UTF8.self)) == nil
  }

  // ssh 9.2 takes no IPv6 address in a URI; later ones do
  private static func isAddress6(_ host: ArraySlice<UInt8>) -> Bool {
    host.contains(UInt8(ascii: ":"))
      && host.allSatisfy { hexValue($0) != nil || $0 == UInt8(ascii: ":") || $0 == 0x2E }
  }

  private static func trimmedDot(_ host: String) -> String {
    host.utf8.last == UInt8(ascii: ".") ? String(host.dropLast()) : host
  }
}

/// Which host and user names may come from a command line (OpenSSH 9.6's and later patches' rules).
package enum SSHName {
  private static let hostForbidden = Set("'`\"$\\;&<>|(){},".utf8)
  private static let userForbidden = Set("'`\";&<>|(){}".utf8)

  package static func isValidHost(_ name: String) -> Bool {
    name.utf8.first != UInt8(ascii: "-")
      && !name.utf8.contains { hostForbidden.contains($0) || $0.isSpace || $0.isControl }
  }

  package static func isValidUser(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    if bytes.first == UInt8(ascii: "-") { return false }
    for (index, byte) in bytes.enumerated() {
      if byte.isControl || userForbidden.contains(byte) { return false }
      let next = index + 1 < bytes.count ? bytes[index + 1] : nil
      if byte.isSpace, next == UInt8(ascii: "-") { return false }
      if byte == UInt8(ascii: "\\"), next == nil { return false }
    }
    return true
  }

  /// A host, or a path to a VM: every part must be a valid host name by itself; parentheses are
  /// legal in an Azure resource group's name and never reach a token.
  package static func isValidTarget(_ name: String) -> Bool {
    guard name.utf8.contains(UInt8(ascii: "/")) else { return !name.isEmpty && isValidHost(name) }
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      let text = String(decoding: part, as: UTF8.self)
      if text.isEmpty {
        if index != 0 { return false }
        continue
      }
      if text == "." || text == ".." { return false }
      let last = index == parts.count - 1
      let checked =
        last
        ? text
        : String(decoding: part.filter { $0 != 0x28 && $0 != 0x29 }, as: UTF8.self)
      guard isValidHost(checked) else { return false }
    }
    return true
  }

  /// What ssh finds wrong with a domain name; nil for a good one.
  static func domainComplaint(_ name: String) -> String? {
    let bytes = Array(name.utf8)
    guard let first = bytes.first else { return "empty domain name" }
    guard first.isLetter || first.isDigit else {
      return "domain name \"\(name)\" starts with invalid character"
    }
    var last: UInt8 = 0
    for byte in bytes {
      if last == 0x2E, byte == 0x2E {
        return "domain name \"\(name)\" contains consecutive separators"
      }
      guard byte == 0x2E || byte == 0x2D || byte == 0x5F || byte.isLetter || byte.isDigit else {
        return "domain name \"\(name)\" contains invalid characters"
      }
      last = byte
    }
    return nil
  }
}
