/// Which table of names a list of algorithms is drawn from.
package enum SSHAlgorithmKind: Sendable, CaseIterable {
  case cipher, mac, kex
  /// Signature algorithms of keys and certificates.
  case keySignature
  /// Those a certificate authority may sign with: no certificates.
  case caSignature
}

/// A `Ciphers`, `MACs`, … value as written, with `+`, `-` or `^` in front.
package struct SSHAlgorithmList: Sendable, Equatable {
  package var text: String

  package init(_ text: String) { self.text = text }

  /// The names in order, from what is offered by default and what could be.
  ///
  /// `+` appends, `^` puts in front, `-` removes; anything else replaces. Names may be patterns.
  /// Empty when nothing of the list can be offered.
  package func assembled(defaults: [String], all: [String]) -> [String] {
    let sign = text.utf8.first
    let names = text.utf8.dropFirst(signs.contains(sign ?? 0) ? 1 : 0)
      .split(separator: UInt8(ascii: ","))
      .map { String(decoding: $0, as: UTF8.self) }
    let patterns: [String]
    switch sign {
    case UInt8(ascii: "-"):
      return defaults.filter { name in !names.contains { SSHPattern.matches(name, $0) } }
    case UInt8(ascii: "+"): patterns = defaults + names
    case UInt8(ascii: "^"): patterns = names + defaults
    default: patterns = names
    }
    var result: [String] = []
    for pattern in patterns {
      for name in all where SSHPattern.matches(name, pattern) && !result.contains(name) {
        result.append(name)
      }
    }
    return result
  }

  private var signs: [UInt8] { [UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "^")] }

  /// The first name that no OpenSSH knows; nil if the list is good.
  func unknownName(_ kind: SSHAlgorithmKind) -> String? {
    let bytes = Array(text.utf8)
    if bytes.first == UInt8(ascii: "-") { return nil }
    let names = bytes.dropFirst(signs.contains(bytes.first ?? 0) ? 1 : 0)
    if names.isEmpty { return "" }
    let known = SSHAlgorithms.known(kind)
    for name in names.split(separator: UInt8(ascii: ",")) {
      let text = String(decoding: name, as: UTF8.self)
      // only lists of key types may hold patterns
      let patterns = kind == .keySignature || kind == .caSignature
      let fits = known.contains {
        $0 == text || (patterns && SSHPattern.matches($0, text))
      }
      if !fits { return text }
    }
    return nil
  }
}

/// OpenSSH's names: `ssh -Q` and the defaults of 9.2; then what later versions and libssh2 add.
package enum SSHAlgorithms {
  package static func known(_ kind: SSHAlgorithmKind) -> [String] { all(kind) + later(kind) }

  /// What OpenSSH 9.2 offers unasked, in its order.
  package static func defaults(_ kind: SSHAlgorithmKind) -> [String] {
    switch kind {
    case .cipher:
      [
        "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr",
        "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
      ]
    case .mac:
      [
        "umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com", "umac-64@openssh.com",
        "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
      ]
    case .kex:
      [
        "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
        "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521", "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
        "diffie-hellman-group14-sha256",
      ]
    case .keySignature:
      [
        "ssh-ed25519-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com", "ssh-ed25519",
        "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512",
        "rsa-sha2-256",
      ]
    case .caSignature:
      [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512",
        "rsa-sha2-256",
      ]
    }
  }

  /// What OpenSSH 9.2 can do, in the order of `ssh -Q`.
  package static func all(_ kind: SSHAlgorithmKind) -> [String] {
    switch kind {
    case .cipher:
      [
        "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-ctr", "aes192-ctr",
        "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
      ]
    case .mac:
      [
        "hmac-sha1", "hmac-sha1-96", "hmac-sha2-256", "hmac-sha2-512", "hmac-md5", "hmac-md5-96",
        "umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha1-etm@openssh.com",
        "hmac-sha1-96-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com", "hmac-md5-etm@openssh.com",
        "hmac-md5-96-etm@openssh.com", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com",
      ]
    case .kex:
      [
        "diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1",
        "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512", "diffie-hellman-group-exchange-sha1",
        "diffie-hellman-group-exchange-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521", "curve25519-sha256", "curve25519-sha256@libssh.org",
        "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
      ]
    case .keySignature:
      [
        "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com", "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp521",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "ssh-dss",
        "ssh-dss-cert-v01@openssh.com", "ssh-rsa", "ssh-rsa-cert-v01@openssh.com",
        "rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-512",
        "rsa-sha2-512-cert-v01@openssh.com",
      ]
    case .caSignature: all(.keySignature).filter { !$0.hasSuffix("-cert-v01@openssh.com") }
    }
  }

  private static func later(_ kind: SSHAlgorithmKind) -> [String] {
    switch kind {
    case .cipher:
      ["rijndael-cbc@lysator.liu.se", "aes128-gcm", "aes256-gcm", "blowfish-cbc", "cast128-cbc"]
    case .mac: ["hmac-ripemd160", "hmac-ripemd160@openssh.com"]
    case .kex: ["mlkem768x25519-sha256"]
    case .keySignature, .caSignature: []
    }
  }
}
