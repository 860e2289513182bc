import COpenSSL
import Platform

/// A private key's numbers as OpenSSH writes them: `type`, then the fields that an agent wants in
/// just that order (PROTOCOL.key, draft-ietf-sshm-ssh-agent §3.2).
struct OpenedKey {
  /// The type and the fields.
  var fields: SecretBytes
  /// What the key's owner calls it; empty where the file does not say.
  var comment: String

  /// Opens a private key file's text; nil where that is not possible.
  ///
  /// OpenSSH's own format is opened by libssh2, PEM by libcrypto.
  init?(_ privateKey: SecretBytes, passphrase: SecretBytes?) {
    let pem = unsafe privateKey.withBytes { bytes in
      unsafe !String(decoding: bytes.prefix(64), as: UTF8.self).contains("BEGIN OPENSSH ")
    }
    if pem {
      guard let fields = Self.fields(ofPEM: privateKey, passphrase: passphrase) else { return nil }
      self.fields = fields
      comment = ""
    } else {
      guard let section = KeyCheck.section(of: privateKey, passphrase: passphrase) else {
        return nil
      }
      guard let (fields, comment) = Self.parse(section) else { return nil }
      self.fields = fields
      self.comment = comment
    }
  }

  /// The public key, as it travels; nil for a kind not known here.
  var publicBlob: [UInt8]? {
    /// The public fields stand in front: nothing secret is copied.
    func leading(_ count: Int) -> [[UInt8]]? {
      unsafe fields.withBytes { bytes in
        var found: [[UInt8]] = []
        var rest = unsafe bytes[...]
        while found.count < count {
          guard unsafe rest.count >= 4 else { return nil }
          let length = unsafe rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
          unsafe rest = unsafe rest.dropFirst(4)
          guard unsafe length <= rest.count else { return nil }
          unsafe found.append(Array(rest.prefix(length)))
          unsafe rest = unsafe rest.dropFirst(length)
        }
        return found
      }
    }
    guard let name = leading(1)?.first else { return nil }
    let type = String(decoding: name, as: UTF8.self)
    guard var parts = leading(type == "ssh-ed25519" ? 2 : 3), Self.fieldCount(type) != nil else {
      return nil
    }
    // The modulus comes first in a private key and last in a public one.
    if type == "ssh-rsa" { parts.swapAt(1, 2) }
    var writer = WireWriter()
    parts.forEach { writer.string($0) }
    return writer.bytes
  }

  // MARK: OpenSSH's format

  /// The opened section of a private key file, where these bytes begin with one: a random number
  /// twice, and then a key's type.
  static func copy(from bytes: some Collection<UInt8>) -> SecretBytes? {
    let head = Array(bytes.prefix(32))
    guard head.count == 32, head[0..<4] == head[4..<8], head[8..<11].allSatisfy({ $0 == 0 }),
      head[12...].starts(with: Array("ssh-".utf8))
        || head[12...].starts(with: Array("ecdsa-".utf8))
    else { return nil }
    return SecretBytes(bytes)
  }

  /// How many fields follow the type.
  private static func fieldCount(_ type: String) -> Int? {
    switch type {
    case "ssh-ed25519": 2
    case "ssh-rsa": 6
    case _ where type.hasPrefix("ecdsa-sha2-"): 3
    default: nil
    }
  }

  private static func parse(_ section: SecretBytes) -> (SecretBytes, String)? {
    var bytes = unsafe section.withBytes { unsafe Array($0) }
    defer { overwrite(&bytes) }
    /// The bytes of the string that begins at `start`.
    func string(at start: Int) -> Range<Int>? {
      guard start + 4 <= bytes.count else { return nil }
      let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
      return length <= bytes.count - start - 4 ? start + 4..<start + 4 + length : nil
    }
    guard let name = string(at: 8) else { return nil }
    let type = String(decoding: bytes[name], as: UTF8.self)
    guard let count = fieldCount(type) else { return nil }
    var fields: [Range<Int>] = [name]
    for _ in 0...count {
      guard let last = fields.last, let next = string(at: last.upperBound) else { return nil }
      fields.append(next)
    }
    let comment = fields.removeLast()
    if type.hasPrefix("ecdsa-") {
      let (point, number) = (Array(bytes[fields[2]]), fields[3])
      // On its way into libcrypto the number, without the zero in front, may have been turned
      // round in its place.
      let curve = bytes[fields[1]]
      var isRight = ECCurve.fits(bytes[number], point, curve: curve)
      for start in [number.lowerBound, number.lowerBound + 1]
      where !isRight && start <= number.upperBound {
        bytes[start..<number.upperBound].reverse()
        isRight = ECCurve.fits(bytes[number], point, curve: curve)
        if !isRight { bytes[start..<number.upperBound].reverse() }
      }
      guard isRight else { return nil }
    }
    return (
      SecretBytes(bytes[8..<(comment.lowerBound - 4)]),
      String(decoding: bytes[comment], as: UTF8.self)
    )
  }

  // MARK: PEM

