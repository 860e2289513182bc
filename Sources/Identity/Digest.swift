import COpenSSL

/// SHA-256 in lower-case hexadecimal digits; each part is preceded by its length, so that no two
/// lists of parts give the same input.
func sha256Hex(_ parts: [[UInt8]]) -> String {
  var input: [UInt8] = []
  for part in parts {
    input += Array("\(part.count):".utf8)
    input += part
  }
  var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
  var count: UInt32 = 0
  _ = unsafe EVP_Digest(input, input.count, &digest, &count, EVP_sha256(), nil)
  var text = ""
  for byte in digest.prefix(Int(count)) {
    text += byte < 16 ? "0" : ""
    text += String(byte, radix: 16)
  }
  return text
}

func sha256Hex(_ texts: String...) -> String { sha256Hex(texts.map { Array($0.utf8) }) }
