import COpenSSL

/// Hashes of libcrypto.
enum Digest {
  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    unsafe digest(bytes, EVP_sha256())
  }

  static func sha384(_ bytes: [UInt8]) -> [UInt8] { unsafe digest(bytes, EVP_sha384()) }

  static func sha512(_ bytes: [UInt8]) -> [UInt8] { unsafe digest(bytes, EVP_sha512()) }

  /// Only for fingerprints that people compare with old lists.
  static func md5(_ bytes: [UInt8]) -> [UInt8] { unsafe digest(bytes, EVP_md5()) }

  /// Only to compare with what others have written by it.
  static func sha1(_ bytes: [UInt8]) -> [UInt8] {
    unsafe digest(bytes, EVP_sha1())
  }

  /// HMAC-SHA1, which hashed names of known_hosts use.
  static func hmacSHA1(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    let done = unsafe HMAC(
      EVP_sha1(), key, Int32(clamping: key.count), bytes, bytes.count, &result, &length)
    guard unsafe done != nil else { return [] }
    return Array(result.prefix(Int(length)))
  }

  @unsafe private static func digest(_ bytes: [UInt8], _ kind: OpaquePointer?) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard unsafe EVP_Digest(bytes, bytes.count, &result, &length, kind, nil) == 1 else { return [] }
    return Array(result.prefix(Int(length)))
  }

  static func random(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
