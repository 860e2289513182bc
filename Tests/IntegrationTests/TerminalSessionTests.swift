import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Interactive sessions on a terminal, through the built program", .limited)
struct TerminalSessionTests {
  /// A session whose remote shell has said that it is there.
  private func session(
    _ server: SSHServer, _ arguments: [String] = [], as client: Client = .jitconnect
  ) throws -> PseudoTerminal {
    let terminal = try server.terminal(arguments + ["-t", "box", "exec sh -i"], as: client)
    try ready(terminal)
    return terminal
  }

  private func ready(_ terminal: PseudoTerminal) throws {
    try terminal.type("stty -echo; PS1=; echo re''ady\n")
    try terminal.wait(for: "ready\n")
  }

  @Test("a shell runs, with ssh's words at its end", arguments: [Client.openSSH, .jitconnect])
  func shell(_ client: Client) throws {
    let server = try SSHServer()
    let terminal = try server.terminal(["box"], as: client)
    try ready(terminal)
    try terminal.type("echo $TERM; exit 7\n")
    try terminal.wait(for: "xterm\n")
    try terminal.wait(for: "Connection to 127.0.0.1 closed.\n")
    #expect(try terminal.end() == .exited(7))
  }

  @Test("the terminal's size and its changes reach the other side")
  func resize() throws {
    let server = try SSHServer()
    let terminal = try session(server)
    try terminal.type("stty size\n")
    try terminal.wait(for: "24 80\n")
    try terminal.type("trap 'stty size' WINCH; echo set\n")
    try terminal.wait(for: "set\n")
    terminal.resize(rows: 50, columns: 132)
    try terminal.type("until test \"$(stty size)\" = '50 132'; do :; done; stty size\n")
    try terminal.wait(for: "50 132\n")
    try terminal.type("exit\n")
    #expect(try terminal.end() == .exited(0))
  }

  @Test("the terminal's modes reach the other side", arguments: [Client.openSSH, .jitconnect])
  func modes(_ client: Client) throws {
    let server = try SSHServer()
    let terminal = try server.terminal(
      [
        "-t", "box", "stty -a | tr ' ' '\\n' | grep -xE -e '-?(echo|icanon|ixon|opost|isig|onlcr)'",
      ],
      as: client)
    for mode in ["ixon", "opost", "onlcr", "isig", "icanon", "echo"] {
      try terminal.wait(for: "\(mode)\n")
    }
    #expect(try terminal.end() == .exited(0))
    #expect(!terminal.screen.contains("-echo"))
  }

  @Test("Ctrl-C is the other side's")
  func controlCharacters() throws {
    let server = try SSHServer()
    let terminal = try session(server)
    try terminal.type(
      "sh -c 'trap \"echo inter\"\"rupted; exit\" INT; echo set; while :; do sleep 1; done'\n")
    try terminal.wait(for: "set\n")
    try terminal.type("\u{3}")
    try terminal.wait(for: "interrupted\n")
    try terminal.type("sh -c 'echo on; exec sleep 60'\n")
    try terminal.wait(for: "on\n")
    try terminal.type("\u{3}")
    try terminal.type("echo past\n")
    try terminal.wait(for: "past\n")
    try terminal.type("exit 3\n")
    #expect(try terminal.end() == .exited(3))
  }

  @Test("~. leaves, with the terminal as it was", arguments: [Client.openSSH, .jitconnect])
  func disconnect(_ client: Client) throws {
    let server = try SSHServer()
    let terminal = try session(server, as: client)
    #expect(!terminal.isCooked)
    try terminal.type("\r~.")
    try terminal.wait(for: "Connection to 127.0.0.1 closed.\n")
    #expect(try terminal.end() == .exited(255))
    #expect(terminal.isCooked)
  }

  @Test("~? helps, ~~ sends one, another EscapeChar and none are honoured")
  func escapes() throws {
    let server = try SSHServer()
    let terminal = try session(server)
    try terminal.type("\r~?")
    try terminal.wait(for: "Supported escape sequences:\n")
    try terminal.wait(for: "~.   - terminate connection")
    try terminal.wait(for: "immediately after newline.)\n")
    try terminal.type("\rcat\r~~.\r")
    try terminal.wait(for: "~.\n")
    try terminal.type("\u{4}echo after\r")
    try terminal.wait(for: "after\n")
    try terminal.type("exit\r")
    #expect(try terminal.end() == .exited(0))

    let percent = try session(server, ["-e", "%"])
    try percent.type("\r%.")
    #expect(try percent.end() == .exited(255))

    let none = try session(server, ["-e", "none"])
    try none.type("cat\r~.\r")
    try none.wait(for: "~.\n")
    try none.type("\u{4}exit 4\r")
    #expect(try none.end() == .exited(4))
  }

