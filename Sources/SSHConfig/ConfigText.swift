// ssh reads bytes, and a Swift Character can be two of them ("\r\n"), so everything here works
// on UTF-8.

extension UInt8 {
  /// The blanks of ssh's configuration lines.
  var isConfigBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }

  /// C's `isspace` in the C locale.
  var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }

  /// C's `iscntrl` in the C locale.
  var isControl: Bool { self < 0x20 || self == 0x7F }

  var isDigit: Bool { (0x30...0x39).contains(self) }

  var isLetter: Bool { (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) }

  var lowercase: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}

/// ASCII letters in lower case, all else untouched, as C's `tolower` does.
func lowercased(_ text: String) -> String {
  String(decoding: text.utf8.map(\.lowercase), as: UTF8.self)
}

extension String {
  /// Without the first byte; a Character may be more than the sign that is meant.
  var withoutFirstByte: String { String(decoding: utf8.dropFirst(), as: UTF8.self) }
}

/// Equal but for the case of ASCII letters.
func sameWord(_ left: String, _ right: String) -> Bool {
  left.utf8.elementsEqual(right.utf8) { $0.lowercase == $1.lowercase }
}

/// Takes words off the front of a configuration line the way ssh takes the keyword: blanks or one
/// `=` end a word, and a double quote holds until the next.
struct DelimitedText {
  private(set) var rest: ArraySlice<UInt8>?

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next word; empty before leading blanks; nil at the end or for an open quote.
  mutating func next() -> [UInt8]? {
    guard let text = rest else { return nil }
    let quote = UInt8(ascii: "\"")
    let equals = UInt8(ascii: "=")
    guard let stop = text.firstIndex(where: { $0.isConfigBlank || $0 == quote || $0 == equals })
    else {
      rest = nil
      return Array(text)
    }
    if text[stop] == quote {
      guard let end = text[(stop + 1)...].firstIndex(of: quote) else {
        rest = nil
        return nil
      }
      rest = text[(end + 1)...].drop(while: \.isConfigBlank)
      return Array(text[..<stop]) + Array(text[(stop + 1)..<end])
    }
    let word = Array(text[..<stop])
    var tail = text[(stop + 1)...].drop(while: \.isConfigBlank)
    if text[stop] != equals, tail.first == equals {
      tail = tail.dropFirst().drop(while: \.isConfigBlank)
    }
    rest = tail
    return word
  }

  mutating func consumeAll() { rest = nil }
}

/// The arguments of a configuration line: blanks separate, single and double quotes group, a
/// backslash escapes quotes, itself and (outside quotes) a blank; `#` at a word's start ends all.
///
/// Nil if a quote stays open.
func splitArguments(_ text: ArraySlice<UInt8>, comments: Bool = true) -> [String]? {
  var words: [String] = []
  var index = text.startIndex
  let end = text.endIndex
  let backslash = UInt8(ascii: "\\")
  while index < end {
    let byte = text[index]
    if byte == 0x20 || byte == 0x09 {
      index += 1
      continue
    }
    if comments, byte == UInt8(ascii: "#") { break }
    var word: [UInt8] = []
    var quote: UInt8?
    while index < end {
      let byte = text[index]
      if byte == backslash {
        let next = index + 1 < end ? text[index + 1] : 0
        if next == 0x22 || next == 0x27 || next == backslash || (quote == nil && next == 0x20) {
          index += 1
          word.append(next)
        } else {
          word.append(byte)
        }
      } else if quote == nil, byte == 0x20 || byte == 0x09 {
        break
      } else if quote == nil, byte == 0x22 || byte == 0x27 {
        quote = byte
      } else if byte == quote {
        quote = nil
      } else {
        word.append(byte)
      }
      index += 1
    }
    if quote != nil { return nil }
    words.append(String(decoding: word, as: UTF8.self))
  }
  return words
}

/// A whole number as C's `strtonum` takes it: leading blanks and a sign, nothing behind.
func wholeNumber(_ text: String, in range: ClosedRange<Int>) -> NumberReading {
  var bytes = Array(text.utf8).drop(while: \.isSpace)
  var negative = false
  if bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") {
    negative = bytes.first == UInt8(ascii: "-")
    bytes = bytes.dropFirst()
  }
  guard !bytes.isEmpty, bytes.allSatisfy(\.isDigit) else { return .invalid }
  var value = 0
  for byte in bytes {
    let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
    let (sum, overflow) = product.addingReportingOverflow(Int(byte) - 0x30)
    if tooBig || overflow { return negative ? .tooSmall : .tooLarge }
    value = sum
  }
  if negative { value = -value }
  if value < range.lowerBound { return .tooSmall }
  if value > range.upperBound { return .tooLarge }
  return .number(value)
}

enum NumberReading: Equatable {
  case number(Int)
  case invalid, tooSmall, tooLarge

  /// `strtonum`'s word for what is wrong.
  var complaint: String {
    switch self {
    case .number: ""
    case .invalid: "invalid"
    case .tooSmall: "too small"
    case .tooLarge: "too large"
    }
  }
}
