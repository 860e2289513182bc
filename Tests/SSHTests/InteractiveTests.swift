import Platform
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A pseudo-terminal pair: a person's side and the side that the program has.
struct PseudoTerminal: ~Copyable {
  let person: FileDescriptor
  let program: FileDescriptor

  init() throws {
    // posix_openpt is not in the Glibc module; these are its calls on Linux, TIOCGPTN and
    // TIOCSPTLCK.
    let owner = try valueOrSystemError { unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) }
    var number: Int32 = 0
    var locked: Int32 = 0
    _ = unsafe ioctl(owner, 0x8004_5430, &number)
    _ = unsafe ioctl(owner, 0x4004_5431, &locked)
    person = FileDescriptor(owning: owner)
    program = FileDescriptor(
      owning: unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC))
  }

  /// What the person sees until `text` has appeared.
  static func read(
    _ descriptor: Int32, until text: String, nudging nudge: () -> Void = {}
  ) throws -> String {
    var seen: [UInt8] = []
    let deadline = ContinuousClock.now + .seconds(30)
    while !String(decoding: seen, as: UTF8.self).contains(text) {
      var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard ContinuousClock.now < deadline else {
        throw TestProblem("not seen: \(text); seen: \(String(decoding: seen, as: UTF8.self))")
      }
      nudge()
      if unsafe poll(&ready, 1, 200) > 0 { seen += try readSome(descriptor, limit: 4096) }
    }
    return String(decoding: seen, as: UTF8.self)
  }
}

// Serialized: the terminal to restore is one per process.
@Suite(.serialized) struct InteractiveTests {
  @Test("a shell in a terminal: typed keys, resize, escape, and the terminal as it was before")
  func shell() async throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.login(key)
    let terminal = try PseudoTerminal()
    let (person, program) = (terminal.person.number, terminal.program.number)
    var size = winsize(ws_row: 30, ws_col: 90, ws_xpixel: 0, ws_ypixel: 0)
    _ = unsafe ioctl(program, UInt(TIOCSWINSZ), &size)
    let before = try #require(TerminalSettings.of(program))
    var request = SessionRequest(.command(Array("PS1= exec sh".utf8)))
    request.terminal = .init(
      name: "xterm", settings: before, size: try #require(TerminalSize.of(program)))
    let streams = SessionStreams(
      input: program, output: program, error: program, terminal: program)
    let asked = request
    let ending = try await Blocking.run {
      let thread = SessionThread(session, asked, streams)
      try writeAll(person, Array("echo size $(stty size)\r".utf8))
      _ = try PseudoTerminal.read(person, until: "size 30 90")
      #expect(TerminalSettings.of(program)?.localFlags != before.localFlags)
      var size = winsize(ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0)
      _ = unsafe ioctl(program, UInt(TIOCSWINSZ), &size)
      try writeAll(
        person, Array("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo re''sized\r".utf8))
      // The kernel signals only the terminal's own session, and this process is not in it. Of all
      // sessions that run here, any may hear the one signal: hence again and again.
      _ = try PseudoTerminal.read(person, until: "resized") { kill(getpid(), SIGWINCH) }
      try writeAll(person, Array("~?".utf8))
      _ = try PseudoTerminal.read(person, until: "Supported escape sequences")
      try writeAll(person, Array("\r~.".utf8))
      return try thread.ending()
    }
    #expect(ending == .noStatus)
    let after = try #require(TerminalSettings.of(program))
    #expect(after.localFlags == before.localFlags)
    #expect(after.inputFlags == before.inputFlags)
    #expect(after.outputFlags == before.outputFlags)
    session.disconnect()
  }

  @Test("the remote terminal starts with the local one's settings")
  func modes() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.login(key)
    let terminal = try PseudoTerminal()
    let number = terminal.program.number
    let stty = try ChildProcess(
      path: "/bin/stty", arguments: ["-echo", "-ixon"], environment: [:]
    ).start(input: number, output: number, error: number)
    #expect(ChildProcess.wait(for: stty) == .exited(0))
    var request = SessionRequest(.command(Array("stty -a".utf8)))
    request.terminal = .init(
      name: "xterm", settings: TerminalSettings.of(terminal.program.number),
      size: TerminalSize(columns: 80, rows: 24))
    let output = try run(request, in: session).output
    #expect(output.contains("-echo "))
    #expect(output.contains("-ixon"))
    #expect(output.contains("intr = ^C"))
    #expect(output.contains("speed 38400"))
  }
}
