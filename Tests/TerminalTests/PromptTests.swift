import CPlatform
import Platform
import Testing

@testable import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A pseudo-terminal with a person at it who reads before typing.
private final class Keyboard: Sendable {
  let person: FileDescriptor
  /// Held open, so that its settings can be looked at from outside.
  let terminal: FileDescriptor
  let path: String

  init() throws {
    var ends: (Int32, Int32) = (-1, -1)
    _ = try valueOrSystemError { unsafe openpty(&ends.0, &ends.1, nil, nil, nil) }
    person = FileDescriptor(owning: ends.0)
    terminal = FileDescriptor(owning: ends.1)
    path = unsafe try String(cString: #require(unsafe ttyname(ends.1)))
  }

  var settings: [UInt32] {
    var now = termios()
    guard unsafe tcgetattr(terminal.number, &now) == 0 else { return [] }
    let characters = unsafe withUnsafeBytes(of: &now.c_cc) { unsafe $0.map(UInt32.init) }
    return [UInt32(now.c_lflag), UInt32(now.c_iflag), UInt32(now.c_oflag)] + characters
  }

  var echoes: Bool {
    var now = termios()
    return unsafe tcgetattr(terminal.number, &now) == 0 && now.c_lflag & tcflag_t(ECHO) != 0
  }

  /// Everything shown up to and with `text`.
  func read(until text: String) throws -> String {
    var shown = ""
    while !shown.contains(text) {
      let bytes = try readSome(person.number, limit: 1024)
      shown += String(decoding: bytes, as: UTF8.self)
    }
    return shown
  }

  func type(_ text: String) throws { try writeAll(person.number, text.utf8) }
}

/// Settings live in one place per process, so questions are asked one after the other.
@Suite(.serialized, .timeLimit(.minutes(1))) struct PromptTests {
  /// Asks on a thread of its own while `person` types; checks that the terminal is as before.
  private func ask<Value: Sendable>(
    _ question: @escaping @Sendable (Prompt) -> Prompt.Answer<Value>,
    person: (Keyboard) throws -> Void
  ) async throws -> Prompt.Answer<Value> {
    let keyboard = try Keyboard()
    let before = keyboard.settings
    #expect(!before.isEmpty)
    let prompt = Prompt(path: keyboard.path)
    async let answer = Blocking.run { question(prompt) }
    try person(keyboard)
    let result = try await answer
    #expect(keyboard.settings == before)
    return result
  }

  @Test("a secret is not shown while it is typed, and arrives whole")
  func secret() async throws {
    let answer = try await ask({ $0.secret("Passphrase for key: ") }) { keyboard in
      _ = try keyboard.read(until: "Passphrase for key: ")
      #expect(!keyboard.echoes)
      try keyboard.type("pä sx\u{7F}s\n")
      #expect(try keyboard.read(until: "\r\n") == "\r\n")
    }
    #expect(answer.value?.exposedText == "pä ss")
  }

  @Test("an empty secret is an answer, the end of input is none")
  func emptySecret() async throws {
    let empty = try await ask({ $0.secret("? ") }) {
      _ = try $0.read(until: "? ")
      try $0.type("\n")
    }
    #expect(empty.value?.isEmpty == true)
    let end = try await ask({ $0.secret("? ") }) {
      _ = try $0.read(until: "? ")
      try $0.type("\u{4}")
    }
    guard case .declined = end else {
      Issue.record("end of input gave \(end)")
      return
    }
  }

  @Test("Ctrl-C ends a question, in the middle of an answer too, with the terminal restored")
  func interrupted() async throws {
    for typed in ["\u{3}", "half\u{3}"] {
      let answer = try await ask({ $0.secret("Password: ") }) {
        _ = try $0.read(until: "Password: ")
        try $0.type(typed)
      }
      guard case .interrupted = answer else {
        Issue.record("Ctrl-C gave \(answer)")
        return
      }
    }
  }

  @Test("a signal that ends the process in the middle of a question restores the terminal")
  func killed() async throws {
    let keyboard = try Keyboard()
    let before = keyboard.settings
    await #expect(processExitsWith: .signal(SIGTERM)) { [path = keyboard.path as String] in
      let terminal = FileDescriptor(
        owning: try valueOrSystemError { unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) })
      startThread { _ = Prompt(path: path).secret("Password: ") }
      var now = termios()
      repeat {
        sched_yield()
        _ = unsafe tcgetattr(terminal.number, &now)
      } while now.c_lflag & tcflag_t(ECHO) != 0
      kill(getpid(), SIGTERM)
      while true { pause() }
    }
    #expect(keyboard.settings == before)
  }

  @Test("a question ends when the caller's descriptor wakes it")
  func woken() async throws {
    let keyboard = try Keyboard()
    let before = keyboard.settings
    let pipe = try makePipe()
    let reader = FileDescriptor(owning: pipe.read)
    let writer = FileDescriptor(owning: pipe.write)
    let prompt = Prompt(wake: reader.number, path: keyboard.path)
    async let answer = Blocking.run { prompt.secret("Password: ") }
    _ = try keyboard.read(until: "Password: ")
    try writeAll(writer.number, [2])
    guard case .interrupted = try await answer else {
      Issue.record("not interrupted")
      return
    }
    #expect(keyboard.settings == before)
  }

  @Test(
    "only y and yes are a Yes",
    arguments: [
      ("y\n", true), ("Yes\n", true), (" y \n", true), ("\n", false), ("n\n", false),
      ("\u{4}", false),
    ])
  func confirm(typed: String, expected: Bool) async throws {
    let answer = try await ask({ $0.confirm("Enable access on web1?") }) {
      #expect(try $0.read(until: "] ") == "Enable access on web1? [y/N] ")
      try $0.type(typed)
    }
    #expect(answer.value == expected)
  }

  @Test("a slip is asked again, and three are a No")
  func confirmSlips() async throws {
    let second = try await ask({ $0.confirm("Sure?") }) {
      _ = try $0.read(until: "[y/N] ")
      try $0.type("yy\n")
      _ = try $0.read(until: "type y or n: ")
      try $0.type("y\n")
    }
    #expect(second.value == true)
    let never = try await ask({ $0.confirm("Sure?") }) {
      _ = try $0.read(until: "[y/N] ")
      try $0.type("sure\n")
      for _ in 0..<2 {
        _ = try $0.read(until: "type y or n: ")
        try $0.type("sure\n")
      }
    }
    #expect(never.value == false)
  }

  @Test("one of several is chosen by number, never by itself")
  func choose() async throws {
    let lines = ["web1  rg-a", "web1  rg-b\u{1B}[2J"]
    let second = try await ask({ $0.choose("Which one?", among: lines) }) {
      let shown = try $0.read(until: "none): ")
      #expect(shown.contains("Which one?\r\n  1  web1  rg-a\r\n  2  web1  rg-b?[2J\r\n"))
      try $0.type("7\n")
      _ = try $0.read(until: "or nothing: ")
      try $0.type("2\n")
    }
    #expect(second.value == 1)
    let none = try await ask({ $0.choose("Which one?", among: lines) }) {
      _ = try $0.read(until: "none): ")
      try $0.type("\n")
    }
    guard case .declined = none else {
      Issue.record("an empty line gave \(none)")
      return
    }
  }

  @Test("control characters in a server's question are not written to the terminal")
  func sanitised() async throws {
    let answer = try await ask({ $0.line("Code\u{1B}[8m\u{7}\nfrom app: ") }) {
      #expect(try $0.read(until: "app: ") == "Code?[8m?\r\nfrom app: ")
      #expect($0.echoes)
      try $0.type("123\n")
    }
    #expect(answer.value == "123")
  }

  @Test("no terminal, a file in its place, or forbidden questions: not possible")
  func notPossible() {
    for prompt in [
      Prompt(path: "/nonexistent/tty"), Prompt(path: "/dev/null"), Prompt.forbidden,
    ] {
      #expect(!prompt.isPossible)
      guard case .notPossible = prompt.confirm("?") else {
        Issue.record("asked where it cannot be")
        continue
      }
    }
  }

  @Test("the progress line gives way to a question and stays away while it stands")
  func progressHeld() async throws {
    let keyboard = try Keyboard()
    let recorder = Recorder()
    let console = recorder.console(terminal: true)
    let progress = Progress(console)
    let start = ContinuousClock.now
    progress.show("waiting", now: start)
    let prompt = Prompt(console: console, path: keyboard.path)
    async let answer = Blocking.run { prompt.confirm("Sure?") }
    _ = try keyboard.read(until: "[y/N] ")
    let shown = recorder.text
    #expect(shown.hasSuffix("\r\u{1B}[K"))
    progress.tick(now: start + .seconds(5))
    #expect(recorder.text == shown)
    try keyboard.type("y\n")
    #expect(try await answer.value == true)
    progress.tick(now: start + .seconds(6))
    #expect(recorder.text.hasSuffix("waiting … 6 s\u{1B}[K"))
  }
}
