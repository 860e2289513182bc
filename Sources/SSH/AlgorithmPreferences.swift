/// The algorithms offered, best first, by their names in SSH.
package struct AlgorithmPreferences: Sendable, Equatable {
  package var keyExchange: [String]
  package var hostKeys: [String]
  package var ciphers: [String]
  package var macs: [String]
  /// Whether zlib is offered (first).
  package var compression: Bool

  package init(
    keyExchange: [String] = defaultKeyExchange, hostKeys: [String] = defaultHostKeys,
    ciphers: [String] = defaultCiphers, macs: [String] = defaultMACs, compression: Bool = false
  ) {
    self.keyExchange = keyExchange
    self.hostKeys = hostKeys
    self.ciphers = ciphers
    self.macs = macs
    self.compression = compression
  }

  package static let defaultKeyExchange = [
    "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
  ]

  /// Plain keys only: libssh2 never checks the signature of a host certificate.
  package static let defaultHostKeys = [
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256",
  ]

  /// CTR first: GCM is slow in libssh2, and a short chacha20-poly1305 packet of an unverified
  /// server can crash an unpatched 1.11.1.
  package static let defaultCiphers = [
    "aes128-ctr", "aes256-ctr", "aes192-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
  ]

  package static let defaultMACs = [
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256",
    "hmac-sha2-512",
  ]

  /// The same list with the algorithms of pinned key types first, so that the server shows a key
  /// that can be compared.
  package mutating func putFirst(keyTypes: [String]) {
    let first = hostKeys.filter { keyTypes.contains(Self.keyType(ofAlgorithm: $0)) }
    hostKeys = first + hostKeys.filter { !first.contains($0) }
  }

  /// The type that a key used with an algorithm has: `ssh-rsa` for `rsa-sha2-512`.
  package static func keyType(ofAlgorithm name: String) -> String {
    name.hasPrefix("rsa-sha2-") ? "ssh-rsa" : name
  }
}
