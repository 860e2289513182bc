import COpenSSL
import Platform
import Synchronization

/// The certificate of a simulated desktop, made by the machine itself as Windows makes it.
package final class DesktopCertificate: Sendable {
  /// For whoever does not care which one it is.
  package static let shared = DesktopCertificate("WINVM")

  private let name: String
  private let server: Mutex<Server?>

  /// - Parameter name: the computer's name.
  package init(_ name: String) {
    self.name = name
    server = Mutex(Server(name))
  }

  /// Shows a new one from now on, as Windows does twice a year.
  package func renew() { server.withLock { $0 = Server(name) } }

  /// SHA-256 over the certificate: lower-case digits with colons between the bytes.
  package var fingerprint: String {
    server.withLock { $0?.fingerprint ?? [] }
      .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  /// Makes the server's side of TLS on a connection, then reads to its end.
  func serve(_ descriptor: Int32) {
    // Not under the lock: it lasts as long as the client likes.
    guard let server = server.withLock({ $0 }) else { return }
    server.serve(descriptor)
  }
}

/// A key with its certificate, ready to answer; the one owner of what OpenSSL holds.
///
/// Unchecked: OpenSSL's contexts may be used by several threads.
@safe private final class Server: @unchecked Sendable {
  private let context: OpaquePointer
  let fingerprint: [UInt8]

  init?(_ name: String) {
    guard let key = unsafe copenssl_p256_key() else { return nil }
    defer { unsafe EVP_PKEY_free(key) }
    guard let certificate = unsafe Self.certificate(name, key) else { return nil }
    defer { unsafe X509_free(certificate) }
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &length) == 1,
      let context = unsafe SSL_CTX_new(TLS_server_method())
    else { return nil }
    fingerprint = Array(digest.prefix(Int(length)))
    unsafe self.context = context
    // The context keeps what it needs of both.
    guard unsafe SSL_CTX_use_certificate(context, certificate) == 1,
      unsafe SSL_CTX_use_PrivateKey(context, key) == 1
    else { return nil }
  }

  deinit { unsafe SSL_CTX_free(context) }

  @unsafe private static func certificate(_ name: String, _ key: OpaquePointer) -> OpaquePointer? {
    guard let certificate = unsafe X509_new() else { return nil }
    let subject = unsafe X509_get_subject_name(certificate)
    var serial: UInt32 = 0
    _ = unsafe withUnsafeMutableBytes(of: &serial) {
      unsafe RAND_bytes($0.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32($0.count))
    }
    let isMade =
      unsafe X509_set_version(certificate, 2) == 1
      && ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int(serial)) == 1
      && X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nil
      && X509_gmtime_adj(X509_getm_notAfter(certificate), 180 * 86400) != nil
      && X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1
      && X509_set_issuer_name(certificate, subject) == 1
      && X509_set_pubkey(certificate, key) == 1
      && X509_sign(certificate, key, EVP_sha256()) > 0
    if isMade { return unsafe certificate }
    unsafe X509_free(certificate)
    return nil
  }

  /// Through buffers: OpenSSL's own writes raise SIGPIPE where the client has gone.
  func serve(_ descriptor: Int32) {
    guard let session = unsafe SSL_new(context), let incoming = unsafe BIO_new(BIO_s_mem()),
      let outgoing = unsafe BIO_new(BIO_s_mem())
    else { return }
    unsafe SSL_set_bio(session, incoming, outgoing)
    unsafe SSL_set_accept_state(session)
    defer { unsafe SSL_free(session) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let size = Int32(buffer.count)
    while true {
      // Makes the handshake first.
      let result = unsafe SSL_read(session, &buffer, size)
      let wantsMore = unsafe SSL_get_error(session, result) == SSL_ERROR_WANT_READ
      while case let count = unsafe BIO_read(outgoing, &buffer, size), count > 0 {
        guard Socket.sendAll(descriptor, Array(buffer.prefix(Int(count)))) else { return }
      }
      if result > 0 { continue }
      guard wantsMore, let bytes = try? readSome(descriptor, limit: 4096), !bytes.isEmpty,
        unsafe BIO_write(incoming, bytes, Int32(clamping: bytes.count)) == bytes.count
      else { return }
    }
  }
}
