/// ssh's patterns: `*` any bytes, `?` one byte, lists with commas, `!` negates.
package enum SSHPattern {
  package enum ListMatch: Sendable {
    case positive, negative, none
  }

  /// Whether the whole text fits the pattern, letter for letter.
  package static func matches(_ text: String, _ pattern: String) -> Bool {
    matches(Array(text.utf8), Array(pattern.utf8))
  }

  /// A comma-separated list: a negated pattern that fits decides at once.
  ///
  /// - Parameter lowercasing: patterns are lowered first (the text must already be).
  package static func matchList(
    _ text: String, _ list: String, lowercasing: Bool = false
  ) -> ListMatch {
    let bytes = Array(text.utf8)
    var found = ListMatch.none
    for part in list.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let negated = part.first == UInt8(ascii: "!")
      let pattern = (negated ? part.dropFirst() : part).map { lowercasing ? $0.lowercase : $0 }
      // ssh gives up on longer ones, and so on the whole list
      if pattern.count >= 1023 { return .none }
      guard matches(bytes, pattern) else { continue }
      if negated { return .negative }
      found = .positive
    }
    return found
  }

  /// A host against a list, in either letter case.
  package static func matchesHost(_ host: String, _ list: String) -> Bool {
    matchList(lowercased(host), list, lowercasing: true) == .positive
  }

  private static func matches(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
    var textIndex = 0
    var patternIndex = 0
    var star: Int?
    var resume = 0
    while textIndex < text.count {
      if patternIndex < pattern.count, pattern[patternIndex] == UInt8(ascii: "*") {
        star = patternIndex
        resume = textIndex
        patternIndex += 1
      } else if patternIndex < pattern.count,
        pattern[patternIndex] == UInt8(ascii: "?") || pattern[patternIndex] == text[textIndex]
      {
        textIndex += 1
        patternIndex += 1
      } else if let star {
        patternIndex = star + 1
        resume += 1
        textIndex = resume
      } else {
        return false
      }
    }
    return pattern[patternIndex...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
