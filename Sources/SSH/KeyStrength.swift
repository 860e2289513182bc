/// What a setting demands of keys before they count at all.
enum KeyStrength {
  /// The bits of an RSA key's modulus, also of one inside a certificate; nil for other keys.
  static func bitsOfRSA(_ blob: [UInt8]) -> Int? {
    var reader = WireReader(PublicKeyLine.certifiedKey(in: blob) ?? blob)
    guard reader.text() == "ssh-rsa", reader.string() != nil, let modulus = reader.string() else {
      return nil
    }
    // Leading zero bytes of the modulus are no bits.
    let digits = modulus.drop { $0 == 0 }
    return digits.count * 8 - (digits.first?.leadingZeroBitCount ?? 0)
  }

  /// `RequiredRSASize`: whether it is an RSA key with fewer bits.
  static func isTooShort(_ blob: [UInt8], minimum: Int) -> Bool {
    bitsOfRSA(blob).map { $0 < minimum } ?? false
  }

  /// The signature algorithm for a user's key, as ssh chooses it (`key_sig_algorithm`).
  ///
  /// - Parameters:
  ///   - type: the key's or certificate's.
  ///   - accepted: `PubkeyAcceptedAlgorithms`, best first.
  ///   - server: what the server says that it takes; nil where it has not said.
  /// - Returns: nil where the key is not to be offered.
  static func algorithm(
    for type: String, accepted: [String], server: [String]?
  ) -> String? {
    let certificate = "-cert-v01@openssh.com"
    guard type == "ssh-rsa" || type == "ssh-rsa" + certificate, let server else {
      return accepted.contains(type) ? type : nil
    }
    let suffix = type.hasSuffix(certificate) ? certificate : ""
    let usable = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
    return accepted.first { name in
      usable.contains { name == $0 + suffix && (server.contains($0) || server.contains(name)) }
    }
  }
}
