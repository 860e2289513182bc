import Platform
import Synchronization
import Testing

@testable import Terminal

/// stderr as a string.
final class Recorder: Sendable {
  private let stored = Mutex("")
  var text: String { stored.withLock { $0 } }
  func append(_ text: String) { stored.withLock { $0 += text } }

  func console(
    terminal: Bool, colours: Bool = false, quiet: Bool = false, programName: String = "jitconnect"
  ) -> Console {
    Console(
      programName: programName, outputIsTerminal: terminal, errorIsTerminal: terminal,
      outputHasColours: colours, errorHasColours: colours, isQuiet: quiet,
      write: { self.append($0) })
  }
}

@Suite struct ConsoleTests {
  @Test("a note is for somebody who watches, a warning for everybody, -q silences both and errors")
  func channels() {
    let table: [(terminal: Bool, quiet: Bool, expected: String)] = [
      (
        true, false,
        "jitconnect: window open\r\njitconnect: warning: odd\r\njitconnect: error[declined]: no\r\n"
      ),
      (false, false, "jitconnect: warning: odd\njitconnect: error[declined]: no\n"),
      (true, true, ""),
      (false, true, ""),
    ]
    for row in table {
      let recorder = Recorder()
      let console = recorder.console(terminal: row.terminal, quiet: row.quiet)
      console.note("window open")
      console.warn("odd")
      console.error(Failure(.declined, what: "no"))
      #expect(recorder.text == row.expected)
    }
  }

  @Test("what a server said cannot steer the terminal")
  func controlCharacters() {
    let recorder = Recorder()
    let console = recorder.console(terminal: true)
    console.note("banner \u{1B}]0;title\u{07}\u{9B}2J\rfake")
    console.warn("\u{202E}txt")
    #expect(
      recorder.text
        == "jitconnect: banner ?]0;title??2J fake\r\njitconnect: warning: ?txt\r\n")
  }

  @Test(
    "colours follow NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and TERM",
    arguments: [
      ([:], true, true), ([:], false, false), (["TERM": "dumb"], true, false),
      (["NO_COLOR": "1"], true, false), (["NO_COLOR": ""], true, true),
      (["FORCE_COLOR": "1"], false, true), (["CLICOLOR_FORCE": "1"], false, true),
      (["FORCE_COLOR": "0"], false, false), (["NO_COLOR": "1", "FORCE_COLOR": "1"], true, false),
      (["FORCE_COLOR": "1", "TERM": "dumb"], true, true),
    ] as [([String: String], Bool, Bool)])
  func colours(variables: [String: String], terminal: Bool, expected: Bool) {
    let environment = Environment(variables: variables, home: nil)
    #expect(Console.allowsColours(environment, terminal: terminal) == expected)
  }

  @Test("a failure is one line, its list indented, and the next step on a line of its own")
  func failure() {
    let whole = Failure(
      .policyForbidsSource, what: "the policy of web1 does not allow 203.0.113.7",
      why: "port 22 is limited to 198.51.100.0/24",
      next: "jitconnect edit web1 --allow-source 203.0.113.7")
    #expect(
      failureText(whole, programName: "jitconnect", colours: false) == """
        jitconnect: error[policy-forbids-source]: the policy of web1 does not allow 203.0.113.7: \
        port 22 is limited to 198.51.100.0/24
          next: jitconnect edit web1 --allow-source 203.0.113.7
        """)
    let bare = Failure(.declined, what: "not enabled")
    #expect(
      failureText(bare, programName: "ssh", colours: false) == "ssh: error[declined]: not enabled")
    #expect(
      failureText(bare, programName: "ssh", colours: true)
        == "ssh: \u{1B}[1;31merror[declined]\u{1B}[0m: not enabled")
    let list = Failure(
      .addressUnclear, what: "the services disagree", why: "a said 1\nb said\u{1B}[2J 2\n")
    #expect(
      failureText(list, programName: "jitconnect", colours: false) == """
        jitconnect: error[address-unclear]: the services disagree: a said 1
          b said?[2J 2
        """)
  }
}
