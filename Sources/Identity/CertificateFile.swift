import Platform

/// `AZURE_CLIENT_CERTIFICATE_PATH` as it lies there: read by libcrypto only when a token is needed.
struct CertificateFile: Sendable {
  let path: String
  let content: SecretBytes
  let password: SecretBytes?
  /// The certificate goes with each assertion, for applications that trust a subject and issuer.
  let isSent: Bool

  /// - Throws: `sign-in-refused` where the file cannot be read: it was configured.
  init(_ environment: Environment) throws(Failure) {
    let path = environment["AZURE_CLIENT_CERTIFICATE_PATH"] ?? ""
    self.path = path
    do {
      var bytes = try Files.read(path, limit: 1 << 20)
      content = SecretBytes(taking: &bytes)
    } catch {
      throw Failure(
        .signInRefused, what: "\(EnvironmentCredential.name): the certificate cannot be read",
        why: "\(printable(path, limit: 200)): \(error)",
        next: "check AZURE_CLIENT_CERTIFICATE_PATH", cause: .system(error.number))
    }
    password = environment["AZURE_CLIENT_CERTIFICATE_PASSWORD"].map {
      SecretBytes(Array($0.utf8))
    }
    isSent = ["true", "1"].contains(
      environment["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"]?.lowercased() ?? "")
  }

  /// What tells this file's certificate from others in the token store, without opening it.
  var identity: [UInt8] {
    var bytes = unsafe content.withBytes { unsafe Array($0) }
    defer { overwrite(&bytes) }
    return sha256(bytes)
  }

  /// - Throws: `sign-in-refused`, with the file's name.
  func read() throws(Failure) -> ClientCertificate {
    do {
      return try ClientCertificate(content, password: password)
    } catch {
      throw Failure(
        .signInRefused, what: "\(EnvironmentCredential.name): the certificate cannot be used",
        why: "\(printable(path, limit: 200)): \(error.text)",
        next: error.isPassword
          ? "set AZURE_CLIENT_CERTIFICATE_PASSWORD to its password"
          : "set AZURE_CLIENT_CERTIFICATE_PATH to a PEM or PKCS#12 file with certificate and "
            + "RSA key")
    }
  }
}
