/// Why a text is not JSON, and where.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  package var reason: String
  /// In bytes from the start.
  package var offset: Int

  package var description: String { "\(reason) at byte \(offset)" }
}

extension JSONTree {
  /// How deep arrays and objects may lie in each other: Azure's answers stay below twenty.
  package static let depthLimit = 128

  /// Reads one JSON value, strictly: valid UTF-8 (a byte-order mark before it is skipped), nothing
  /// behind it, no lone surrogates.
  ///
  /// Duplicate members are kept.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = Parser(bytes)
    self = try parser.document()
  }

  private struct Parser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func document() throws(JSONError) -> JSONTree {
      skipBlanks()
      let value = try value(depth: 0)
      skipBlanks()
      guard position == bytes.count else { throw problem("text after the value") }
      return value
    }

    private func problem(_ reason: String) -> JSONError {
      JSONError(reason: reason, offset: position)
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
      while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
        position += 1
      }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONTree {
      guard depth < JSONTree.depthLimit else { throw problem("nested too deep") }
      switch current {
      case UInt8(ascii: "{"): return try object(depth: depth)
      case UInt8(ascii: "["): return try array(depth: depth)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .boolean(true))
      case UInt8(ascii: "f"): return try word("false", .boolean(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte): return try number()
      case nil: throw problem("the text ends too early")
      default: throw problem("no value begins like this")
      }
    }

    private mutating func word(
      _ word: String, _ value: JSONTree
    ) throws(JSONError) -> JSONTree {
      guard bytes[position...].starts(with: word.utf8) else { throw problem("an unknown word") }
      position += word.utf8.count
      return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONTree {
      position += 1
      var members: [Member] = []
      skipBlanks()
      if current == UInt8(ascii: "}") {
        position += 1
        return .object(members)
      }
      while true {
        skipBlanks()
        guard current == UInt8(ascii: "\"") else { throw problem("a member's name is missing") }
        let name = try string()
        skipBlanks()
        guard current == UInt8(ascii: ":") else { throw problem("a colon is missing") }
        position += 1
        skipBlanks()
        members.append(Member(name, try value(depth: depth + 1)))
        skipBlanks()
        switch current {
        case UInt8(ascii: ","): position += 1
        case UInt8(ascii: "}"):
          position += 1
          return .object(members)
        default: throw problem("an object does not end")
        }
      }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONTree {
      position += 1
      var elements: [JSONTree] = []
      skipBlanks()
      if current == UInt8(ascii: "]") {
        position += 1
        return .array(elements)
      }
      while true {
        skipBlanks()
        elements.append(try value(depth: depth + 1))
        skipBlanks()
        switch current {
        case UInt8(ascii: ","): position += 1
        case UInt8(ascii: "]"):
          position += 1
          return .array(elements)
        default: throw problem("an array does not end")
        }
      }
    }

    private mutating func string() throws(JSONError) -> String {
      position += 1
      let start = position
      while let byte = current {
        if byte == UInt8(ascii: "\"") {
          let text = try checked(bytes[start..<position])
          position += 1
          return text
        }
        if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
        guard byte >= 0x20 else { throw problem("a control character in a string") }
        position += 1
      }
      throw problem("a string does not end")
    }

    private func checked(_ slice: ArraySlice<UInt8>) throws(JSONError) -> String {
      guard let text = String(validating: slice, as: UTF8.self) else {
        throw problem("a string is not UTF-8")
      }
      return text
    }

    private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
      var buffer = Array(bytes[start..<position])
      while let byte = current {
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return try checked(buffer[...])
        case UInt8(ascii: "\\"): try escape(into: &buffer)
        case 0..<0x20: throw problem("a control character in a string")
        default: buffer.append(byte)
        }
      }
      throw problem("a string does not end")
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
      let letter = current
      position += 1
      switch letter {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(letter ?? 0)
      case UInt8(ascii: "b"): buffer.append(0x08)
      case UInt8(ascii: "f"): buffer.append(0x0C)
      case UInt8(ascii: "n"): buffer.append(0x0A)
      case UInt8(ascii: "r"): buffer.append(0x0D)
      case UInt8(ascii: "t"): buffer.append(0x09)
      case UInt8(ascii: "u"):
        var code = try fourHexDigits()
        if (0xD800..<0xDC00).contains(code), bytes[position...].starts(with: [0x5C, 0x75]) {
          position += 2
          let low = try fourHexDigits()
          guard (0xDC00..<0xE000).contains(low) else { throw problem("a lone surrogate") }
          code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw problem("a lone surrogate") }
        buffer.append(contentsOf: String(Character(scalar)).utf8)
      default: throw problem("an unknown escape")
      }
    }

    private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
      var code: UInt32 = 0
      for _ in 0..<4 {
        guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
          throw problem("four hex digits are missing")
        }
        code = code << 4 | UInt32(digit)
        position += 1
      }
      return code
    }

    private mutating func number() throws(JSONError) -> JSONTree {
      let start = position
      if current == UInt8(ascii: "-") { position += 1 }
      if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
      if current == UInt8(ascii: ".") {
        position += 1
        try digits()
      }
      if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
        position += 1
        if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
        try digits()
      }
      return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private mutating func digits() throws(JSONError) {
      let start = position
      while let byte = current, Self.isDigit(byte) { position += 1 }
      guard position > start else { throw problem("a digit is missing") }
    }
  }
}
