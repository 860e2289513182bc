import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("ConnectionAttempts and ConnectTimeout, beside ssh", .limited)
struct SSHConnectTests {
  private static let clients: [Client] = [.jitconnect, .openSSH]

  private func refusals(_ text: String) -> Int {
    text.split(whereSeparator: \.isNewline).count {
      $0.contains("connect to address 127.0.0.1 port ") && $0.contains("Connection refused")
    }
  }

  @Test("a port that refuses is tried as often as ssh tries it, and no oftener")
  func refused() async throws {
    let server = try SSHServer()
    let port = try Simulator.freePort()
    for attempts in [1, 2, 3] {
      let options = ["-v", "-p", String(port), "-oConnectionAttempts=\(attempts)"]
      let errors = try await server.compare(options + ["box", "true"])
      #expect(refusals(errors.ssh) == attempts)
      #expect(refusals(errors.own) == attempts, "\(errors.own)")
      let last = errors.ssh.split(separator: "\n").last ?? ""
      #expect(errors.own.contains(last.dropFirst("ssh: ".count)), "\(last)")
    }
  }

  @Test("a port that opens meanwhile is reached by a later attempt", arguments: clients)
  func opens(_ client: Client) async throws {
    let server = try SSHServer()
    let port = try Simulator.freePort()
    let running = try server.start(
      ["-v", "-p", String(port), "-oConnectionAttempts=60", "-oConnectTimeout=60", "box", "true"],
      as: client)
    try await running.wait(for: "a refusal") { refusals(running.error) > 0 }
    let address = try #require(
      try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true).first)
    let listener = FileDescriptor(owning: try address.listen())
    try await running.wait(for: "the connection") {
      running.error.contains("Connection established")
    }
    let before = refusals(running.error)
    running.signal(SIGTERM)
    _ = try await running.finish()
    // It stays at that one.
    #expect(refusals(running.error) == before)
    _ = consume listener
  }

  /// A port of loopback whose queue is full: a connection to it gets no answer at all.
  private func silentPort() throws -> (port: UInt16, sockets: [Int32]) {
    let address = try #require(
      try InternetAddress.resolve("127.0.0.1", port: 0, numericOnly: true).first)
    var sockets = [try address.listen()]
    let port = try #require(InternetAddress.bound(to: sockets[0])?.port)
    // A shorter queue than the one it has been given.
    #if canImport(Glibc)
      _ = Glibc.listen(sockets[0], 0)
    #else
      _ = Darwin.listen(sockets[0], 0)
    #endif
    let full = try #require(
      try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true).first)
    for _ in 0..<8 { sockets.append(try full.startConnecting()) }
    return (port, sockets)
  }

  @Test("ConnectTimeout bounds a connection that is not answered, for each attempt")
  func unanswered() async throws {
    let server = try SSHServer()
    let (port, sockets) = try silentPort()
    defer { for socket in sockets { close(socket) } }
    for attempts in [1, 2] {
      let start = ContinuousClock.now
      let run = try await server.run([
        "-p", String(port), "-oConnectTimeout=1", "-oConnectionAttempts=\(attempts)", "box", "true",
      ])
      let took = ContinuousClock.now - start
      #expect(run.status == 255)
      let words = "connect to host 127.0.0.1 port \(port): Connection timed out"
      #expect(run.error.contains(words), "\(run.error)")
      // Not sooner than it may; what is later is the machine's load.
      #expect(took >= .seconds(2 * attempts - 1))
    }
    let ssh = try await server.run(
      ["-p", String(port), "-oConnectTimeout=1", "box", "true"], as: .openSSH)
    #expect(ssh.error.contains("connect to host 127.0.0.1 port \(port): Connection timed out"))
  }

  @Test("ConnectTimeout bounds a server that takes the connection and says nothing")
  func ungreeted() async throws {
    let server = try SSHServer()
    let address = try #require(
      try InternetAddress.resolve("127.0.0.1", port: 0, numericOnly: true).first)
    let listener = FileDescriptor(owning: try address.listen())
    let port = try #require(InternetAddress.bound(to: listener.number)?.port)
    for client in Self.clients {
      let run = try await server.run(
        ["-p", String(port), "-oConnectTimeout=1", "box", "true"], as: client)
      #expect(run.status == 255)
      #expect(run.error.lowercased().contains("timed out"), "\(run.error)")
    }
    _ = consume listener
  }

  @Test("ConnectTimeout 0 is no limit", arguments: clients)
  func noLimit(_ client: Client) async throws {
    let server = try SSHServer()
    let run = try await server.run(["-oConnectTimeout=0", "box", "echo in"], as: client)
    #expect(run.text == "in\n", "\(run.error)")
  }
}
