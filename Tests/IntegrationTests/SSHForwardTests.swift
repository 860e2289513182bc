import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Forwards and long sessions through the built program, beside ssh", .limited)
struct SSHForwardTests {
  private static let clients: [Client] = [.jitconnect, .openSSH]

  /// A client that stays, once it says that its session stands.
  private func standing(
    _ server: SSHServer, _ arguments: [String], as client: Client
  ) async throws -> Running {
    let running = try server.start(
      ["-oPermitLocalCommand=yes", "-oLocalCommand=echo up"] + arguments, as: client)
    try await running.wait(for: "the session") { running.output.starts(with: Array("up\n".utf8)) }
    return running
  }

  // MARK: Forwards

  @Test("-R carries a connection of the server's", arguments: ["", "127.0.0.1:", "localhost:"])
  func remote(_ address: String) async throws {
    let server = try SSHServer()
    let port = try Simulator.freePort()
    let command = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/\(port); head -c 8 <&3'"
    let error = try await server.compare([
      "-R", "\(address)\(port):127.0.0.1:\(server.port)", "box", command,
    ])
    #expect(error.own == error.ssh)
    let run = try await server.run([
      "-R", "\(address)\(port):127.0.0.1:\(server.port)", "box", command,
    ])
    #expect(run.text == "SSH-2.0-")
  }

  @Test("-L and -D lead to where they say", arguments: clients)
  func local(_ client: Client) async throws {
    let server = try SSHServer()
    let (direct, socks) = (try Simulator.freePort(), try Simulator.freePort())
    let running = try await standing(
      server,
      ["-N", "-L", "\(direct):127.0.0.1:\(server.port)", "-D", "127.0.0.1:\(socks)", "box"],
      as: client)
    let (high, low) = (server.port >> 8, server.port & 0xFF)
    let request = "\\x05\\x01\\x00\\x01\\x7f\\x00\\x00\\x01\\x" + hex(high) + "\\x" + hex(low)
    try await server.shellPasses(
      """
      bash -ec 'exec 3<>/dev/tcp/127.0.0.1/\(direct); test "$(head -c 8 <&3)" = SSH-2.0-'
      bash -ec 'exec 3<>/dev/tcp/127.0.0.1/\(socks); printf "\\x05\\x01\\x00" >&3
        test "$(head -c 2 <&3 | od -An -tx1)" = " 05 00"; printf "\(request)" >&3
        test "$(head -c 2 <&3 | od -An -tx1)" = " 05 00"; head -c 8 <&3 >/dev/null
        test "$(head -c 8 <&3)" = SSH-2.0-'
      """)
    running.signal(SIGTERM)
    _ = try await running.finish()
  }

  private func hex(_ number: UInt16) -> String {
    (number < 16 ? "0" : "") + String(number, radix: 16)
  }

  @Test("a port that is taken: told, or the end where that is asked for")
  func takenPort() async throws {
    let server = try SSHServer()
    let taken = "127.0.0.1:\(server.port):127.0.0.1:9"
    for forward in [["-L", taken], ["-R", taken]] {
      let strict = ["-oExitOnForwardFailure=yes"]
      let clear = ["-oClearAllForwardings=yes"]
      try await server.compare(forward + ["box", "echo in"])
      try await server.compare(forward + strict + ["box", "echo in"])
      try await server.compare(forward + strict + clear + ["box", "echo in"])
      let run = try await server.run(forward + strict + ["box", "echo in"])
      #expect(run.code == "forwarding-failed", "\(run)")
    }
    let told = try await server.compare(["-R", taken, "box", "true"])
    #expect(told.own == told.ssh)
  }

  // MARK: Signals

  @Test(
    "what a signal makes of a session without a command is what ssh makes of it",
    arguments: [SIGTERM, SIGINT, SIGHUP], [["-N"], ["-n"]])
  func signals(_ signal: Int32, _ kind: [String]) async throws {
    let server = try SSHServer()
    var endings: [ChildProcess.Ending] = []
    for client in Self.clients {
      let words =
        kind == ["-N"]
        ? ["-N", "-R", "0:127.0.0.1:9", "box"] : ["-n", "box", "echo up; exec sleep 60"]
      let running = try server.start(words, as: client)
      // What is heard from the server is heard where signals are.
      try await running.wait(for: "the session") {
        kind == ["-N"] ? running.error.contains("Allocated port") : !running.output.isEmpty
      }
      running.signal(signal)
      endings.append(try await running.finish().ending)
    }
    #expect(endings[0] == endings[1])
  }

  // MARK: A server that falls silent

  @Test("a silent server is given up, in ssh's words", arguments: clients)
  func silent(_ client: Client) async throws {
    let server = try SSHServer(config: ["ServerAliveInterval 1", "ServerAliveCountMax 1"])
    let command = "(sleep 8; kill -CONT $PPID) >/dev/null 2>&1 & kill -STOP $PPID; exec sleep 60"
    let run = try await server.run(["box", command], as: client)
    #expect(run.status == 255)
    #expect(run.error.contains("Timeout, server 127.0.0.1 not responding"), "\(run.error)")
  }

  @Test("TCPKeepAlive is set or left out, as ssh does", arguments: clients)
  func keepAlive(_ client: Client) async throws {
    let server = try SSHServer()
    // While something is under way another timer is shown.
    let command =
      "PATH=$PATH:/usr/sbin:/sbin; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.1; "
      + "ss -Htno 'dport = :\(server.port)' | grep -o keepalive && break; done; true"
    for (setting, isOn) in [("yes", true), ("no", false)] {
      let run = try await server.run(["-oTCPKeepAlive=\(setting)", "box", command], as: client)
      #expect(run.text.contains("keepalive") == isOn, "\(run.text)\(run.error)")
    }
  }

  // MARK: Variables

  @Test("SetEnv and SendEnv, with patterns, removals and what the server refuses")
  func variables() async throws {
    let server = try SSHServer(config: ["SendEnv JIT_* LC_ALL", "SetEnv JIT_A=1 NOT_TAKEN=2"])
    let error = try await server.compare(
      ["-oSendEnv=-JIT_C", "box", "env | grep -E 'JIT_[A-D]|NOT_|LC_ALL' | sort"],
      environment: ["JIT_A": "no", "JIT_B": "two words", "JIT_C": "c", "LC_ALL": "C"])
    #expect(error.own == error.ssh)
  }
}
