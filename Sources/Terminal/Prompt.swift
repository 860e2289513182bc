package import Platform

/// Questions on the user's own terminal, whatever the standard descriptors are.
///
/// Blocks while the user thinks: call it from a thread that may (see `Blocking`). Texts may hold
/// what a server said; control characters are taken out here, line ends stay.
package struct Prompt: Sendable {
  /// What came of a question.
  package enum Answer<Value: Sendable>: Sendable {
    case given(Value)
    /// No answer on purpose: an empty line where one of several was asked for, or Ctrl-D.
    case declined
    /// There is no terminal, or questions are forbidden (`BatchMode`).
    case notPossible
    /// Ctrl-C.
    case interrupted
  }

  private let path: String?
  private let wake: Int32?
  private let console: Console?

  /// - Parameters:
  ///   - console: whose progress line is taken away while a question stands.
  ///   - wake: a descriptor that ends a question as interrupted when it becomes readable.
  ///   - path: the terminal.
  package init(console: Console? = nil, wake: Int32? = nil, path: String = "/dev/tty") {
    self.console = console
    self.wake = wake
    self.path = path
  }

  private init() { (console, wake, path) = (nil, nil, nil) }

  /// Asks nothing; every answer is ``Answer/notPossible``.
  package static let forbidden = Prompt()

  /// Whether there is a terminal to ask on.
  package var isPossible: Bool {
    guard let path else { return false }
    return (try? QuestionTerminal(path: path)) != nil
  }

  /// A password or passphrase; nothing is shown while it is typed.
  package func secret(_ question: String) -> Answer<SecretBytes> {
    ask(printableLines(question), echo: false)
  }

  /// A line of text, as it was typed.
  ///
  /// Not for secrets: the text cannot be overwritten.
  package func line(_ question: String) -> Answer<String> {
    ask(printableLines(question), echo: true).map(\.exposedText)
  }

  /// A question with the answer No unless `y` or `yes` is typed.
  ///
  /// " [y/N] " is added to it.
  package func confirm(_ question: String) -> Answer<Bool> {
    var question = "\(printableLines(question)) [y/N] "
    // A slip of the finger is asked again, and after that is a No.
    for _ in 0..<3 {
      switch ask(question, echo: true) {
      case .given(let typed):
        switch typed.exposedText.trimmed.lowercased() {
        case "y", "yes": return .given(true)
        case "n", "no", "": return .given(false)
        default: question = "Please type y or n: "
        }
      case .declined: return .given(false)
      case .notPossible: return .notPossible
      case .interrupted: return .interrupted
      }
    }
    return .given(false)
  }

  /// One of several, by its number.
  ///
  /// Nothing is chosen by itself: an empty line declines.
  ///
  /// - Returns: an index into `choices`.
  package func choose(_ question: String, among choices: [String]) -> Answer<Int> {
    guard !choices.isEmpty else { return .declined }
    var text = printableLines(question) + "\n"
    let digits = String(choices.count).count
    for (index, choice) in choices.enumerated() {
      let number = String(index + 1)
      let indent = String(repeating: " ", count: digits - number.count + 2)
      text += "\(indent)\(number)  \(printable(choice))\n"
    }
    text += "Number (1-\(choices.count), empty for none): "
    for _ in 0..<3 {
      switch ask(text, echo: true) {
      case .given(let typed):
        let answer = typed.exposedText.trimmed
        if answer.isEmpty { return .declined }
        if let number = Int(answer), choices.indices.contains(number - 1) {
          return .given(number - 1)
        }
        text = "Please type a number from 1 to \(choices.count), or nothing: "
      case .declined: return .declined
      case .notPossible: return .notPossible
      case .interrupted: return .interrupted
      }
    }
    return .declined
  }

  private func ask(_ question: String, echo: Bool) -> Answer<SecretBytes> {
    guard let path else { return .notPossible }
    console?.screen.hold()
    defer { console?.screen.release() }
    do throws(SystemError) {
      let terminal = try QuestionTerminal(path: path)
      switch try terminal.ask(question, echo: echo, wake: wake) {
      case .line(let typed): return .given(typed)
      case .end: return .declined
      case .interrupted: return .interrupted
      }
    } catch {
      return .notPossible
    }
  }
}

extension Prompt.Answer {
  /// The value, where one was given.
  package var value: Value? {
    if case .given(let value) = self { value } else { nil }
  }

  package func map<Other>(_ transform: (Value) -> Other) -> Prompt.Answer<Other> {
    switch self {
    case .given(let value): .given(transform(value))
    case .declined: .declined
    case .notPossible: .notPossible
    case .interrupted: .interrupted
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
