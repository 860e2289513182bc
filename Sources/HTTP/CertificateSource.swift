package import Platform

/// Where the trusted certificate authorities lie; nil is the system's own store.
///
/// A company's proxy that opens TLS is made known with the variables that curl and OpenSSL read.
package struct CertificateSource: Sendable {
  package var file: String?
  package var folder: String?

  package init(_ environment: Environment) {
    file = environment["CURL_CA_BUNDLE"] ?? environment["SSL_CERT_FILE"]
    folder = environment["SSL_CERT_DIR"]
  }
}
