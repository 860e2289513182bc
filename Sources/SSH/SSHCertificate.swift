/// An OpenSSH certificate of an RSA key (PROTOCOL.certkeys): `ssh-rsa-cert-v01@openssh.com`.
///
/// Who signed it is for the server to judge; here it is only read.
package struct SSHCertificate: Sendable, Equatable {
  package static let rsaType = "ssh-rsa-cert-v01@openssh.com"

  /// As it travels.
  package let blob: [UInt8]
  /// Public exponent and modulus of the key that it certifies, without leading zeros.
  package let exponent: [UInt8]
  package let modulus: [UInt8]
  package let keyID: String
  /// Who may log in with it; the first is the name that Entra ID means.
  package let principals: [String]
  /// Seconds since 1970.
  package let validAfter: UInt64
  package let validBefore: UInt64

  /// Nil for anything but a whole user certificate of an RSA key.
  package init?(blob: [UInt8]) {
    var reader = WireReader(blob)
    guard reader.text() == Self.rsaType, reader.string() != nil,
      let exponent = reader.string(), let modulus = reader.string(),
      reader.uint64() != nil, reader.uint32() == Self.userCertificate,
      let keyID = reader.text(), let principals = reader.string(),
      let validAfter = reader.uint64(), let validBefore = reader.uint64(),
      // Critical options, extensions, a reserved string, the authority's key, its signature.
      reader.string() != nil, reader.string() != nil, reader.string() != nil,
      reader.string() != nil, reader.string() != nil, reader.isAtEnd
    else { return nil }
    var names: [String] = []
    var list = WireReader(principals)
    while !list.isAtEnd {
      guard let name = list.text() else { return nil }
      names.append(name)
    }
    self.blob = blob
    self.exponent = Array(exponent.drop { $0 == 0 })
    self.modulus = Array(modulus.drop { $0 == 0 })
    self.keyID = keyID
    self.principals = names
    self.validAfter = validAfter
    self.validBefore = validBefore
  }

  /// Reads the base64 that a token endpoint gives.
  package init?(base64 text: String) {
    guard let blob = Base64.decode(text.utf8) else { return nil }
    self.init(blob: blob)
  }

  private static let userCertificate: UInt32 = 1
}
