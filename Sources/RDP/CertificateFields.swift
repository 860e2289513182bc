import COpenSSL
import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is read from a certificate that libcrypto holds; nothing is freed here.
@unsafe struct CertificateFields {
  let certificate: OpaquePointer?

  enum Hash { case sha1, sha256 }

  /// Empty where the library refuses.
  func digest(_ hash: Hash) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    let algorithm = unsafe hash == .sha1 ? EVP_sha1() : EVP_sha256()
    guard unsafe X509_digest(certificate, algorithm, &digest, &length) == 1 else { return [] }
    return Array(digest.prefix(Int(length)))
  }

  /// The subject's common name, else its organisation, printable; empty where there is neither.
  var name: String {
    let subject = unsafe X509_get_subject_name(certificate)
    for field in [NID_commonName, NID_organizationName] {
      let index = unsafe X509_NAME_get_index_by_NID(subject, field, -1)
      guard index >= 0, let entry = unsafe X509_NAME_get_entry(subject, index) else { continue }
      var text: UnsafeMutablePointer<UInt8>?
      let length = unsafe ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
      guard length >= 0, let text = unsafe text else { continue }
      defer { unsafe CRYPTO_free(text, nil, 0) }
      let bytes = unsafe UnsafeBufferPointer(start: text, count: Int(length))
      return unsafe printable(String(decoding: bytes, as: UTF8.self), limit: 200)
    }
    return ""
  }

  var validFrom: Date? { unsafe date(X509_get0_notBefore(certificate)) }
  var validUntil: Date? { unsafe date(X509_get0_notAfter(certificate)) }

  private func date(_ time: UnsafePointer<ASN1_TIME>?) -> Date? {
    var fields = unsafe tm()
    guard unsafe time != nil, unsafe ASN1_TIME_to_tm(time, &fields) == 1 else { return nil }
    return unsafe Date(timeIntervalSince1970: TimeInterval(timegm(&fields)))
  }

  /// All of it, for people.
  var summary: RDPCertificate {
    unsafe RDPCertificate(
      fingerprint: digest(.sha256), thumbprint: digest(.sha1), name: name, validFrom: validFrom,
      validUntil: validUntil)
  }
}

/// OpenSSL's own words for this thread's last error; never the input.
func opensslErrorText() -> String? {
  let code = ERR_peek_last_error()
  guard code != 0, let text = unsafe ERR_reason_error_string(code) else { return nil }
  return unsafe String(cString: text)
}
