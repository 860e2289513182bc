import Platform
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ForwardingTests {
  /// Runs `body` while a session with these forwards is up.
  func with(
    _ plan: ForwardingPlan, settings: [String] = [], agent: String? = nil,
    command: String = "echo up; cat", _ body: @escaping @Sendable (SSHServer) throws -> Void
  ) async throws {
    let server = try SSHServer(settings: settings)
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.login(key)
    let input = try makePipe()
    let output = try makePipe()
    let request = SessionRequest(
      .command(Array(command.utf8)), forwarding: plan, agentSocket: agent)
    async let ending = Blocking.run {
      defer { close(output.write) }
      return try session.run(
        request, streams: SessionStreams(input: input.read, output: output.write, error: 2))
    }
    try await Blocking.run {
      defer { close(input.write) }
      // Forwards stand before the command starts.
      _ = try readSome(output.read, limit: 10)
      try body(server)
    }
    #expect(try await ending == .exited(0))
    close(output.read)
    close(input.read)
    session.disconnect()
  }

  @Test("-L carries bytes both ways, and each side's end by itself")
  func local() async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let plan = ForwardingPlan(local: [
      .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(echo.port)))
    ])
    try await with(plan) { _ in
      let data = [UInt8](repeating: 7, count: 3_000_000)
      let received = try roundTrip(port, data)
      #expect(received == data)
    }
  }

  @Test("hundreds of connections at once")
  func many() async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let plan = ForwardingPlan(local: [
      .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(echo.port)))
    ])
    try await with(plan) { _ in
      let sockets = try (0..<300).map { _ in try #require(connectBox(port)) }
      for (index, socket) in sockets.enumerated() {
        try writeAll(socket.number, Array("hello \(index)".utf8))
        shutdown(socket.number, Int32(SHUT_WR))
      }
      for (index, socket) in sockets.enumerated() {
        #expect(try readToEnd(socket.number) == Array("hello \(index)".utf8))
      }
    }
  }

  @Test("a target that refuses closes the connection and not the session")
  func refused() async throws {
    let port = try freePort()
    let nobody = try freePort()
    let plan = ForwardingPlan(local: [
      .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(nobody)))
    ])
    try await with(plan) { _ in
      let socket = try #require(connectBox(port))
      let received = (try? readToEnd(socket.number)) ?? []
      #expect(received.isEmpty)
    }
  }

  @Test("-D serves SOCKS 5, 4 and 4a", arguments: [5, 4, 40])
  func dynamic(version: Int) async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let plan = ForwardingPlan(local: [.init(.tcp(host: nil, port: Int(port)), to: .socks)])
    try await with(plan) { _ in
      let socket = try #require(connectBox(port))
      let (high, low) = (UInt8(echo.port >> 8), UInt8(echo.port & 0xFF))
      switch version {
      case 5:
        try writeAll(socket.number, [5, 1, 0] as [UInt8])
        #expect(try readExactly(socket.number, 2) == [5, 0])
        let name = Array("localhost".utf8)
        try writeAll(
          socket.number, [5, 1, 0, 3, UInt8(name.count)] + name + [high, low] as [UInt8])
        #expect(try readExactly(socket.number, 10).prefix(2) == [5, 0])
      case 4:
        try writeAll(socket.number, [4, 1, high, low, 127, 0, 0, 1, 0] as [UInt8])
        #expect(try readExactly(socket.number, 8).prefix(2) == [0, 90])
      default:
        try writeAll(
          socket.number,
          [4, 1, high, low, 0, 0, 0, 9, 117, 0] + Array("localhost".utf8) + [0] as [UInt8])
        #expect(try readExactly(socket.number, 8).prefix(2) == [0, 90])
      }
      try writeAll(socket.number, Array("through".utf8))
      shutdown(socket.number, Int32(SHUT_WR))
      #expect(try readToEnd(socket.number) == Array("through".utf8))
    }
  }

  @Test("-R brings the server's connections here", arguments: ["localhost", "127.0.0.1", nil])
  func remote(host: String?) async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let plan = ForwardingPlan(remote: [
      .init(.tcp(host: host, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(echo.port)))
    ])
    try await with(plan) { _ in
      let data = [UInt8](repeating: 9, count: 2_500_000)
      let received = try roundTrip(port, data)
      #expect(received == data)
      let second = try roundTrip(port, [1, 2, 3])
      #expect(second == [1, 2, 3])
    }
  }

  @Test("-R without a target is SOCKS for the other side")
  func remoteDynamic() async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let plan = ForwardingPlan(remote: [.init(.tcp(host: nil, port: Int(port)), to: .socks)])
    try await with(plan) { _ in
      let socket = try #require(connectBox(port))
      try writeAll(socket.number, [5, 1, 0] as [UInt8])
      #expect(try readExactly(socket.number, 2) == [5, 0])
      try writeAll(
        socket.number,
        [5, 1, 0, 1, 127, 0, 0, 1, UInt8(echo.port >> 8), UInt8(echo.port & 0xFF)] as [UInt8])
      #expect(try readExactly(socket.number, 10).prefix(2) == [5, 0])
      try writeAll(socket.number, Array("back".utf8))
      shutdown(socket.number, Int32(SHUT_WR))
      #expect(try readToEnd(socket.number) == Array("back".utf8))
    }
  }

  @Test(
    "PermitRemoteOpen: only where the user lets the other side go",
    arguments: [
      ("127.0.0.1", true, true), ("*", true, true), ("127.0.0.1", nil, true),
      ("localhost", true, false), ("127.0.0.1", false, false), (nil, nil, false),
    ] as [(String?, Bool?, Bool)])
  func permitted(host: String?, isPort: Bool?, isOpen: Bool) async throws {
    let port = try freePort()
    let echo = try EchoServer()
    var plan = ForwardingPlan(remote: [.init(.tcp(host: nil, port: Int(port)), to: .socks)])
    plan.permitted = host.map { host in
      [.init(host: host, port: isPort.map { Int(echo.port) + ($0 ? 0 : 1) })]
    }
    if host == nil { plan.permitted = [] }
    try await with(plan) { _ in
      let socket = try #require(connectBox(port))
      try writeAll(socket.number, [5, 1, 0] as [UInt8])
      #expect(try readExactly(socket.number, 2) == [5, 0])
      try writeAll(
        socket.number,
        [5, 1, 0, 1, 127, 0, 0, 1, UInt8(echo.port >> 8), UInt8(echo.port & 0xFF)] as [UInt8])
      #expect(try readExactly(socket.number, 10)[1] == (isOpen ? 0 : 5))
    }
  }

  @Test("Unix sockets at either end, as far as libssh2 can")
  func unixSockets() async throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    let echo = try EchoServer(path: "\(folder)/echo")
    let plan = ForwardingPlan(local: [
      .init(.socket("\(folder)/in"), to: .socket("\(folder)/echo"))
    ])
    try await with(plan) { _ in
      #expect(Files.kind(of: "\(folder)/in")?.mode == 0o600)
      let socket = try connectToUnixSocket("\(folder)/in")
      try writeAll(socket.number, Array("unix".utf8))
      shutdown(socket.number, Int32(SHUT_WR))
      var ready = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      _ = unsafe poll(&ready, 1, 20_000)
      #expect(try readSome(socket.number, limit: 10) == Array("unix".utf8))
    }
    #expect(Files.kind(of: "\(folder)/in") == nil)
    _ = echo
  }

  @Test("-A lets the other side use the agent")
  func agent() async throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    let agent = try Agent(folder: folder)
    try keygen("ed25519", to: "\(folder)/key")
    try agent.add("\(folder)/key")
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.login(key)
    let request = SessionRequest(
      .command(Array("ssh-add -l; ssh-add -l".utf8)), agentSocket: agent.socket)
    let result = try run(request, in: session)
    #expect(result.output.split(separator: "\n").count == 2)
    #expect(result.output.contains("key ed25519"))
  }

  @Test("without -A the other side has no agent")
  func noAgent() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let result = try execute("echo \"<$SSH_AUTH_SOCK>\"", in: try server.login(key))
    #expect(result.output == "<>\n")
  }

  @Test(
    "ExitOnForwardFailure ends the session, else it goes on with a warning",
    arguments: [true, false])
  func taken(fatal: Bool) throws {
    let taken = try EchoServer()
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    for isLocal in [true, false] {
      let forward = ForwardingPlan.Forward(
        .tcp(host: "127.0.0.1", port: Int(taken.port)), to: .tcp(host: "127.0.0.1", port: 9))
      let plan = ForwardingPlan(
        local: isLocal ? [forward] : [], remote: isLocal ? [] : [forward], failureIsFatal: fatal)
      let session = try server.login(key)
      let request = SessionRequest(.command(Array("exit 2".utf8)), forwarding: plan)
      if fatal {
        let failure = #expect(throws: Failure.self) { try run(request, in: session) }
        #expect(failure?.code == .forwardingFailed)
      } else {
        #expect(try run(request, in: session).ending == .exited(2))
      }
    }
  }

  @Test(
    "-N only forwards, answers the server's questions, and ends with the server",
    arguments: ["MaxSessions 10", "MaxSessions 0"])
  func noCommand(setting: String) async throws {
    let port = try freePort()
    let echo = try EchoServer()
    let server = try SSHServer(
      settings: [setting, "LogLevel DEBUG1", "ClientAliveInterval 1", "ClientAliveCountMax 60"])
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.login(key)
    let request = SessionRequest(
      .none,
      forwarding: ForwardingPlan(local: [
        .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(echo.port)))
      ]))
    async let failure = Blocking.run { () -> Failure? in
      do {
        _ = try session.run(request, streams: SessionStreams(input: nil, output: 1, error: 2))
        return nil
      } catch { return error as? Failure }
    }
    try await Blocking.run {
      let deadline = ContinuousClock.now + .seconds(60)
      while connectToLoopback(port) == nil, ContinuousClock.now < deadline { _ = poll(nil, 0, 5) }
      while !server.log.contains("for keepalive"), ContinuousClock.now < deadline {
        _ = poll(nil, 0, 50)
      }
      #expect(server.log.contains("for keepalive"))
      let received = try roundTrip(port, [1, 2, 3])
      #expect(received == [1, 2, 3])
      try runProgram("pkill", ["-KILL", "-P", String(server.process)])
    }
    #expect(await (try failure)?.code == .connectionLost)
  }

  // What a client may send and what must come of it.
  static let requests: [(bytes: [UInt8], hasGreeted: Bool, expected: SocksRequest.Progress)] = [
    ([], false, .needsMore(answer: [])),
    ([5], false, .needsMore(answer: [])),
    ([5, 1], false, .needsMore(answer: [])),
    ([5, 1, 0], false, .needsMore(answer: [5, 0])),
    ([5, 1, 0], true, .needsMore(answer: [])),
    ([5, 1, 2], false, .refuse(answer: [5, 0xFF])),
    ([5, 0], false, .refuse(answer: [5, 0xFF])),
    (
      [5, 1, 0, 5, 2, 0, 1, 1, 2, 3, 4, 0, 80], true,
      .refuse(answer: [5, 7, 0, 1, 0, 0, 0, 0, 0, 0])
    ),
    ([5, 1, 0, 5, 1, 0, 9, 1, 2], true, .refuse(answer: [5, 8, 0, 1, 0, 0, 0, 0, 0, 0])),
    (
      [5, 1, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80], true,
      .connect(SocksRequest(version: 5, host: "1.2.3.4", port: 80), used: 13, answer: [])
    ),
    (
      [5, 1, 0, 5, 1, 0, 3, 1, 97, 1, 0], true,
      .connect(SocksRequest(version: 5, host: "a", port: 256), used: 11, answer: [])
    ),
    (
      [5, 1, 0, 5, 1, 0, 3, 0, 1, 0], true,
      .refuse(answer: [5, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    ),
    (
      [5, 1, 0, 5, 1, 0, 4] + [UInt8](repeating: 0, count: 15) + [1, 0, 22], true,
      .connect(SocksRequest(version: 5, host: "0:0:0:0:0:0:0:1", port: 22), used: 25, answer: [])
    ),
    (
      [4, 1, 0, 80, 1, 2, 3, 4, 0], false,
      .connect(SocksRequest(version: 4, host: "1.2.3.4", port: 80), used: 9, answer: [])
    ),
    (
      [4, 1, 0, 80, 0, 0, 0, 1, 0, 97, 0], false,
      .connect(SocksRequest(version: 4, host: "a", port: 80), used: 11, answer: [])
    ),
    ([4, 2, 0, 80, 1, 2, 3, 4, 0], false, .refuse(answer: [0, 91, 0, 0, 0, 0, 0, 0])),
    ([71, 69, 84, 32], false, .refuse(answer: [])),
  ]

  @Test("SOCKS requests, whole and in parts and wrong", arguments: requests.indices)
  func socks(index: Int) {
    let row = Self.requests[index]
    #expect(SocksRequest.parse(row.bytes, hasGreeted: row.hasGreeted) == row.expected)
  }
}

/// Sends all, then the end, and reads to the other side's end, both at once.
private func roundTrip(_ port: UInt16, _ data: [UInt8]) throws -> [UInt8] {
  let socket = try #require(connectBox(port))
  let number = socket.number
  startThread {
    try? writeAll(number, data)
    shutdown(number, Int32(SHUT_WR))
  }
  return try readToEnd(number)
}

func connectBox(_ port: UInt16) -> FileDescriptorBox? {
  guard let socket = connectToLoopback(port) else { return nil }
  return FileDescriptorBox(socket)
}

private func readToEnd(_ socket: Int32) throws -> [UInt8] {
  var bytes: [UInt8] = []
  while true {
    let chunk = try readSome(socket, limit: 1 << 16)
    if chunk.isEmpty { return bytes }
    bytes += chunk
  }
}

private func readExactly(_ socket: Int32, _ count: Int) throws -> [UInt8] {
  var bytes: [UInt8] = []
  while bytes.count < count {
    let chunk = try readSome(socket, limit: count - bytes.count)
    if chunk.isEmpty { throw TestProblem("ended after \(bytes)") }
    bytes += chunk
  }
  return bytes
}
