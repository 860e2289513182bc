/// `FingerprintHash`: how a key's fingerprint is shown and compared.
package enum FingerprintHash: String, Sendable {
  case md5 = "MD5"
  case sha1 = "SHA1"
  case sha256 = "SHA256"
  case sha384 = "SHA384"
  case sha512 = "SHA512"

  func digest(_ blob: [UInt8]) -> [UInt8] {
    switch self {
    case .md5: Digest.md5(blob)
    case .sha1: Digest.sha1(blob)
    case .sha256: Digest.sha256(blob)
    case .sha384: Digest.sha384(blob)
    case .sha512: Digest.sha512(blob)
    }
  }

  /// As ssh-keygen prints it: MD5 in hexadecimal pairs, all others in Base64.
  package func fingerprint(of blob: [UInt8]) -> String {
    let digest = digest(blob)
    guard self == .md5 else { return "\(rawValue):\(Base64.encode(digest, padded: false))" }
    let pairs = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return "MD5:" + pairs.joined(separator: ":")
  }
}
