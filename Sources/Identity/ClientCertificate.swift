import COpenSSL
import Platform

/// A certificate with its RSA key, for signing assertions.
///
/// The only file of this target, beside the digest's, that handles pointers. Unchecked: libcrypto's
/// keys and certificates are not changed after they were read, and it counts their users atomically.
@safe final class ClientCertificate: @unchecked Sendable {
  /// Why a file is no use.
  struct Problem: Error {
    var text: String
    /// The password is wrong or missing.
    var isPassword = false
  }

  private var key: OpaquePointer?
  private var certificate: OpaquePointer?

  /// Reads PEM, with key and certificates in any order, or PKCS#12.
  init(_ content: SecretBytes, password: SecretBytes?) throws(Problem) {
    // PKCS#12 is DER, which begins with a SEQUENCE.
    if unsafe content.withBytes({ unsafe $0.first == 0x30 }) {
      try readPKCS12(content, password)
    } else {
      try readPEM(content, password)
    }
    guard unsafe EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
      throw Problem(text: "its key is not RSA, the one kind that Entra ID takes")
    }
    if unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 {
      throw Problem(text: "it has expired")
    }
  }

  // Both take a null pointer.
  deinit {
    unsafe EVP_PKEY_free(key)
    unsafe X509_free(certificate)
  }

  /// The certificate itself.
  var der: [UInt8] {
    let length = unsafe i2d_X509(certificate, nil)
    guard length > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    _ = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      var end = buffer.baseAddress
      return unsafe i2d_X509(certificate, &end)
    }
    return bytes
  }

  /// RSASSA-PSS with SHA-256 and a salt of 32 bytes: PS256.
  func signature(over input: [UInt8]) throws(Problem) -> [UInt8] {
    ERR_clear_error()
    guard let context = unsafe EVP_MD_CTX_new() else { throw Self.libraryProblem() }
    defer { unsafe EVP_MD_CTX_free(context) }
    var keyContext: OpaquePointer?
    var length = 0
    guard unsafe EVP_DigestSignInit(context, &keyContext, EVP_sha256(), nil, key) == 1,
      unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
      unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, 32) == 1,
      unsafe EVP_DigestSign(context, nil, &length, input, input.count) == 1
    else { throw Self.libraryProblem() }
    var signature = [UInt8](repeating: 0, count: length)
    guard unsafe EVP_DigestSign(context, &signature, &length, input, input.count) == 1 else {
      throw Self.libraryProblem()
    }
    return Array(signature.prefix(length))
  }

  // MARK: Reading

  private func readPEM(_ content: SecretBytes, _ password: SecretBytes?) throws(Problem) {
    ERR_clear_error()
    var question = PasswordQuestion(password: password)
    let keyInput = unsafe try Self.memory(content)
    defer { unsafe BIO_free(keyInput) }
    unsafe key = unsafe withUnsafeMutablePointer(to: &question) {
      unsafe PEM_read_bio_PrivateKey(keyInput, nil, answerPasswordQuestion, $0)
    }
    guard unsafe key != nil else {
      guard question.wasAsked else { throw Problem(text: "the file holds no PEM key") }
      throw Problem(
        text: password == nil ? "its key needs a password" : "the password is wrong",
        isPassword: true)
    }
    let input = unsafe try Self.memory(content)
    defer { unsafe BIO_free(input) }
    var count = 0
    while let next = unsafe PEM_read_bio_X509(input, nil, nil, nil) {
      count += 1
      if unsafe certificate == nil, unsafe X509_check_private_key(next, key) == 1 {
        unsafe certificate = next
      } else {
        unsafe X509_free(next)
      }
    }
    guard unsafe certificate != nil else {
      throw Problem(
        text: count == 0
          ? "the file holds no PEM certificate" : "the key belongs to none of the certificates")
    }
  }

  private func readPKCS12(_ content: SecretBytes, _ password: SecretBytes?) throws(Problem) {
    ERR_clear_error()
    let input = unsafe try Self.memory(content)
    defer { unsafe BIO_free(input) }
    guard let archive = unsafe d2i_PKCS12_bio(input, nil) else {
      throw Problem(text: "the file holds neither PEM nor PKCS#12")
    }
    defer { unsafe PKCS12_free(archive) }
    // An archive without a password is made with none or with an empty one, which differ.
    var secret: [UInt8] = []
    defer { overwrite(&secret) }
    if let password {
      secret.reserveCapacity(password.count + 1)
      unsafe password.withBytes { unsafe secret.append(contentsOf: $0) }
      secret.append(0)
    } else if unsafe PKCS12_verify_mac(archive, nil, 0) != 1 {
      guard unsafe PKCS12_verify_mac(archive, "", 0) == 1 else {
        throw Problem(text: "it needs a password", isPassword: true)
      }
      secret.append(0)
    }
    ERR_clear_error()
    let result = unsafe secret.withUnsafeBytes { bytes in
      let text = secret.isEmpty ? nil : bytes.baseAddress
      return unsafe PKCS12_parse(
        archive, text?.assumingMemoryBound(to: CChar.self), &key, &certificate, nil)
    }
    guard result == 1 else {
      let isPassword = unsafe secret.withUnsafeBytes { bytes in
        unsafe PKCS12_verify_mac(
          archive, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
          Int32(clamping: max(0, secret.count - 1))) != 1
      }
      if isPassword { throw Problem(text: "the password is wrong", isPassword: true) }
      throw Self.libraryProblem()
    }
    guard unsafe key != nil, unsafe certificate != nil else {
      throw Problem(text: "the file holds no key or no certificate")
    }
  }

  /// A copy in libcrypto's memory, which is overwritten when it is freed.
  private static func memory(_ content: SecretBytes) throws(Problem) -> OpaquePointer {
    guard let memory = unsafe BIO_new(BIO_s_mem()) else { throw libraryProblem() }
    let isWritten = unsafe content.withBytes { bytes in
      let count = Int32(clamping: bytes.count)
      // An empty write counts as a failed one.
      return unsafe count == 0 || BIO_write(memory, bytes.baseAddress, count) == count
    }
    if isWritten { return unsafe memory }
    unsafe BIO_free(memory)
    throw libraryProblem()
  }

  /// libcrypto's own words for the last error; never the input.
  private static func libraryProblem() -> Problem {
    let code = ERR_peek_last_error()
    guard code != 0, let text = unsafe ERR_reason_error_string(code) else {
      return Problem(text: "libcrypto gave no reason")
    }
    return unsafe Problem(text: String(cString: text))
  }
}

/// What the password callback is given, and what it tells.
private struct PasswordQuestion {
  var password: SecretBytes?
  var wasAsked = false
}

private let answerPasswordQuestion:
  @convention(c) (
    UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
  ) -> Int32 = { buffer, size, _, context in
    guard let buffer = unsafe buffer, let context = unsafe context else { return -1 }
    let question = unsafe context.assumingMemoryBound(to: PasswordQuestion.self)
    unsafe question.pointee.wasAsked = true
    guard let password = unsafe question.pointee.password, password.count <= Int(size) else {
      return -1
    }
    unsafe password.withBytes { bytes in
      if let base = bytes.baseAddress {
        unsafe UnsafeMutableRawPointer(buffer).copyMemory(from: base, byteCount: bytes.count)
      }
    }
    return Int32(password.count)
  }
