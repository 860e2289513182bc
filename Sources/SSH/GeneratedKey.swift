import COpenSSL
package import Platform

/// An RSA key pair made here, for a certificate that lives about an hour; it is never written down.
///
/// RSA, because Entra ID certifies no other.
@safe package final class GeneratedKey: Sendable {
  /// The numbers of the public half, big-endian and without leading zeros.
  package let modulus: [UInt8]
  package let exponent: [UInt8]

  // Reading and signing leave a key of libcrypto as it is.
  private nonisolated(unsafe) let pointer: OpaquePointer

  /// Takes some 50 ms of one core.
  package init() throws(Failure) {
    guard let key = unsafe copenssl_rsa_generate(2048) else {
      throw Failure(.systemFailed, what: "an RSA key could not be made")
    }
    guard let modulus = unsafe Self.number("n", of: key),
      let exponent = unsafe Self.number("e", of: key)
    else {
      unsafe EVP_PKEY_free(key)
      throw Failure(.systemFailed, what: "an RSA key could not be made")
    }
    unsafe pointer = key
    self.modulus = modulus
    self.exponent = exponent
  }

  deinit { unsafe EVP_PKEY_free(pointer) }

  /// The public half as it travels.
  package var publicKey: HostKey {
    var writer = WireWriter()
    writer.string("ssh-rsa")
    for number in [exponent, modulus] {
      // A set first bit would make the number negative.
      writer.string((number.first ?? 0) & 0x80 == 0 ? number : [0] + number)
    }
    return HostKey(blob: writer.bytes)
  }

  /// Whether a certificate is for this key.
  package func isCertified(by certificate: SSHCertificate) -> Bool {
    certificate.exponent == exponent && certificate.modulus == modulus
  }

  /// Signs as RFC 8332 says.
  ///
  /// - Parameter algorithm: `rsa-sha2-256` or `rsa-sha2-512`, with or without a certificate's ending.
  package func sign(_ data: [UInt8], algorithm: String) throws(Failure) -> [UInt8] {
    let digest: OpaquePointer?
    switch algorithm.split(separator: "-cert-").first {
    case "rsa-sha2-256": unsafe digest = EVP_sha256()
    case "rsa-sha2-512": unsafe digest = EVP_sha512()
    default:
      throw Failure(
        .keyUnusable, what: "the server asks for a signature by \(printable(algorithm, limit: 80))",
        why: "a certificate of Entra ID is used with SHA-2 alone")
    }
    guard let context = unsafe EVP_MD_CTX_new() else {
      throw Failure(.systemFailed, what: "out of memory")
    }
    defer { unsafe EVP_MD_CTX_free(context) }
    var length = 0
    guard unsafe EVP_DigestSignInit(context, nil, digest, nil, pointer) == 1,
      unsafe EVP_DigestSign(context, nil, &length, data, data.count) == 1
    else { throw Failure(.systemFailed, what: "the key could not sign") }
    var signature = [UInt8](repeating: 0, count: length)
    guard unsafe EVP_DigestSign(context, &signature, &length, data, data.count) == 1 else {
      throw Failure(.systemFailed, what: "the key could not sign")
    }
    return Array(signature.prefix(length))
  }

  @unsafe private static func number(_ name: String, of key: OpaquePointer) -> [UInt8]? {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1, let number = unsafe number else {
      return nil
    }
    defer { unsafe BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: (Int(unsafe BN_num_bits(number)) + 7) / 8)
    let count = unsafe BN_bn2bin(number, &bytes)
    return count == bytes.count ? bytes : nil
  }
}
