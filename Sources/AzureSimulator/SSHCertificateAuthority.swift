import COpenSSL

/// Entra ID's authority for SSH: certifies RSA keys for an hour (contract: sign-in.md §6.2).
@safe package final class SSHCertificateAuthority: Sendable {
  private nonisolated(unsafe) let key: OpaquePointer
  private let publicBlob: [UInt8]

  /// The line for sshd's `TrustedUserCAKeys`.
  package var publicKeyLine: String { "ssh-rsa \(base64(publicBlob))" }

  /// Nil where no key could be made.
  package init?() {
    guard let key = unsafe copenssl_rsa_generate(2048),
      let exponent = unsafe Self.number("e", of: key),
      let modulus = unsafe Self.number("n", of: key)
    else { return nil }
    unsafe self.key = key
    var blob = SSHBytes()
    blob.string("ssh-rsa")
    blob.positive(exponent)
    blob.positive(modulus)
    publicBlob = blob.bytes
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// A certificate as the token endpoint gives it: its blob in base64. Nil where the key is not
  /// described as RFC 7518 says.
  package func certificate(for wish: SSHCertificateWish, principal: String) -> String? {
    guard let modulus = decodedBase64URL(wish.modulus), modulus.count >= 256, modulus.first != 0,
      let exponent = decodedBase64URL(wish.exponent), exponent.first ?? 0 != 0
    else { return nil }
    var body = SSHBytes()
    body.string("ssh-rsa-cert-v01@openssh.com")
    body.string((0..<32).map { _ in UInt8.random(in: .min ... .max) })
    body.positive(exponent)
    body.positive(modulus)
    body.number(0, bytes: 8)
    body.number(1, bytes: 4)
    body.string("\(wish.objectID)@\(wish.tenant)")
    body.string(SSHBytes.of(principal).bytes)
    // Five minutes ago to an hour from now.
    let seconds = UInt64(max(0, Instant.machineNow().seconds))
    body.number(seconds - 300, bytes: 8)
    body.number(seconds + 3600, bytes: 8)
    body.string([])
    var extensions = SSHBytes()
    for name in [
      "permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
      "permit-user-rc",
    ] {
      extensions.string(name)
      extensions.string([])
    }
    body.string(extensions.bytes)
    body.string([])
    body.string(publicBlob)
    var signature = SSHBytes.of("rsa-sha2-256")
    guard let signed = sign(body.bytes) else { return nil }
    signature.string(signed)
    body.string(signature.bytes)
    return base64(body.bytes)
  }

  private func sign(_ bytes: [UInt8]) -> [UInt8]? {
    var signature = [UInt8](repeating: 0, count: 512)
    var length = signature.count
    guard let context = unsafe EVP_MD_CTX_new() else { return nil }
    defer { unsafe EVP_MD_CTX_free(context) }
    guard unsafe EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      unsafe EVP_DigestSign(context, &signature, &length, bytes, bytes.count) == 1
    else { return nil }
    return Array(signature.prefix(length))
  }

  @unsafe private static func number(_ name: String, of key: OpaquePointer) -> [UInt8]? {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1, let number = unsafe number else {
      return nil
    }
    defer { unsafe BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: (Int(unsafe BN_num_bits(number)) + 7) / 8)
    return unsafe BN_bn2bin(number, &bytes) == bytes.count ? bytes : nil
  }
}

/// Strings and numbers as SSH writes them (RFC 4251 §5).
private struct SSHBytes {
  private(set) var bytes: [UInt8] = []

  static func of(_ text: String) -> SSHBytes {
    var bytes = SSHBytes()
    bytes.string(text)
    return bytes
  }

  mutating func number(_ value: UInt64, bytes count: Int) {
    for index in (0..<count).reversed() {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
    }
  }

  mutating func string(_ value: some Collection<UInt8>) {
    number(UInt64(value.count), bytes: 4)
    bytes += value
  }

  mutating func string(_ text: String) { string(Array(text.utf8)) }

  /// A number that is not negative: a set first bit gets a zero in front.
  mutating func positive(_ value: [UInt8]) {
    string((value.first ?? 0) & 0x80 == 0 ? value : [0] + value)
  }
}

/// Nil for anything but unpadded base64 in the URL alphabet.
private func decodedBase64URL(_ text: String) -> [UInt8]? {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var result: [UInt8] = []
  var buffer: UInt32 = 0
  var bits = 0
  for byte in text.utf8 {
    guard let digit = alphabet.firstIndex(of: byte) else { return nil }
    buffer = buffer << 6 | UInt32(digit)
    bits += 6
    if bits >= 8 {
      bits -= 8
      result.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
    }
    buffer &= (1 << UInt32(bits)) - 1
  }
  return bits < 6 && buffer == 0 ? result : nil
}
