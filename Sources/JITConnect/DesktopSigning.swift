import Platform
import RDP

/// A certificate and its key as they lie on disk, and the passphrase once it was asked for.
struct DesktopSigning: Sendable {
  var certificate: SecretBytes
  var key: SecretBytes?
  var passphrase: SecretBytes?

  func signer() throws(Failure) -> RDPSigner {
    try RDPSigner(certificate: certificate, key: key) { passphrase }
  }
}
