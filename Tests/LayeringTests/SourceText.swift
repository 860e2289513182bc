import FoundationEssentials

/// One Swift file of the package, with its code apart from comments and literal text.
struct SourceText: Sendable {
  /// Relative to the top of the package: `Sources/HTTP/HTTPError.swift`.
  let path: String
  /// Comments are blanks and string literals are empty; the lines are those of the file.
  let code: String

  init(path: String, text: String) {
    self.path = path
    var scanner = Scanner(bytes: Array(text.utf8))
    scanner.scanCode(untilClosingParenthesis: false)
    code = String(decoding: scanner.output, as: UTF8.self)
  }

  var lines: [(number: Int, text: Substring)] {
    code.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .map { ($0.offset + 1, $0.element) }
  }

  /// The folder below `Sources` or `Tests`.
  var target: String {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? String(parts[1]) : ""
  }

  /// The modules that are imported, whatever stands before or after: `@testable`, `package`,
  /// `struct`, a submodule.
  var imports: [(line: Int, module: String)] {
    lines.compactMap { number, text in
      var words = text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ";" })[...]
      while let word = words.first, word.hasPrefix("@") || accessLevels.contains(word) {
        words.removeFirst()
      }
      guard words.popFirst() == "import", var name = words.popFirst() else { return nil }
      if importKinds.contains(name), let next = words.popFirst() { name = next }
      return (number, String(name.prefix { $0 != "." }))
    }
  }

  /// Every Swift file below `folder`, sorted.
  static func all(below folder: String) throws -> [SourceText] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: "\(packageFolder)/\(folder)")
    return try names.filter { $0.hasSuffix(".swift") }.sorted().map { name in
      try SourceText(path: "\(folder)/\(name)", text: contents(of: "\(folder)/\(name)"))
    }
  }
}

/// The top of the package.
let packageFolder: String = {
  let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  return parts.dropLast(3).joined(separator: "/")
}()

func contents(of path: String) throws -> String {
  String(decoding: try Data(contentsOf: URL(filePath: "\(packageFolder)/\(path)")), as: UTF8.self)
}

private let accessLevels: Set<Substring> = [
  "public", "package", "internal", "fileprivate", "private",
]
private let importKinds: Set<Substring> = [
  "typealias", "struct", "class", "enum", "protocol", "let", "var", "func",
]

/// Tells code from comments and literals, as far as Swift's lexer does for code that compiles.
private struct Scanner {
  let bytes: [UInt8]
  var output: [UInt8] = []
  var index = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  func starts(with text: String, at offset: Int = 0) -> Bool {
    let start = index + offset
    guard start < bytes.count, bytes[start] == text.utf8.first else { return false }
    return bytes[start...].starts(with: text.utf8)
  }

  mutating func scanCode(untilClosingParenthesis: Bool) {
    var depth = 0
    while index < bytes.count {
      // Most bytes begin nothing; in a debug build the comparisons below are slow.
      let byte = bytes[index]
      if byte != UInt8(ascii: "/"), byte != UInt8(ascii: "#"), byte != UInt8(ascii: "\""),
        byte != UInt8(ascii: "("), byte != UInt8(ascii: ")")
      {
        output.append(byte)
        index += 1
      } else if starts(with: "//") {
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
      } else if starts(with: "/*") {
        skipBlockComment()
      } else if let hashes = hashesBeforeQuote() {
        skipLiteral(hashes: hashes)
      } else {
        if bytes[index] == UInt8(ascii: "(") { depth += 1 }
        if bytes[index] == UInt8(ascii: ")") {
          if untilClosingParenthesis, depth == 0 {
            index += 1
            return
          }
          depth -= 1
        }
        output.append(bytes[index])
        index += 1
      }
    }
  }

  private func hashesBeforeQuote() -> Int? {
    var hashes = 0
    while index + hashes < bytes.count, bytes[index + hashes] == UInt8(ascii: "#") { hashes += 1 }
    return starts(with: "\"", at: hashes) ? hashes : nil
  }

  private mutating func skipBlockComment() {
    var depth = 0
    repeat {
      if starts(with: "/*") {
        depth += 1
        index += 2
      } else if starts(with: "*/") {
        depth -= 1
        index += 2
      } else {
        skipByte()
      }
    } while depth > 0 && index < bytes.count
  }

  private mutating func skipLiteral(hashes: Int) {
    let fence = String(repeating: "#", count: hashes)
    let quote = starts(with: "\"\"\"", at: hashes) ? "\"\"\"" : "\""
    index += hashes + quote.utf8.count
    output += Array("\"".utf8)
    while index < bytes.count, !starts(with: quote + fence) {
      if starts(with: "\\" + fence + "(") {
        index += 2 + hashes
        output.append(UInt8(ascii: " "))
        scanCode(untilClosingParenthesis: true)
        output.append(UInt8(ascii: " "))
      } else if starts(with: "\\" + fence) {
        index += 1 + hashes
        skipByte()
      } else {
        skipByte()
      }
    }
    index = min(index + quote.utf8.count + hashes, bytes.count)
    output += Array("\"".utf8)
  }

  private mutating func skipByte() {
    guard index < bytes.count else { return }
    if bytes[index] == UInt8(ascii: "\n") { output.append(bytes[index]) }
    index += 1
  }
}
