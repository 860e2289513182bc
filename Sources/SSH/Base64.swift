/// Base64 of RFC 4648 §4, as keys are written.
enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8], padded: Bool = true) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var value: UInt32 = 0
      for byte in group { value = value << 8 | UInt32(byte) }
      value <<= UInt32(8 * (3 - group.count))
      for index in 0..<4 {
        if index <= group.count {
          text.append(alphabet[Int(value >> UInt32(18 - 6 * index)) & 63])
        } else if padded {
          text.append(UInt8(ascii: "="))
        }
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Nil for anything that is not whole, padded base64; white space is passed over.
  static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var value: UInt32 = 0
    var digits = 0
    var padding = 0
    for character in text {
      let digit: UInt32
      switch character {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(character) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(character) - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(character) + 4
      case UInt8(ascii: "+"): digit = 62
      case UInt8(ascii: "/"): digit = 63
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
      case UInt8(ascii: "="):
        padding += 1
        continue
      default: return nil
      }
      if padding > 0 { return nil }
      value = value << 6 | digit
      digits += 1
      if digits % 4 == 0 {
        for shift in [16, 8, 0] as [UInt32] {
          result.append(UInt8(truncatingIfNeeded: value >> shift))
        }
        value = 0
      }
    }
    switch digits % 4 {
    case 0: return padding == 0 ? result : nil
    case 2 where padding == 2:
      result.append(UInt8(truncatingIfNeeded: value >> 4))
      return result
    case 3 where padding == 1:
      result.append(UInt8(truncatingIfNeeded: value >> 10))
      result.append(UInt8(truncatingIfNeeded: value >> 2))
      return result
    default: return nil
    }
  }
}
