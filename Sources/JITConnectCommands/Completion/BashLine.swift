/// A command line up to the cursor, as bash gives it: not yet split.
///
/// bash's own words are split at `=`, `:` and `@` too, which are parts of ours.
struct BashLine {
  /// The words without their quotes; the last is being typed, perhaps empty.
  private(set) var words: [String] = []
  /// What of the last word stands already before the part that readline replaces.
  private(set) var readlinePrefix = ""

  /// The quote that is still open around the last word.
  private(set) var openQuote: Character?

  /// - Parameter breaks: `COMP_WORDBREAKS`.
  init(_ line: String, breaks: String) {
    var word = ""
    var quote: Character?
    var isEscaped = false
    for character in line {
      if isEscaped {
        word.append(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word.append(character) }
      } else if character == "'" || character == "\"" {
        quote = character
      } else if character == " " || character == "\t" {
        if !word.isEmpty { words.append(word) }
        word = ""
      } else if "|&;(<>".contains(character) {
        // Another command begins.
        words = []
        word = ""
      } else {
        word.append(character)
      }
    }
    words.append(word)
    openQuote = quote
    // Inside quotes readline takes the whole word.
    guard quote == nil, let last = word.lastIndex(where: { breaks.contains($0) }) else { return }
    // bash keeps these two at the head of the word it replaces (readline's special prefixes).
    let staysInWord = word[last] == "@" || word[last] == "$"
    readlinePrefix = String(staysInWord ? word[..<last] : word[...last])
  }

  /// The rest of a word as it is put into the line, which bash runs at the next Enter: names of
  /// subscriptions are any text, and other people's.
  func inserted(_ word: String) -> String {
    let rest = word.dropFirst(readlinePrefix.count)
    var text = ""
    for character in rest {
      switch (openQuote, character) {
      case ("'", "'"): text += "'\\''"
      case ("'", _): text.append(character)
      // A backslash would stay beside it; history is expanded inside these quotes.
      case ("\"", "!"): text += "\"'!'\""
      case ("\"", "\""), ("\"", "\\"), ("\"", "$"), ("\"", "`"): text += "\\\(character)"
      case ("\"", _): text.append(character)
      default:
        if " \t\"'\\$`!*?[]{}()<>|&;#~".contains(character) { text.append("\\") }
        text.append(character)
      }
    }
    return text
  }
}
