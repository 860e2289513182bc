import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Going to the background", .limited)
struct ExtraBackgroundTests {
  static let clients: [Client] = [.jitconnect, .openSSH]

  /// Waits until the file is there with something in it.
  private func contents(_ path: String) async throws -> String {
    let deadline = ContinuousClock.now + .seconds(30)
    while .now < deadline {
      if let bytes = try? Files.read(path), !bytes.isEmpty {
        return String(decoding: bytes, as: UTF8.self)
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw Problem("\(path) stays empty")
  }

  @Test("with -f -N -L the forward serves after the process has ended", arguments: clients)
  func forward(_ client: Client) async throws {
    let server = try SSHServer()
    let port = try Simulator.freePort()
    // The pipes' end is waited for too: nothing may hold them.
    let run = try await server.run(
      [
        "-f", "-N", "-o", "ExitOnForwardFailure=yes", "-L", "\(port):127.0.0.1:\(server.port)",
        "box",
      ],
      as: client)
    defer { server.endSessions(forwarding: port) }
    #expect(run.ending == .exited(0))
    #expect(run.text == "")
    #expect(run.error == "")
    #expect(Simulator.greets(port: port))
  }

  @Test("a command goes on without the process, and its output still arrives", arguments: clients)
  func command(_ client: Client) async throws {
    let server = try SSHServer()
    let gate = server.folder + "/work/gate"
    let running = try server.start(
      ["-f", "box", "while [ ! -e '\(gate)' ]; do sleep 0.02; done; cat; echo out; echo err >&2"],
      as: client)
    try await running.waitForProcess()
    try server.write("", "work/gate")
    let run = try await running.finish()
    #expect(run.ending == .exited(0))
    #expect(run.text == "out\n")
    #expect(run.error == "err\n")
  }

  @Test("what fails before has the status and the words of the session", arguments: clients)
  func failure(_ client: Client) async throws {
    let server = try SSHServer()
    let refused = try await server.run(
      ["-f", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes", "box", "true"], as: client)
    #expect(refused.ending == .exited(255))
    #expect(refused.error.contains("Permission denied"))
    let taken = try await server.run(
      [
        "-fN", "-o", "ExitOnForwardFailure=yes", "-L", "127.0.0.1:\(server.port):127.0.0.1:1",
        "box",
      ],
      as: client)
    #expect(taken.ending == .exited(255))
    let bare = try await server.run(["-f", "box"], as: client)
    #expect(bare.ending == .exited(255))
    #expect(bare.error.contains("Cannot fork into background without a command to execute."))
  }

  /// As ssh_config(5) says: it implies StdinNull, which ssh 9.2 itself forgets.
  @Test("ForkAfterAuthentication in a file does the same, without standard input")
  func keyword() async throws {
    let server = try SSHServer(config: ["ForkAfterAuthentication yes"])
    let result = server.folder + "/result"
    let run = try await server.run(
      ["box", "read line; echo \"got <$line>\" > '\(result)'"],
      input: Array("not for the command\n".utf8))
    #expect(run.ending == .exited(0))
    #expect(try await contents(result) == "got <>\n")
  }

  @Test("a passphrase is asked for on the terminal before it", arguments: clients)
  func prompt(_ client: Client) async throws {
    let server = try SSHServer()
    // Only the key with the passphrase logs in.
    try Files.replace(server.server.folder + "/authorized_keys", with: [UInt8]())
    let key = try server.makeKey("ed25519", passphrase: "open sesame")
    let port = try Simulator.freePort()
    let terminal = AwaitedTerminal(
      try server.terminal(
        ["-fN", "-i", key, "-L", "\(port):127.0.0.1:\(server.port)", "box"], as: client))
    defer { server.endSessions(forwarding: port) }
    try await terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("open sesame\r")
    #expect(try await terminal.end() == .exited(0))
    // ssh's own session may get the terminal's hangup before it has left it.
    if client != .openSSH { #expect(Simulator.greets(port: port)) }
  }

  @Test("interrupted at the prompt, both end")
  func interrupted() async throws {
    let server = try SSHServer()
    // Only the key with the passphrase logs in.
    try Files.replace(server.server.folder + "/authorized_keys", with: [UInt8]())
    let key = try server.makeKey("ed25519", passphrase: "open sesame")
    let terminal = AwaitedTerminal(try server.terminal(["-fN", "-i", key, "box"]))
    try await terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("\u{3}")
    #expect(try await terminal.end() == .signalled(SIGINT))
  }

  @Test("a VM's window is opened first, and the forward stays")
  func azure() async throws {
    let stage = try await Stage.ssh()
    let port = try Simulator.freePort()
    let run = try await stage.run(
      ["-f", "-N", "-L", "\(port):127.0.0.1:\(stage.server?.port ?? 0)"] + stage.options() + [
        "web1"
      ])
    defer { endSessions(forwarding: port) }
    #expect(run.ending == .exited(0))
    #expect(stage.requests.count == 1)
    #expect(Simulator.greets(port: port))
  }
}

extension SSHServer {
  func endSessions(forwarding port: UInt16) {
    IntegrationTests.endSessions(forwarding: port)
  }
}

/// Ends the clients that a test has left in the background, found by their command line.
func endSessions(forwarding port: UInt16) {
  for process in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
    guard let id = Int32(process),
      let line = try? Files.read("/proc/\(process)/cmdline"),
      String(decoding: line, as: UTF8.self).split(separator: "\0").contains(where: {
        $0.hasPrefix("\(port):127.0.0.1:")
      })
    else { continue }
    kill(id, SIGTERM)
  }
}
