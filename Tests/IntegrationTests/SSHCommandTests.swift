import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("A remote command through the built program, beside ssh's own run", .limited)
struct SSHCommandTests {
  @Test("status, stdout and stderr of a command are ssh's")
  func commands() async throws {
    let server = try SSHServer()
    for command in [
      "true", "false", "exit 7", "exit 255", "kill -9 $$", "kill -TERM $$",
      "echo out; echo err >&2; exit 3", "no-such-command-here", "head -c 100000 /dev/zero",
      "printf 'no line end'", "printf '\\000\\377\\r\\n'", "exec 1>&- 2>&-; exit 4",
    ] {
      let errors = try await server.compare(["box", command])
      #expect(errors.own == errors.ssh, "\(command)")
    }
  }

  @Test("where options and words stand makes no difference from ssh")
  func words() async throws {
    let server = try SSHServer()
    let lines: [[String]] = [
      ["box", "echo", "a", "  b  ", "'c  d'", "$HOME", ""],
      ["box", "--", "echo", "-n", "x"],
      ["--", "box", "echo", "-n", "x"],
      ["box", "-T", "-q", "echo", "-q"],
      ["-Tq", "box", "-oSetEnv=JIT_A=1", "echo \"$JIT_A\""],
      ["-o", "SetEnv=JIT_A=2", "-oSetEnv JIT_A=3", "box", "echo \"$JIT_A\""],
      ["-oSendEnv=JIT_B", "box", "echo \"$JIT_B\""],
      ["-l", "\(Environment.current().userName)", "box", "id -u"],
      ["-n", "box", "cat"],
      ["-oStdinNull=yes", "box", "cat"],
      ["-oRemoteCommand=echo configured", "box"],
      ["-s", "box", "sftp"],
      ["box", "-s", "sftp"],
      ["-T", "box"],
      ["-tt", "box", "tty >/dev/null && stty size"],
      ["-tt", "-oRequestTTY=no", "box", "test -t 0 && echo yes"],
      ["-oRequestTTY=force", "box", "test -t 0 && echo yes"],
      ["-C", "box", "echo compressed"],
      ["-4", "-x", "-a", "-oControlMaster=auto", "-oControlPath=none", "box", "echo many"],
    ]
    for arguments in lines {
      try await server.compare(arguments, environment: ["JIT_B": "sent"])
    }
  }

  @Test("a shell without a terminal reads its commands from stdin")
  func shellFromPipe() async throws {
    let server = try SSHServer()
    let errors = try await server.compare(["box"], input: Array("echo one\necho $0\nexit 4\n".utf8))
    #expect(errors.own == errors.ssh)
  }

  @Test("-t without a terminal says so, as ssh does, and goes on")
  func terminalNotToBeHad() async throws {
    let server = try SSHServer()
    let errors = try await server.compare(["-t", "box", "tty; exit 2"])
    #expect(errors.own == errors.ssh)
    #expect(errors.own.contains("Pseudo-terminal will not be allocated"))
  }

  @Test("32 MiB pass unchanged in both directions at once")
  func bigPipe() async throws {
    let server = try SSHServer()
    let bytes = try noise(32 << 20)
    let run = try await server.run(["box", "cat; printf end >&2; exit 3"], input: bytes)
    #expect(run.status == 3)
    #expect(run.output == bytes)
    #expect(run.error == "end")
  }

  @Test("the output of short commands is never lost, 100 times")
  func shortCommands() async throws {
    let server = try SSHServer(settings: ["MaxStartups 300"])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<100 {
        if number >= 4 { try await group.next() }
        group.addTask {
          let run = try await server.run(["box", "echo \(number); exit \(number % 7)"])
          #expect(run.text == "\(number)\n")
          #expect(run.status == Int32(number % 7), "\(run.error)")
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("bytes that are no UTF-8 reach the remote command as they are")
  func rawBytes() async throws {
    let server = try SSHServer()
    let run = try await server.shell(
      "\"$JIT\" box printf %s \"$(printf 'a\\377\\376b\\303x')\" \"$(printf '\\200')\"")
    #expect(run.output == [0x61, 0xFF, 0xFE, 0x62, 0xC3, 0x78, 0x80])
    #expect(run.error == "")
  }

  @Test("a command of 30,000 bytes arrives whole")
  func longCommand() async throws {
    let server = try SSHServer()
    try await server.compare(["box", "echo \(String(repeating: "x", count: 30_000))"])
  }

  @Test("a command that the library cannot send is refused with the reason")
  func tooLongCommand() async throws {
    let server = try SSHServer()
    let run = try await server.run(["box", "echo \(String(repeating: "x", count: 100_000))"])
    #expect(run.status == 255)
    #expect(run.code == "not-built-in")
    #expect(run.error.contains("--client openssh"))
  }

  @Test("a reader that goes away ends the session", arguments: [Client.openSSH, .jitconnect])
  func closedOutput(_ client: Client) async throws {
    let server = try SSHServer()
    let name = client == .jitconnect ? "jit" : "open"
    let run = try await server.shell(
      "{ \"$FOLDER/bin/\(name)\" box yes || echo status $? >&2; } | head -1")
    #expect(run.text == "y\n")
    #expect(run.error == "status 255\n")
  }

  @Test("a command that stops reading does not stop the session")
  func closedInput() async throws {
    let server = try SSHServer()
    let run = try await server.shell("yes | \"$JIT\" box 'head -1; exit 5' || echo status $?")
    #expect(run.text == "y\nstatus 5\n")
  }

  @Test("stdout that was closed before the start stays closed to everything else")
  func noOutput() async throws {
    let server = try SSHServer()
    let run = try await server.shell("\"$JIT\" box 'echo lost; exit 6' >&- || echo status $? >&2")
    #expect(run.error.hasSuffix("status 6\n"))
  }

  @Test(
    "signals end the client with ssh's status",
    arguments: [SIGTERM, SIGHUP, SIGINT], [["box", "echo ready; sleep 60"], ["-N", "box"]])
  func signals(_ signal: Int32, _ arguments: [String]) async throws {
    var endings: [ChildProcess.Ending] = []
    for client in [Client.openSSH, .jitconnect] {
      let server = try SSHServer()
      let port = try Simulator.freePort()
      let forward = ["-L", "127.0.0.1:\(port):127.0.0.1:\(server.port)"]
      let running = try server.start(
        arguments.contains("-N") ? forward + arguments : arguments, as: client)
      try await running.wait(for: "the session") {
        // What passes through a forward shows that the session moves bytes.
        arguments.contains("-N") ? Simulator.greets(port: port) : !running.output.isEmpty
      }
      running.signal(signal)
      endings.append(try await running.finish().ending)
    }
    #expect(endings[0] == endings[1])
  }

  @Test("-W joins stdin and stdout with a port of the far side")
  func stdioForward() async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-W", "127.0.0.1:\(server.port)", "box"], input: Array("SSH-2.0-test\r\n".utf8))
    #expect(run.text.hasPrefix("SSH-2.0-OpenSSH"))
    let refused = try await server.run(["-W", "127.0.0.1:1", "box"])
    #expect(refused.status == 255)
  }
}

/// Bytes that do not repeat.
func noise(_ count: Int) throws -> [UInt8] {
  let source = FileDescriptor(
    owning: try valueOrSystemError { unsafe open("/dev/urandom", O_RDONLY | O_CLOEXEC) })
  var bytes: [UInt8] = []
  while bytes.count < count { bytes += try readSome(source.number, limit: count - bytes.count) }
  return bytes
}
