import COpenSSL
package import Platform

/// A TLS handshake that looks at the server's certificate and goes no further.
///
/// The certificate is judged by nobody here: Windows makes its own, so it is compared with the one
/// that was seen before. Nothing but the handshake is ever sent, which is why old versions of TLS
/// are good enough. Nothing is opened here: bytes in, bytes out.
package struct TLSHandshake: ~Copyable {
  private let library: TLSLibrary

  /// - Throws: `system-failed` where the library refuses.
  package init() throws(Failure) { library = try TLSLibrary() }

  /// Takes what the server has sent (nothing at first).
  ///
  /// - Returns: what is to be sent, and the certificate as soon as the server has proved that it
  ///   holds the key.
  /// - Throws: `protocol-failed` where the handshake cannot come about.
  package mutating func advance(
    _ received: [UInt8]
  ) throws(Failure) -> (toSend: [UInt8], certificate: RDPCertificate?) {
    library.take(received)
    let isDone = try library.handshake()
    let toSend = library.pending()
    return (toSend, isDone ? try library.certificate() : nil)
  }
}

/// The session with its two buffers, with one owner.
///
/// Not private: an optimised build of another target refers to it, and does not link otherwise.
@safe struct TLSLibrary: ~Copyable {
  private let context: OpaquePointer
  private let session: OpaquePointer
  /// Freed with the session.
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer

  init() throws(Failure) {
    ERR_clear_error()
    let refused = Failure(.systemFailed, what: "TLS is not possible with this OpenSSL")
    guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { throw refused }
    // No chain to check, and servers as old as Windows Server 2008 R2 to look at.
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    unsafe SSL_CTX_set_security_level(context, 0)
    _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_VERSION), nil)
    guard let session = unsafe SSL_new(context) else {
      unsafe SSL_CTX_free(context)
      throw refused
    }
    guard let incoming = unsafe BIO_new(BIO_s_mem()), let outgoing = unsafe BIO_new(BIO_s_mem())
    else {
      unsafe SSL_free(session)
      unsafe SSL_CTX_free(context)
      throw refused
    }
    unsafe SSL_set_bio(session, incoming, outgoing)
    unsafe SSL_set_connect_state(session)
    unsafe self.context = context
    unsafe self.session = session
    unsafe self.incoming = incoming
    unsafe self.outgoing = outgoing
  }

  deinit {
    unsafe SSL_free(session)
    unsafe SSL_CTX_free(context)
  }

  func take(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    _ = unsafe bytes.withUnsafeBytes {
      unsafe BIO_write(incoming, $0.baseAddress, Int32(clamping: $0.count))
    }
  }

  /// Whether it is complete.
  func handshake() throws(Failure) -> Bool {
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(session)
    if result == 1 { return true }
    let error = unsafe SSL_get_error(session, result)
    if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE { return false }
    throw Failure(
      .protocolFailed, what: "the server's TLS handshake fails", why: opensslErrorText())
  }

  func pending() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe BIO_read(outgoing, $0.baseAddress, Int32(clamping: $0.count))
      }
      guard count > 0 else { return bytes }
      bytes += buffer.prefix(Int(count))
    }
  }

  func certificate() throws(Failure) -> RDPCertificate {
    guard let certificate = unsafe SSL_get1_peer_certificate(session) else {
      throw Failure(.protocolFailed, what: "the server shows no certificate")
    }
    defer { unsafe X509_free(certificate) }
    return unsafe CertificateFields(certificate: certificate).summary
  }
}
