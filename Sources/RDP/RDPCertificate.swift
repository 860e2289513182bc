package import FoundationEssentials

/// The certificate that an RDP server shows, as far as people and clients tell certificates apart.
package struct RDPCertificate: Sendable, Equatable {
  /// SHA-256 over the certificate, 32 bytes: what FreeRDP is held to.
  package var fingerprint: [UInt8]
  /// SHA-1 over it, 20 bytes: what Windows shows as the thumbprint.
  package var thumbprint: [UInt8]
  /// The common name, printable; Windows' own certificates hold the computer's name.
  package var name: String
  package var validFrom: Date?
  package var validUntil: Date?

  package init(
    fingerprint: [UInt8], thumbprint: [UInt8], name: String, validFrom: Date? = nil,
    validUntil: Date? = nil
  ) {
    self.fingerprint = fingerprint
    self.thumbprint = thumbprint
    self.name = name
    self.validFrom = validFrom
    self.validUntil = validUntil
  }

  /// Lower-case digits with colons between the bytes.
  package var fingerprintText: String { hexadecimal(fingerprint, separator: ":") }
  /// Capital digits without separators, as Windows shows it.
  package var thumbprintText: String { hexadecimal(thumbprint, separator: "").uppercased() }
}
