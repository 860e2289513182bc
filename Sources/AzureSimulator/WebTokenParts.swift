/// A JWT taken apart, not yet believed.
struct WebTokenParts {
  var header: JSON
  var payload: JSON
  var signature: [UInt8]
  /// What the signature is over.
  var signed: [UInt8]

  /// Nil for what is none: three parts, base64url without padding.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, !text.contains("="), !text.contains("+"), !text.contains("/"),
      let first = bytes(base64: parts[0]), let second = bytes(base64: parts[1]),
      let third = bytes(base64: parts[2]), let header = try? JSON(parsing: first),
      let payload = try? JSON(parsing: second)
    else { return nil }
    self.header = header
    self.payload = payload
    signature = third
    signed = Array("\(parts[0]).\(parts[1])".utf8)
  }
}

/// The bytes of base64 in either alphabet, padded or not; nil for anything else.
func bytes(base64 text: some StringProtocol) -> [UInt8]? {
  var result: [UInt8] = []
  var buffer: UInt32 = 0
  var bits = 0
  for byte in text.utf8.prefix(while: { $0 != UInt8(ascii: "=") }) {
    let value: UInt8
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
    default: return nil
    }
    buffer = buffer << 6 | UInt32(value)
    bits += 6
    if bits >= 8 {
      bits -= 8
      result.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
      buffer &= (1 << UInt32(bits)) - 1
    }
  }
  return result
}