  private static func fields(ofPEM text: SecretBytes, passphrase: SecretBytes?) -> SecretBytes? {
    let key = unsafe text.withBytes { text -> OpaquePointer? in
      guard let bio = unsafe BIO_new_mem_buf(text.baseAddress, Int32(clamping: text.count)) else {
        return nil
      }
      defer { unsafe BIO_free(bio) }
      // Never libcrypto's own question at the terminal.
      var secret = unsafe (passphrase ?? SecretBytes([])).withBytes { unsafe Array($0) + [0] }
      defer { overwrite(&secret) }
      return unsafe secret.withUnsafeMutableBytes { secret in
        unsafe PEM_read_bio_PrivateKey(bio, nil, nil, secret.baseAddress)
      }
    }
    guard let key = unsafe key else { return nil }
    defer { unsafe EVP_PKEY_free(key) }
    // One piece of memory from the start, so that no copy stays behind when it grows.
    var fields = WireWriter(capacity: 16 << 10)
    defer { fields.overwriteAll() }
    let isWritten =
      switch unsafe EVP_PKEY_get_base_id(key) {
      case EVP_PKEY_RSA: unsafe writeRSA(key, to: &fields)
      case EVP_PKEY_EC: unsafe writeECDSA(key, to: &fields)
      case EVP_PKEY_ED25519: unsafe writeEd25519(key, to: &fields)
      default: false
      }
    return isWritten ? SecretBytes(fields.bytes) : nil
  }

  @unsafe private static func writeRSA(_ key: OpaquePointer, to fields: inout WireWriter) -> Bool {
    fields.string("ssh-rsa")
    for name in ["n", "e", "d", "rsa-coefficient1", "rsa-factor1", "rsa-factor2"] {
      guard unsafe writeNumber(name, of: key, to: &fields) else { return false }
    }
    return true
  }

  @unsafe private static func writeECDSA(
    _ key: OpaquePointer, to fields: inout WireWriter
  ) -> Bool {
    var name = [CChar](repeating: 0, count: 64)
    var length = 0
    guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return false }
    let group = String(
      decoding: name.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard let curve = ECCurve.all.first(where: { $0.library == group })?.name else { return false }
    var point = [UInt8](repeating: 0, count: 256)
    guard
      unsafe EVP_PKEY_get_octet_string_param(key, "pub", &point, point.count, &length) == 1,
      point.first == 4
    else { return false }
    fields.string("ecdsa-sha2-\(curve)")
    fields.string(curve)
    fields.string(point.prefix(length))
    return unsafe writeNumber("priv", of: key, to: &fields)
  }

  @unsafe private static func writeEd25519(
    _ key: OpaquePointer, to fields: inout WireWriter
  ) -> Bool {
    var open = [UInt8](repeating: 0, count: 32)
    var secret = [UInt8](repeating: 0, count: 64)
    defer { overwrite(&secret) }
    var length = 32
    guard unsafe EVP_PKEY_get_raw_private_key(key, &secret, &length) == 1, length == 32,
      unsafe EVP_PKEY_get_raw_public_key(key, &open, &length) == 1, length == 32
    else { return false }
    secret.replaceSubrange(32..., with: open)
    fields.string("ssh-ed25519")
    fields.string(open)
    fields.string(secret)
    return true
  }

  @unsafe private static func writeNumber(
    _ name: String, of key: OpaquePointer, to fields: inout WireWriter
  ) -> Bool {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1, let number = unsafe number else {
      return false
    }
    defer { unsafe BN_clear_free(number) }
    // With room for a first bit of 0: a set one would make it negative.
    let length = Int(unsafe BN_num_bits(number)) / 8 + 1
    var bytes = [UInt8](repeating: 0, count: length)
    defer { overwrite(&bytes) }
    guard unsafe BN_bn2binpad(number, &bytes, Int32(clamping: length)) == Int32(clamping: length)
    else { return false }
    fields.string(bytes)
    return true
  }
}

/// The curves of ECDSA keys (RFC 5656).
private enum ECCurve {
  /// SSH's name, libcrypto's, and its number for it.
  static let all: [(name: String, library: String, number: Int32)] = [
    ("nistp256", "prime256v1", NID_X9_62_prime256v1), ("nistp384", "secp384r1", NID_secp384r1),
    ("nistp521", "secp521r1", NID_secp521r1),
  ]

  /// Whether a private number belongs to a public point.
  static func fits(
    _ number: ArraySlice<UInt8>, _ point: [UInt8], curve: ArraySlice<UInt8>
  ) -> Bool {
    var secret = Array(number)
    defer { overwrite(&secret) }
    guard let curve = all.first(where: { curve.elementsEqual($0.name.utf8) }),
      let group = unsafe EC_GROUP_new_by_curve_name(curve.number)
    else { return false }
    defer { unsafe EC_GROUP_free(group) }
    guard let exponent = unsafe BN_bin2bn(secret, Int32(clamping: secret.count), nil),
      let product = unsafe EC_POINT_new(group)
    else { return false }
    defer {
      unsafe BN_clear_free(exponent)
      unsafe EC_POINT_free(product)
    }
    var bytes = [UInt8](repeating: 0, count: point.count)
    return unsafe EC_POINT_mul(group, product, exponent, nil, nil, nil) == 1
      && EC_POINT_point2oct(
        group, product, POINT_CONVERSION_UNCOMPRESSED, &bytes, bytes.count, nil) == point.count
      && bytes == point
  }
}