  @Test("~^Z suspends and fg goes on", arguments: [Client.openSSH, .jitconnect])
  func suspend(_ client: Client) throws {
    let server = try SSHServer()
    let terminal = try PseudoTerminal(
      "/bin/sh", ["-i"], environment: server.environment.merging(["PS1": "local> "]) { $1 })
    try terminal.wait(for: "local> ")
    try terminal.type(
      "\(server.program(client)) -F \(server.folder)/config -t box 'exec sh -i'\n")
    try terminal.wait(for: "exec sh -i'\n")
    try ready(terminal)
    try terminal.type("\r~\u{1A}")
    try terminal.wait(for: "[suspend ssh]")
    try terminal.wait(for: "local> ")
    try terminal.type("echo lo''cal; fg\n")
    try terminal.wait(for: "local\n")
    try terminal.type("\recho back; exit 9\r")
    try terminal.wait(for: "back\n")
    try terminal.wait(for: "closed.\n")
    try terminal.wait(for: "local> ")
    try terminal.type("exit $?\n")
    #expect(try terminal.end() == .exited(9))
  }

  @Test(
    "a signal from outside ends it, with the terminal as it was",
    arguments: [SIGTERM, SIGHUP], [Client.openSSH, .jitconnect])
  func signals(_ signal: Int32, _ client: Client) throws {
    let server = try SSHServer()
    let terminal = try session(server, as: client)
    kill(terminal.child, signal)
    #expect(try terminal.end() == .exited(255))
    #expect(terminal.isCooked)
  }

  @Test("the size that counts is that of the end of the login")
  func resizedDuringLogin() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    let terminal = try server.terminal([
      "-oIdentitiesOnly=yes", "-oIdentityFile=none", "-i", key, "-t", "box", "stty size",
    ])
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    terminal.resize(rows: 41, columns: 99)
    try terminal.type("secret\n")
    try terminal.wait(for: "41 99\n")
    #expect(try terminal.end() == .exited(0))
  }

  @Test("AddKeysToAgent ask is asked on the terminal", arguments: ["yes", "no"])
  func agentQuestion(_ answer: String) throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    let agent = try KeyAgent(server.folder)
    let terminal = try server.terminal(
      [
        "-v", "-oAddKeysToAgent=ask", "-oIdentityAgent=SSH_AUTH_SOCK", "-oIdentitiesOnly=yes",
        "-i", key, "box", "echo in",
      ], environment: ["SSH_AUTH_SOCK": agent.socket])
    try terminal.wait(for: "Add key \(key) (test) to agent? (yes/no) ")
    try terminal.type("\(answer)\n")
    try terminal.wait(
      for: answer == "yes" ? "identity added to agent: \(key)" : "user denied adding this key")
    try terminal.wait(for: "\nin\n")
    #expect(try terminal.end() == .exited(0))
  }

  @Test(
    "a signal at a question ends the program by that signal, with the terminal as it was",
    arguments: [SIGTERM, SIGHUP, SIGINT], [Client.openSSH, .jitconnect])
  func signalAtQuestion(_ signal: Int32, _ client: Client) throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    let terminal = try server.terminal(
      ["-oIdentitiesOnly=yes", "-i", key, "box", "true"], as: client)
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    // OpenSSH sleeps on where a signal comes between its question and its read: it is sent again.
    #expect(try terminal.end(by: signal, isRepeated: client == .openSSH) == .signalled(signal))
    #expect(terminal.isCooked)
  }

  @Test("Ctrl-Z at a question suspends, and the question comes again", arguments: [false, true])
  func suspendAtQuestion(_ isShell: Bool) throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    let terminal = try PseudoTerminal(
      "/bin/sh", ["-i"], environment: server.environment.merging(["PS1": "local> "]) { $1 })
    try terminal.wait(for: "local> ")
    let command = isShell ? "-t box 'exit 5'" : "box 'exit 5'"
    try terminal.type(
      "\(Binary.path) -F \(server.folder)/config -oIdentitiesOnly=yes -i \(key) \(command)\n")
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("\u{1A}")
    try terminal.wait(for: "local> ")
    // The shell sets its own modes; what counts is that the answer is not shown afterwards.
    try terminal.type("fg\n")
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("secret\n")
    try terminal.wait(for: "local> ")
    #expect(!terminal.screen.contains("secret"))
    try terminal.type("exit $?\n")
    #expect(try terminal.end() == .exited(5))
  }

  @Test("a server that dies is told, with the terminal as it was")
  func deadServer() throws {
    let server = try SSHServer()
    let terminal = try session(server)
    // The session's own server process is the shell's parent.
    try terminal.type("kill -9 $PPID\n")
    try terminal.wait(for: "connection-lost")
    #expect(try terminal.end() == .exited(255))
    #expect(terminal.isCooked)
  }

  @Test("-T takes no terminal and leaves the local one alone")
  func noTerminal() throws {
    let server = try SSHServer()
    let terminal = try server.terminal(["-T", "box", "echo here; cat"])
    try terminal.wait(for: "here\n")
    #expect(terminal.isCooked)
    try terminal.type("line\n\u{4}")
    try terminal.wait(for: "line\nline\n")
    #expect(try terminal.end() == .exited(0))
  }

  @Test("a command without -t has no terminal, and Ctrl-C ends the program itself")
  func localInterrupt() throws {
    let server = try SSHServer()
    for client in [Client.openSSH, .jitconnect] {
      let terminal = try server.terminal(["box", "test -t 0 || echo none; sleep 60"], as: client)
      try terminal.wait(for: "none\n")
      try terminal.type("\u{3}")
      #expect(try terminal.end() == .exited(255))
    }
  }
}
