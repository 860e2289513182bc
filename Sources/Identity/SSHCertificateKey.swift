import FoundationEssentials

/// The public half of an RSA key that Entra ID shall certify for SSH.
package struct SSHCertificateKey: Hashable, Sendable {
  /// `key_id`: SHA-256 over the texts of `n` and `e`, in lower-case hexadecimal digits.
  package let id: String
  /// `req_cnf`: the key as JSON of a JWK, sent as it is.
  package let confirmation: String

  /// - Parameters:
  ///   - modulus: big-endian; leading zeros are taken off, as RFC 7518 §6.3.1 asks.
  ///   - exponent: the same.
  package init(modulus: [UInt8], exponent: [UInt8]) {
    let n = base64URL(Array(modulus.drop { $0 == 0 }))
    let e = base64URL(Array(exponent.drop { $0 == 0 }))
    id = hexadecimal(sha256(Array((n + e).utf8)))
    confirmation = #"{"kty":"RSA","n":"\#(n)","e":"\#(e)","kid":"\#(id)"}"#
  }

  /// What the base64 of every certificate of an RSA key begins with: its length-prefixed type,
  /// `ssh-rsa-cert-v01@openssh.com`.
  static let certificateStart = "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20"
}
