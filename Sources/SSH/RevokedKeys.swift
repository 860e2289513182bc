package import Platform

/// `RevokedHostKeys`: keys that no host may show, from a list of public keys or a key revocation
/// list (PROTOCOL.krl).
package struct RevokedKeys: Sendable, Equatable {
  private var blobs: Set<[UInt8]> = []
  private var sha1: Set<[UInt8]> = []
  private var sha256: Set<[UInt8]> = []

  /// - Throws: a file that cannot be read or understood. It may revoke anything, so every key is
  ///   refused then, as with ssh.
  package init(file: String) throws(Failure) {
    let shown = printable(file, limit: 500)
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try Files.read(file, limit: 64 << 20)
    } catch {
      throw Failure(
        .hostKeyRevoked, what: "Host key verification failed",
        why: "the revoked keys file \(shown): \(error)", next: "check RevokedHostKeys",
        cause: .system(error.number))
    }
    guard let keys = Self.parse(bytes) else {
      throw Failure(
        .hostKeyRevoked, what: "Host key verification failed",
        why: "the revoked keys file \(shown) holds what is no public key",
        next: "check RevokedHostKeys")
    }
    self = keys
  }

  private init() {}

  package func contains(_ key: HostKey) -> Bool {
    blobs.contains(key.blob) || sha1.contains(Digest.sha1(key.blob))
      || sha256.contains(Digest.sha256(key.blob))
  }

  static func parse(_ bytes: [UInt8]) -> RevokedKeys? {
    bytes.starts(with: magic) ? parseList(bytes) : parseText(bytes)
  }

  private static func parseText(_ bytes: [UInt8]) -> RevokedKeys? {
    var keys = RevokedKeys()
    for row in bytes.split(separator: UInt8(ascii: "\n")) {
      let line = row.drop { $0 == 0x20 || $0 == 0x09 }
      guard let first = line.first, first != UInt8(ascii: "#"), first != 0x0D else { continue }
      guard let key = PublicKeyLine(Array(line)) else { return nil }
      keys.blobs.insert(key.blob)
    }
    return keys
  }

  // MARK: Key revocation lists

  private static let magic = Array("SSHKRL\n\0".utf8)

  private enum Section {
    static let certificates: UInt8 = 1
    static let keys: UInt8 = 2
    static let sha1: UInt8 = 3
    static let signature: UInt8 = 4
    static let sha256: UInt8 = 5
  }

  private static func parseList(_ bytes: [UInt8]) -> RevokedKeys? {
    var reader = WireReader(bytes.dropFirst(magic.count))
    // The format, then number, time and flags of the list, of 64 bits each.
    guard reader.uint32() == 1 else { return nil }
    for _ in 0..<3 { guard reader.uint64() != nil else { return nil } }
    guard reader.string() != nil, reader.string() != nil else { return nil }
    var keys = RevokedKeys()
    while let kind = reader.byte() {
      // Behind a signature stand only more of them.
      if kind == Section.signature { return keys }
      guard let body = reader.string() else { return nil }
      var entries = WireReader(body)
      // Revoked certificates: none is ever accepted here.
      if kind == Section.certificates { continue }
      while !entries.isAtEnd {
        guard let entry = entries.string() else { return nil }
        switch kind {
        case Section.keys: keys.blobs.insert(entry)
        case Section.sha1: keys.sha1.insert(entry)
        case Section.sha256: keys.sha256.insert(entry)
        default: return nil
        }
      }
    }
    return keys
  }
}
