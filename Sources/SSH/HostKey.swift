import Platform

/// A server's public key.
package struct HostKey: Sendable, Equatable {
  /// As it travels: the type's name, then the numbers.
  package var blob: [UInt8]

  package init(blob: [UInt8]) { self.blob = blob }

  /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, …; empty for bytes that are no key.
  package var type: String {
    var reader = WireReader(blob)
    return reader.text() ?? ""
  }

  /// The type as ssh says it to people: `ED25519`, `ECDSA`, `RSA`.
  package var typeName: String { Self.name(ofType: type) }

  package static func name(ofType type: String) -> String {
    switch type {
    case "ssh-ed25519": "ED25519"
    case "ssh-rsa": "RSA"
    case "ssh-dss": "DSA"
    case _ where type.hasPrefix("ecdsa-sha2-"): "ECDSA"
    case _ where type.hasPrefix("sk-ecdsa-"): "ECDSA-SK"
    case _ where type.hasPrefix("sk-ssh-ed25519"): "ED25519-SK"
    // The server chose this word.
    default: type.isEmpty ? "unknown" : printable(type, limit: 80)
    }
  }

  /// `SHA256:…` as ssh-keygen prints it.
  package var fingerprint: String { fingerprint(.sha256) }

  /// The same by the hash of `FingerprintHash`.
  package func fingerprint(_ hash: FingerprintHash) -> String { hash.fingerprint(of: blob) }

  /// The key as a line of known_hosts or authorized_keys has it.
  package var text: String { "\(type) \(Base64.encode(blob))" }
}
