extension JSON {
  /// The value as one line of JSON.
  package var encoded: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return bytes
  }

  private func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .number(let value): bytes += value.utf8
    case .string(let value): Self.write(value, to: &bytes)
    case .array(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(member.name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ text: String, to bytes: inout [UInt8]) {
    let hex = Array("0123456789abcdef".utf8)
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        bytes += "\\u00".utf8
        bytes.append(hex[Int(byte >> 4)])
        bytes.append(hex[Int(byte & 15)])
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Why a text is not JSON.
  package struct ParseError: Error, Equatable {
    /// The offset of the byte that does not fit.
    package var position: Int
  }

  /// Reads strict JSON: no comments, no trailing commas, no duplicate members, UTF-8 only.
  package init(parsing bytes: [UInt8]) throws(ParseError) {
    var parser = Parser(bytes: bytes)
    self = try parser.document()
  }

  private struct Parser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }
    var failure: ParseError { ParseError(position: position) }

    mutating func document() throws(ParseError) -> JSON {
      let result = try value(depth: 0)
      skipSpace()
      guard next == nil else { throw failure }
      return result
    }

    mutating func skipSpace() {
      while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
        position += 1
      }
    }

    mutating func take(_ byte: Unicode.Scalar) -> Bool {
      guard next == UInt8(ascii: byte) else { return false }
      position += 1
      return true
    }

    mutating func word(_ text: StaticString, _ value: JSON) throws(ParseError) -> JSON {
      for byte in text.description.utf8 {
        guard next == byte else { throw failure }
        position += 1
      }
      return value
    }

    mutating func value(depth: Int) throws(ParseError) -> JSON {
      guard depth < 64 else { throw failure }
      skipSpace()
      switch next {
      case UInt8(ascii: "{"): return try object(depth: depth)
      case UInt8(ascii: "["): return try array(depth: depth)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: return .number(try number())
      }
    }

    mutating func object(depth: Int) throws(ParseError) -> JSON {
      position += 1
      var members: [Member] = []
      skipSpace()
      if take("}") { return .object([]) }
      repeat {
        skipSpace()
        guard next == UInt8(ascii: "\"") else { throw failure }
        let name = try string()
        guard !members.contains(where: { $0.name == name }) else { throw failure }
        skipSpace()
        guard take(":") else { throw failure }
        members.append(Member(name, try value(depth: depth + 1)))
        skipSpace()
      } while take(",")
      guard take("}") else { throw failure }
      return .object(members)
    }

    mutating func array(depth: Int) throws(ParseError) -> JSON {
      position += 1
      var elements: [JSON] = []
      skipSpace()
      if take("]") { return .array([]) }
      repeat {
        elements.append(try value(depth: depth + 1))
        skipSpace()
      } while take(",")
      guard take("]") else { throw failure }
      return .array(elements)
    }

    mutating func number() throws(ParseError) -> String {
      let start = position
      _ = take("-")
      if !take("0") { try digits() }
      if take(".") { try digits() }
      if take("e") || take("E") {
        if !take("+") { _ = take("-") }
        try digits()
      }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    mutating func digits() throws(ParseError) {
      let start = position
      while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        position += 1
      }
      guard position > start else { throw failure }
    }

    mutating func string() throws(ParseError) -> String {
      position += 1
      var content: [UInt8] = []
      while let byte = next {
        position += 1
        switch byte {
        case UInt8(ascii: "\""):
          guard let text = String(validating: content, as: UTF8.self) else { throw failure }
          return text
        case UInt8(ascii: "\\"): content += String(try escape()).utf8
        case 0..<0x20: throw failure
        default: content.append(byte)
        }
      }
      throw failure
    }

    mutating func escape() throws(ParseError) -> Unicode.Scalar {
      guard let byte = next else { throw failure }
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return "\""
      case UInt8(ascii: "\\"): return "\\"
      case UInt8(ascii: "/"): return "/"
      case UInt8(ascii: "b"): return "\u{08}"
      case UInt8(ascii: "f"): return "\u{0C}"
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "u"):
        let high = try hexadecimal()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard (0xD800..<0xDC00).contains(high), take("\\"), take("u") else { throw failure }
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw failure }
        guard let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) else {
          throw failure
        }
        return scalar
      default: throw failure
      }
    }

    mutating func hexadecimal() throws(ParseError) -> UInt32 {
      guard position + 4 <= bytes.count,
        let value = UInt32(
          String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
      else { throw failure }
      position += 4
      return value
    }
  }
}
