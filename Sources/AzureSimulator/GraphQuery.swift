/// A Resource Graph query, taken apart far enough to recognise it.
///
/// This is no engine for the language: it knows the tables, filters, expressions and joins that
/// tell of virtual machines and their network, and refuses everything else.
struct GraphQuery {
  struct Token: Equatable {
    enum Kind { case word, text, number, symbol }
    var kind: Kind
    /// For texts: what stands between the quotes, unescaped.
    var value: String
    var line: Int
    var column: Int

    func `is`(_ word: String) -> Bool { kind != .text && value.lowercased() == word }
  }

  /// A step after a `|`.
  struct Stage {
    var name: Token
    var tokens: [Token]
  }

  var table: Token
  var stages: [Stage]

  static func failure(_ token: Token?, expected: String = "") -> AzureError {
    var error = AzureError(
      400, "BadRequest",
      "Please provide below info when asking for support: timestamp = 2026-01-01T00:00:00.0000000Z, "
        + "correlationId = 00000000-0000-0000-0000-000000000000.")
    error.details = [
      [
        "code": "InvalidQuery",
        "message":
          "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying.",
      ],
      [
        "code": "ParserFailure",
        "message": .string("ParserFailure at '\(token?.value ?? "end of query")'. \(expected)"),
        "line": JSON(token?.line ?? 1), "characterPositionInLine": JSON(token?.column ?? 0),
        "token": .string(token?.value ?? "<EOF>"), "expectedToken": .string(expected),
      ],
    ]
    return error
  }

  init(_ text: String) throws(AzureError) {
    try self.init(Self.tokens(of: text))
    let joins = count("join")
    let expansions = count("mv-expand")
    guard joins <= 3, expansions <= 2 else {
      throw Self.failure(table, expected: "at most 3 joins and 2 mv-expands")
    }
  }

  init(_ tokens: [Token]) throws(AzureError) {
    var parts: [[Token]] = [[]]
    var depth = 0
    for token in tokens {
      if token.is("(") || token.is("[") { depth += 1 }
      if token.is(")") || token.is("]") { depth -= 1 }
      guard depth >= 0 else { throw Self.failure(token) }
      if token.is("|"), depth == 0 {
        parts.append([])
      } else {
        parts[parts.count - 1].append(token)
      }
    }
    guard depth == 0 else { throw Self.failure(nil, expected: ")") }
    guard let first = parts.first, first.count == 1, let table = first.first, table.kind == .word
    else {
      throw Self.failure(parts.first?.first, expected: "a table")
    }
    self.table = table
    stages = []
    for part in parts.dropFirst() {
      guard let name = part.first, name.kind == .word else {
        throw Self.failure(part.first, expected: "an operator")
      }
      stages.append(Stage(name: name, tokens: Array(part.dropFirst())))
    }
  }

  private func count(_ name: String) -> Int {
    stages.reduce(0) { sum, stage in
      sum + (stage.name.is(name) ? 1 : 0) + stage.tokens.count { $0.is(name) }
    }
  }

  static func tokens(of text: String) throws(AzureError) -> [Token] {
    let characters = Array(text.unicodeScalars)
    var tokens: [Token] = []
    var index = 0
    var line = 1
    var lineStart = 0
    func isWord(_ scalar: Unicode.Scalar) -> Bool {
      scalar == "_" || scalar == "$" || scalar.properties.isAlphabetic
        || ("0"..."9").contains(scalar)
    }
    while index < characters.count {
      let scalar = characters[index]
      let column = index - lineStart
      func token(_ kind: Token.Kind, _ value: String) -> Token {
        Token(kind: kind, value: value, line: line, column: column)
      }
      if scalar == "\n" {
        line += 1
        lineStart = index + 1
        index += 1
      } else if scalar.properties.isWhitespace {
        index += 1
      } else if scalar == "'" || scalar == "\"" {
        var value = String.UnicodeScalarView()
        index += 1
        while index < characters.count, characters[index] != scalar {
          if characters[index] == "\\" { index += 1 }
          guard index < characters.count, characters[index] != "\n" else {
            throw failure(token(.text, "'"), expected: "the end of the text")
          }
          value.append(characters[index])
          index += 1
        }
        guard index < characters.count else {
          throw failure(token(.text, "'"), expected: "the end of the text")
        }
        index += 1
        tokens.append(token(.text, String(value)))
      } else if isWord(scalar) {
        let start = index
        while index < characters.count, isWord(characters[index]) { index += 1 }
        var value = String(String.UnicodeScalarView(characters[start..<index]))
        // Operators with a hyphen or a tilde in their name.
        if index < characters.count {
          if characters[index] == "-", ["mv", "project"].contains(value) {
            let rest = String(String.UnicodeScalarView(characters[(index + 1)...].prefix(8)))
            for name in ["expand", "away", "rename", "keep", "reorder"] where rest.hasPrefix(name) {
              value += "-" + name
              index += name.count + 1
              break
            }
          } else if characters[index] == "~", value == "in" {
            value += "~"
            index += 1
          }
        }
        let isNumber = value.allSatisfy { $0.isASCII && $0.isNumber }
        tokens.append(token(isNumber ? .number : .word, value))
      } else {
        let pair = String(String.UnicodeScalarView(characters[index...].prefix(2)))
        if ["==", "=~", "!=", "!~"].contains(pair) {
          tokens.append(token(.symbol, pair))
          index += 2
        } else if "|(),=.[]".unicodeScalars.contains(scalar) {
          tokens.append(token(.symbol, String(scalar)))
          index += 1
        } else {
          throw failure(token(.symbol, String(scalar)))
        }
      }
    }
    return tokens
  }

  /// An expression without its spaces, for comparing.
  static func canonical(_ tokens: some Collection<Token>) -> String {
    var text = ""
    var previous: Token?
    for token in tokens {
      if let previous, previous.kind != .symbol, token.kind != .symbol { text += " " }
      // A word operator after a parenthesis.
      if previous?.value == ")", token.kind == .word { text += " " }
      text += token.kind == .text ? "'\(token.value)'" : token.value
      previous = token
    }
    return text
  }

  /// Splits at a top-level word or symbol.
  static func split(_ tokens: [Token], at word: String) -> [[Token]] {
    var parts: [[Token]] = [[]]
    var depth = 0
    for token in tokens {
      if token.is("(") || token.is("[") { depth += 1 }
      if token.is(")") || token.is("]") { depth -= 1 }
      if depth == 0, token.is(word) {
        parts.append([])
      } else {
        parts[parts.count - 1].append(token)
      }
    }
    return parts
  }

  /// `name = expression` or `name`.
  static func assignment(_ tokens: [Token]) throws(AzureError) -> (name: Token, value: [Token]) {
    guard let name = tokens.first, name.kind == .word else {
      throw failure(tokens.first, expected: "a column")
    }
    if tokens.count == 1 { return (name, tokens) }
    guard tokens.count > 2, tokens[1].is("=") else { throw failure(tokens[1], expected: "=") }
    return (name, Array(tokens.dropFirst(2)))
  }
}
