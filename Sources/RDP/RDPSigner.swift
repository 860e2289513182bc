import COpenSSL
package import Platform

/// A certificate with its RSA key and chain, for signing .rdp files.
package struct RDPSigner: ~Copyable {
  private let material: Material
  /// The name Windows shows as the publisher.
  package let publisher: String
  /// SHA-256 over the certificate, in capital hexadecimal digits: what the policy "trusted .rdp
  /// publishers" lists.
  package let thumbprint: String

  /// Reads PEM (certificate and chain, with the key there or in `key`) or PKCS#12.
  ///
  /// - Parameter passphrase: asked at most once, where the key is encrypted; nil gives up.
  /// - Throws: `rdp-signing-failed`.
  package init(
    certificate file: SecretBytes, key keyFile: SecretBytes? = nil,
    passphrase: () -> SecretBytes?
  ) throws(Failure) {
    var material = Material()
    if isPEM(file) {
      try material.readPEM(certificate: file, key: keyFile ?? file, passphrase)
    } else {
      try material.readPKCS12(file, passphrase)
    }
    try material.check()
    publisher = material.publisher
    thumbprint = material.thumbprint
    self.material = material
  }

  /// The DER of a PKCS#7 SignedData over `content`, which is not in it: SHA-256, no signed
  /// attributes, the chain and the certificate.
  ///
  /// - Throws: `rdp-signing-failed`.
  borrowing func signature(over content: [UInt8]) throws(Failure) -> [UInt8] {
    ERR_clear_error()
    // PKCS7 and not CMS: CMS leaves out the NULL behind the digest's name, and only this form is
    // known to have been read by Windows. BINARY: else CR LF would be rewritten.
    let flags = PKCS7_BINARY | PKCS7_DETACHED | PKCS7_NOATTR | PKCS7_NOSMIMECAP | PKCS7_PARTIAL
    let input = unsafe try memory(SecretBytes(content))
    defer { unsafe BIO_free(input) }
    guard let message = unsafe PKCS7_sign(nil, nil, material.chain, input, flags) else {
      throw failed("the file cannot be signed", opensslErrorText())
    }
    defer { unsafe PKCS7_free(message) }
    guard
      unsafe PKCS7_sign_add_signer(
        message, material.certificate, material.key, EVP_sha256(), flags) != nil,
      unsafe PKCS7_final(message, input, flags) == 1
    else { throw failed("the file cannot be signed", opensslErrorText()) }
    let length = unsafe i2d_PKCS7(message, nil)
    guard length > 0 else { throw failed("the file cannot be signed", opensslErrorText()) }
    var der = [UInt8](repeating: 0, count: Int(length))
    let written = unsafe der.withUnsafeMutableBufferPointer { buffer -> Int32 in
      var end = buffer.baseAddress
      return unsafe i2d_PKCS7(message, &end)
    }
    guard written == length else { throw failed("the file cannot be signed", opensslErrorText()) }
    return der
  }
}

/// Key, certificate and chain as libcrypto holds them, with one owner.
@safe private struct Material: ~Copyable {
  var key: OpaquePointer?
  var certificate: OpaquePointer?
  /// Without the certificate itself.
  var chain: OpaquePointer?

  init() {}

  // All three take a null pointer.
  deinit {
    unsafe EVP_PKEY_free(key)
    unsafe X509_free(certificate)
    unsafe copenssl_certificates_free(chain)
  }

  mutating func readPEM(
    certificate file: SecretBytes, key keyFile: SecretBytes, _ passphrase: () -> SecretBytes?
  ) throws(Failure) {
    unsafe key = try readKey(keyFile, passphrase)
    let input = unsafe try memory(file)
    defer { unsafe BIO_free(input) }
    unsafe chain = copenssl_certificates_new()
    var count = 0
    while let next = unsafe PEM_read_bio_X509(input, nil, nil, nil) {
      count += 1
      // The certificate need not come first.
      if unsafe certificate == nil, unsafe X509_check_private_key(next, key) == 1 {
        unsafe certificate = next
      } else if unsafe copenssl_certificates_add(chain, next) != 1 {
        unsafe X509_free(next)
      }
    }
    guard unsafe certificate != nil else {
      throw failed(
        "the certificate cannot be used",
        count == 0
          ? "the file holds no PEM certificate" : "the key belongs to none of the certificates")
    }
  }

