import Platform

/// A body of `application/x-www-form-urlencoded`, with the secrets in it known as such.
struct FormBody: Sendable {
  private(set) var fields: [(name: String, value: String)] = []
  /// Values that no message may show.
  private(set) var secrets: [(name: String, value: SecretBytes)] = []

  mutating func append(_ name: String, _ value: String) { fields.append((name, value)) }

  mutating func append(_ name: String, secret: SecretBytes) { secrets.append((name, secret)) }

  /// The encoded bytes.
  ///
  /// They hold the secrets: overwrite them after use.
  func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    // At once: an array that grows leaves copies of what was in it.
    bytes.reserveCapacity(
      fields.reduce(0) { $0 + ($1.name.utf8.count + $1.value.utf8.count) * 3 + 2 }
        + secrets.reduce(0) { $0 + ($1.name.utf8.count + $1.value.count) * 3 + 2 })
    for field in fields {
      Self.begin(field.name, in: &bytes)
      for byte in field.value.utf8 { Self.append(byte, to: &bytes) }
    }
    for secret in secrets {
      Self.begin(secret.name, in: &bytes)
      unsafe secret.value.withBytes { value in
        unsafe value.forEach { Self.append($0, to: &bytes) }
      }
    }
    return bytes
  }

  /// `text` with every secret of this form taken out.
  func redacting(_ text: String) -> String {
    var text = text
    for secret in secrets where secret.value.count > 3 {
      text = text.replacing(secret.value.exposedText, with: "(secret)")
    }
    return text
  }

  private static func begin(_ name: String, in bytes: inout [UInt8]) {
    if !bytes.isEmpty { bytes.append(UInt8(ascii: "&")) }
    for byte in name.utf8 { append(byte, to: &bytes) }
    bytes.append(UInt8(ascii: "="))
  }

  private static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      bytes.append(byte)
    default:
      bytes.append(UInt8(ascii: "%"))
      bytes.append(upperHexDigit(byte >> 4))
      bytes.append(upperHexDigit(byte & 15))
    }
  }

  private static func upperHexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }
}
