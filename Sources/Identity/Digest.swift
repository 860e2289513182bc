import COpenSSL
import FoundationEssentials

/// SHA-256.
func sha256(_ input: [UInt8]) -> [UInt8] {
  var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
  var count: UInt32 = 0
  _ = unsafe EVP_Digest(input, input.count, &digest, &count, EVP_sha256(), nil)
  return Array(digest.prefix(Int(count)))
}

/// SHA-256 in lower-case hexadecimal digits; each part is preceded by its length, so that no two
/// lists of parts give the same input.
func sha256Hex(_ parts: [[UInt8]]) -> String {
  var input: [UInt8] = []
  for part in parts {
    input += Array("\(part.count):".utf8)
    input += part
  }
  return hexadecimal(sha256(input))
}

func sha256Hex(_ texts: String...) -> String { sha256Hex(texts.map { Array($0.utf8) }) }

/// Lower-case digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
}

/// Base64 in the URL alphabet, without padding (RFC 4648 §5).
func base64URL(_ bytes: [UInt8]) -> String {
  String(
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .prefix { $0 != "=" })
}

/// The bytes of a base64 text in either alphabet, padded or not.
func bytes(base64 text: some StringProtocol) -> [UInt8]? {
  var text = String(text).replacing("-", with: "+").replacing("_", with: "/")
  text = String(text.prefix { $0 != "=" })
  text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
  return Data(base64Encoded: text).map(Array.init)
}

/// Bytes of the system's generator, for what nobody may guess.
func randomBytes(_ count: Int) -> [UInt8] {
  // The system's generator on every platform.
  var generator = SystemRandomNumberGenerator()
  return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}