  mutating func readPKCS12(_ file: SecretBytes, _ passphrase: () -> SecretBytes?) throws(Failure) {
    ERR_clear_error()
    let input = unsafe try memory(file)
    defer { unsafe BIO_free(input) }
    guard let archive = unsafe d2i_PKCS12_bio(input, nil) else {
      throw failed("the certificate cannot be read", "the file holds neither PEM nor PKCS#12")
    }
    defer { unsafe PKCS12_free(archive) }
    // An archive without a passphrase is made with none or with an empty one, which differ.
    var secret: [UInt8] = []
    defer { overwrite(&secret) }
    if unsafe PKCS12_verify_mac(archive, nil, 0) != 1 {
      if unsafe PKCS12_verify_mac(archive, "", 0) != 1 {
        guard let given = passphrase() else {
          throw failed("the certificate cannot be read", "it needs a passphrase")
        }
        // No growing: that would leave a copy behind.
        secret.reserveCapacity(given.count + 1)
        unsafe given.withBytes { unsafe secret.append(contentsOf: $0) }
      }
      secret.append(0)
    }
    ERR_clear_error()
    let result = unsafe secret.withUnsafeBytes { text in
      let text = secret.isEmpty ? nil : text.baseAddress
      return unsafe PKCS12_parse(
        archive, text?.assumingMemoryBound(to: CChar.self), &key, &certificate, &chain)
    }
    guard result == 1 else {
      let why = opensslErrorText()
      // Archives of old Windows use RC2, which OpenSSL 3 has put aside.
      throw failed(
        "the certificate cannot be read", why,
        next: why?.contains("unsupported") == true ? "export it again with AES-256" : nil)
    }
    guard unsafe key != nil, unsafe certificate != nil else {
      throw failed("the certificate cannot be used", "the file holds no key or no certificate")
    }
  }

  borrowing func check() throws(Failure) {
    let what = "the certificate cannot be used"
    guard unsafe X509_check_private_key(certificate, key) == 1 else {
      throw failed(what, "the key belongs to another certificate")
    }
    guard unsafe EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
      throw failed(what, "its key is not RSA, the one kind that Windows takes here")
    }
    guard unsafe X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 else {
      throw failed(what, "it is not valid yet")
    }
    guard unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 else {
      throw failed(what, "it has expired")
    }
  }

  var publisher: String { unsafe CertificateFields(certificate: certificate).name }

  var thumbprint: String {
    let digest = unsafe CertificateFields(certificate: certificate).digest(.sha256)
    return hexadecimal(digest, separator: "").uppercased()
  }
}

/// PKCS#12 is DER, which begins with a SEQUENCE.
private func isPEM(_ file: SecretBytes) -> Bool {
  unsafe file.withBytes { unsafe $0.first != 0x30 }
}

/// A copy in libcrypto's memory, which is overwritten when it is freed.
private func memory(_ file: SecretBytes) throws(Failure) -> OpaquePointer {
  let memory = unsafe file.withBytes { bytes -> OpaquePointer? in
    guard let memory = unsafe BIO_new(BIO_s_mem()) else { return nil }
    let count = Int32(clamping: bytes.count)
    // An empty write counts as a failed one.
    if count == 0 { return unsafe memory }
    if unsafe BIO_write(memory, bytes.baseAddress, count) == count { return unsafe memory }
    unsafe BIO_free(memory)
    return nil
  }
  guard let memory = unsafe memory else {
    throw failed("signing is not possible", opensslErrorText())
  }
  return unsafe memory
}

/// What the passphrase callback is given, and what it tells.
private struct KeyQuestion {
  var passphrase: SecretBytes?
  var wasAsked = false
}

private func readKey(
  _ file: SecretBytes, _ passphrase: () -> SecretBytes?
) throws(Failure) -> OpaquePointer {
  let what = "the key cannot be read"
  var question = KeyQuestion()
  if let key = unsafe try readKey(file, &question) { return unsafe key }
  guard question.wasAsked else { throw failed(what, "the file holds no PEM key") }
  question.passphrase = passphrase()
  guard question.passphrase != nil else { throw failed(what, "it needs a passphrase") }
  if let key = unsafe try readKey(file, &question) { return unsafe key }
  throw failed(what, "wrong passphrase")
}

private func readKey(
  _ file: SecretBytes, _ question: inout KeyQuestion
) throws(Failure) -> OpaquePointer? {
  ERR_clear_error()
  let input = unsafe try memory(file)
  defer { unsafe BIO_free(input) }
  return unsafe withUnsafeMutablePointer(to: &question) {
    unsafe PEM_read_bio_PrivateKey(input, nil, answerKeyQuestion, $0)
  }
}

private let answerKeyQuestion:
  @convention(c) (
    UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
  ) -> Int32 = { buffer, size, _, context in
    guard let buffer = unsafe buffer, let context = unsafe context else { return -1 }
    let question = unsafe context.assumingMemoryBound(to: KeyQuestion.self)
    unsafe question.pointee.wasAsked = true
    guard let passphrase = unsafe question.pointee.passphrase, passphrase.count <= Int(size) else {
      return -1
    }
    unsafe passphrase.withBytes { bytes in
      if let base = bytes.baseAddress {
        unsafe UnsafeMutableRawPointer(buffer).copyMemory(from: base, byteCount: bytes.count)
      }
    }
    return Int32(passphrase.count)
  }

private func failed(_ what: String, _ why: String?, next: String? = nil) -> Failure {
  Failure(.rdpSigningFailed, what: what, why: why, next: next)
}
