package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the process's three standard descriptors are, and the one way to say something on stderr.
///
/// stdout is the payload and is written by who has one. Our own words go to stderr: only if it is
/// a terminal or something went wrong, and never with `-q`.
package struct Console: Sendable {
  /// The name we were started under: `jitconnect`, or `ssh`.
  ///
  /// Begins every line of ours.
  package var programName: String
  package var inputIsTerminal: Bool
  package var outputIsTerminal: Bool
  package var errorIsTerminal: Bool
  package var outputHasColours: Bool
  package var errorHasColours: Bool
  /// `-q`: not a word.
  package var isQuiet: Bool
  private let readWidth: @Sendable () -> Int
  let screen: Screen

  /// - Parameters:
  ///   - width: asked at each use, because windows are resized.
  ///   - write: takes what is for stderr; each call is one whole line or one redraw.
  package init(
    programName: String = "jitconnect", inputIsTerminal: Bool = false,
    outputIsTerminal: Bool = false, errorIsTerminal: Bool = false,
    outputHasColours: Bool = false, errorHasColours: Bool = false, isQuiet: Bool = false,
    width: @escaping @Sendable () -> Int = { 80 }, write: @escaping @Sendable (String) -> Void
  ) {
    self.programName = programName
    self.inputIsTerminal = inputIsTerminal
    self.outputIsTerminal = outputIsTerminal
    self.errorIsTerminal = errorIsTerminal
    self.outputHasColours = outputHasColours
    self.errorHasColours = errorHasColours
    self.isQuiet = isQuiet
    self.readWidth = width
    self.screen = Screen(write: write)
  }

  /// The console of this process.
  package static func current(
    environment: Environment, programName: String, isQuiet: Bool = false
  ) -> Console {
    let (output, error) = (isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1)
    let fallback = environment["COLUMNS"].flatMap { Int($0) } ?? 80
    return Console(
      programName: programName, inputIsTerminal: isatty(STDIN_FILENO) == 1,
      outputIsTerminal: output, errorIsTerminal: error,
      outputHasColours: allowsColours(environment, terminal: output),
      errorHasColours: allowsColours(environment, terminal: error), isQuiet: isQuiet,
      width: { terminalColumns(output ? STDOUT_FILENO : STDERR_FILENO) ?? fallback },
      // A stderr that cannot be written has nobody to complain to.
      write: { try? writeAll(STDERR_FILENO, $0.utf8) })
  }

  /// Columns of the terminal; never fewer than 20.
  package var width: Int { max(readWidth(), 20) }

  /// Whether a stream gets colours: `NO_COLOR` forbids, `FORCE_COLOR` and `CLICOLOR_FORCE` order
  /// them ("0" does not), else a terminal that is not `dumb` has them.
  package static func allowsColours(_ environment: Environment, terminal: Bool) -> Bool {
    if environment["NO_COLOR"] != nil { return false }
    for name in ["FORCE_COLOR", "CLICOLOR_FORCE"] {
      if let value = environment[name], value != "0" { return true }
    }
    return terminal && environment["TERM"] != "dumb"
  }

  /// Tells what was done, to somebody who watches.
  package func note(_ text: String) {
    guard errorIsTerminal else { return }
    say("", text)
  }

  /// Tells what may be wrong.
  package func warn(_ text: String) {
    say(styled("warning", .yellow) + ": ", text)
  }

  /// Tells what went wrong, and what to do next.
  package func error(_ failure: Failure) {
    guard !isQuiet else { return }
    let text = failureText(failure, programName: programName, colours: errorHasColours)
    screen.printLines(text, lineEnd: lineEnd)
  }

  /// A line in ssh's own form, without our name in front: its warnings, its questions' texts.
  package func remark(_ text: String) {
    guard !isQuiet else { return }
    screen.printLines(printableLines(text), lineEnd: lineEnd)
  }

  /// A line without which nothing goes on, even with `-q`.
  package func insist(_ text: String) {
    screen.printLines(printableLines(text), lineEnd: lineEnd)
  }

  private func say(_ label: String, _ text: String) {
    guard !isQuiet else { return }
    screen.printLines("\(programName): \(label)\(printableLines(text))", lineEnd: lineEnd)
  }

  /// A session may have set the terminal raw, where a bare line feed leaves the column.
  private var lineEnd: String { errorIsTerminal ? "\r\n" : "\n" }

  func styled(_ text: String, _ style: Style) -> String {
    errorHasColours ? style.applied(to: text) : text
  }
}

/// A text of several lines in a form that cannot steer a terminal; a final blank stays.
func printableLines(_ text: String) -> String {
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    .map { printable(String($0)) }.joined(separator: "\n")
  return text.hasSuffix(" ") ? lines + " " : lines
}

/// The few ways in which a word is set off.
enum Style: String {
  case bold = "1"
  case red = "1;31"
  case yellow = "33"

  func applied(to text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}
