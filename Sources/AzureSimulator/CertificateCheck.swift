import COpenSSL

/// A certificate as the login server knows it: the one file here that hands pointers to libcrypto.
@safe final class CertificateCheck {
  private let certificate: OpaquePointer

  init?(pem: String) {
    let bytes = Array(pem.utf8)
    guard let input = unsafe BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else {
      return nil
    }
    defer { unsafe BIO_free(input) }
    guard let read = unsafe PEM_read_bio_X509(input, nil, nil, nil) else { return nil }
    unsafe certificate = read
  }

  /// Standard base64 of the DER, as `x5c` has it.
  init?(base64 text: String) {
    guard let der = bytes(base64: text) else { return nil }
    let read = unsafe der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
      var start = buffer.baseAddress
      return unsafe d2i_X509(nil, &start, buffer.count)
    }
    guard let read = unsafe read else { return nil }
    unsafe certificate = read
  }

  deinit { unsafe X509_free(certificate) }

  /// SHA-256 of the DER.
  var thumbprint: [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    _ = unsafe X509_digest(certificate, EVP_sha256(), &digest, &length)
    return Array(digest.prefix(Int(length)))
  }

  var commonName: String {
    var text = [CChar](repeating: 0, count: 256)
    let subject = unsafe X509_get_subject_name(certificate)
    guard
      unsafe X509_NAME_get_text_by_NID(subject, NID_commonName, &text, Int32(text.count)) >= 0
    else { return "" }
    return String(
      decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  func isSigned(by issuer: CertificateCheck) -> Bool {
    guard let key = unsafe X509_get0_pubkey(issuer.certificate) else { return false }
    return unsafe X509_verify(certificate, key) == 1
  }

  /// PS256: RSASSA-PSS with SHA-256 and a salt of 32 bytes.
  func verifies(_ signature: [UInt8], over input: [UInt8]) -> Bool {
    guard let key = unsafe X509_get0_pubkey(certificate), let context = unsafe EVP_MD_CTX_new()
    else { return false }
    defer { unsafe EVP_MD_CTX_free(context) }
    var keyContext: OpaquePointer?
    guard unsafe EVP_DigestVerifyInit(context, &keyContext, EVP_sha256(), nil, key) == 1,
      unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
      unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, 32) == 1
    else { return false }
    return unsafe EVP_DigestVerify(context, signature, signature.count, input, input.count) == 1
  }

  static func sha256(_ input: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    _ = unsafe EVP_Digest(input, input.count, &digest, &length, EVP_sha256(), nil)
    return Array(digest.prefix(Int(length)))
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
  }
}
