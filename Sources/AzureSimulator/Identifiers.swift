/// Identifiers made from names, so that every run gives the same ones.
enum Identifiers {
  /// FNV-1a, 64 bits.
  static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// A GUID.
  static func guid(_ name: String) -> String {
    let digits = hexadecimal(hash(name)) + hexadecimal(hash(name + "#"))
    let parts = [8, 4, 4, 4, 12]
    var rest = Substring(digits)
    return parts.map { count in
      let part = rest.prefix(count)
      rest = rest.dropFirst(count)
      return String(part)
    }.joined(separator: "-")
  }

  static func hexadecimal(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  /// The number and the 32 upper-case digits in the name of a rule that JIT makes.
  static func ruleSuffix(_ name: String) -> (number: Int32, digits: String) {
    let digits = (hexadecimal(hash(name)) + hexadecimal(hash(name + "#"))).uppercased()
    return (Int32(truncatingIfNeeded: hash("number " + name)), digits)
  }
}

/// Base64 without padding, in the URL alphabet.
func base64URL(_ bytes: some Collection<UInt8>) -> String {
  base64(bytes, alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
}

/// Base64 in the ordinary alphabet, padded.
func base64(_ bytes: some Collection<UInt8>) -> String {
  let text = base64(
    bytes, alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  return text + String(repeating: "=", count: (4 - text.count % 4) % 4)
}

private func base64(_ bytes: some Collection<UInt8>, alphabet: String) -> String {
  let alphabet = Array(alphabet.utf8)
  var result: [UInt8] = []
  var buffer: UInt32 = 0
  var bits = 0
  for byte in bytes {
    buffer = buffer << 8 | UInt32(byte)
    bits += 8
    while bits >= 6 {
      bits -= 6
      result.append(alphabet[Int(buffer >> UInt32(bits)) & 63])
    }
    buffer &= (1 << UInt32(bits)) - 1
  }
  if bits > 0 { result.append(alphabet[Int(buffer << UInt32(6 - bits)) & 63]) }
  return String(decoding: result, as: UTF8.self)
}
