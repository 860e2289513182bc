import Platform
import Synchronization
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct SessionTests {
  private func login(settings: [String] = []) throws -> (SSHServer, SSHSession) {
    let server = try SSHServer(settings: settings)
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    return (server, try server.login(key))
  }

  @Test(
    "a command's end is its status, or 255 for a signal",
    arguments: [
      ("exit 0", Ending.exited(0), 0), ("exit 1", .exited(1), 1), ("exit 255", .exited(255), 255),
      ("kill -TERM $$", .signalled("TERM"), 255), ("kill -KILL $$", .signalled("KILL"), 255),
    ] as [(String, Ending, Int32)])
  func endings(command: String, ending: Ending, status: Int32) throws {
    let (server, session) = try login()
    let result = try execute(command, in: session)
    #expect(result.ending == ending)
    #expect(result.ending.status == status)
    _ = server
  }

  @Test("both streams arrive whole, also when each is far larger than the window")
  func bothStreams() throws {
    let (server, session) = try login()
    let result = try execute(
      "head -c 20000000 /dev/zero >&2; head -c 20000000 /dev/zero; echo end; echo fin >&2",
      in: session)
    #expect(result.outputBytes.count == 20_000_004)
    #expect(result.errorBytes.count == 20_000_004)
    #expect(result.ending == .exited(0))
    _ = server
  }

  @Test("no byte of a short command is lost, in any of fifty runs on one server")
  func shortCommands() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    for count in 0..<50 {
      let session = try server.login(key)
      let result = try execute("head -c \(count * 1000) /dev/zero; exit \(count)", in: session)
      #expect(result.outputBytes.count == count * 1000)
      #expect(result.ending == .exited(Int32(count)))
    }
  }

  @Test("64 MiB go both ways unchanged while the server rekeys every mebibyte")
  func largeBothWays() throws {
    let (server, session) = try login(settings: ["RekeyLimit 1M"])
    var generator = SeededGenerator(seed: 1)
    var input: [UInt8] = []
    input.reserveCapacity(64 << 20)
    while input.count < 64 << 20 {
      let word = generator.next()
      for shift in 0..<8 { input.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
    }
    let result = try execute("cat", in: session, input: input)
    #expect(result.outputBytes == input)
    #expect(result.ending == .exited(0))
    _ = server
  }

  @Test("the end of the input reaches the command, which may still answer")
  func halfClosed() throws {
    let (server, session) = try login()
    let result = try execute("cat; echo rest", in: session, input: Array("in\n".utf8))
    #expect(result.output == "in\nrest\n")
    _ = server
  }

  @Test("variables that the server accepts are set, and a refused one harms nothing")
  func environment() throws {
    let (server, session) = try login()
    var request = SessionRequest(.command(Array("echo $JIT_TEST-$NOT_THIS".utf8)))
    request.environment = [("NOT_THIS", "no"), ("JIT_TEST", "yes")]
    #expect(try run(request, in: session, disconnects: false).output == "yes-\n")
    // The last one shares its round trip with the command: the refusal is not the command's.
    request.environment.reverse()
    #expect(try run(request, in: session).output == "yes-\n")
    _ = server
  }

  @Test("a server killed in the middle is a lost connection, never status 0")
  func killedServer() throws {
    let (server, session) = try login()
    let failure = #expect(throws: Failure.self) {
      _ = try execute("echo before; kill -9 $PPID; sleep 5", in: session)
    }
    #expect(failure?.code == .connectionLost)
    _ = server
  }

  @Test("what came before the connection broke is still delivered")
  func outputBeforeBreak() throws {
    let (server, session) = try login()
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    let output = FileDescriptor(
      owning: unsafe open("\(folder)/out", O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
    let command = "head -c 100000 /dev/zero; sleep 0.2; kill -9 $PPID; sleep 5"
    #expect(throws: Failure.self) {
      _ = try session.run(
        SessionRequest(.command(Array(command.utf8))),
        streams: SessionStreams(input: nil, output: output.number, error: output.number))
    }
    #expect(try Files.read("\(folder)/out").count == 100_000)
    _ = server
  }

  @Test("a channel that the server closes without a status is no success")
  func noStatus() throws {
    let (server, session) = try login(settings: ["ChannelTimeout session:command=1s"])
    let result = try execute("echo before; exec sleep 60", in: session)
    #expect(result.output == "before\n")
    #expect(result.ending == .noStatus)
    #expect(result.ending.status == 255)
    _ = server
  }

  @Test("a reader that goes away ends a command that would write for ever")
  func closedOutput() throws {
    let (server, session) = try login()
    let pipe = try makePipe()
    close(pipe.read)
    let output = FileDescriptor(owning: pipe.write)
    let ending = try session.run(
      SessionRequest(.command(Array("yes".utf8))),
      streams: SessionStreams(input: nil, output: output.number, error: output.number))
    #expect(ending.status == 255)
    session.disconnect()
    _ = server
  }

  @Test("a reader that goes away does not change the status of a command that ends by itself")
  func closedOutputShort() throws {
    let (server, session) = try login()
    let pipe = try makePipe()
    close(pipe.read)
    let output = FileDescriptor(owning: pipe.write)
    let ending = try session.run(
      SessionRequest(.command(Array("head -c 300000 /dev/zero; exit 7".utf8))),
      streams: SessionStreams(input: nil, output: output.number, error: output.number))
    #expect(ending == .exited(7))
    session.disconnect()
    _ = server
  }

  @Test("a slow reader of a pipe gets everything, and the pipe stays as it was")
  func slowReader() async throws {
    let (server, session) = try login()
    let pipe = try makePipe()
    let flags = fcntl(pipe.write, F_GETFL)
    async let ending = Blocking.run {
      defer { close(pipe.write) }
      return try session.run(
        SessionRequest(.command(Array("head -c 5000000 /dev/zero".utf8))),
        streams: SessionStreams(input: nil, output: pipe.write, error: 2))
    }
    let total = try await Blocking.run { () -> Int in
      var total = 0
      while true {
        let chunk = try readSome(pipe.read, limit: 10_000)
        if total == 0 { #expect(fcntl(pipe.write, F_GETFL) == flags) }
        if chunk.isEmpty { return total }
        total += chunk.count
      }
    }
    #expect(total == 5_000_000)
    #expect(try await ending == .exited(0))
    close(pipe.read)
    session.disconnect()
    _ = server
  }

  @Test("a subsystem speaks on the standard streams")
  func subsystem() async throws {
    let (server, session) = try login()
    let input = try makePipe()
    let output = try makePipe()
    async let ending = Blocking.run {
      defer { close(output.write) }
      return try session.run(
        SessionRequest(.subsystem("sftp")),
        streams: SessionStreams(input: input.read, output: output.write, error: 2))
    }
    let answer = try await Blocking.run { () -> [UInt8] in
      // SSH_FXP_INIT, version 3; the answer is SSH_FXP_VERSION.
      try writeAll(input.write, [0, 0, 0, 5, 1, 0, 0, 0, 3] as [UInt8])
      let answer = try readSome(output.read, limit: 1000)
      close(input.write)
      return answer
    }
    #expect(answer.dropFirst(4).first == 2)
    #expect(try await ending == .exited(0))
    close(output.read)
    close(input.read)
    _ = server
  }

  @Test("an unknown subsystem is refused in words")
  func unknownSubsystem() throws {
    let (server, session) = try login()
    let failure = #expect(throws: Failure.self) {
      _ = try run(SessionRequest(.subsystem("nonsense")), in: session)
    }
    #expect(failure?.what == "subsystem request failed on channel 0")
    _ = server
  }

  @Test("-W joins the standard streams with a connection from the server")
  func standardForward() throws {
    let (server, session) = try login()
    let result = try run(
      SessionRequest(.forward(host: "127.0.0.1", port: Int(server.port))), in: session,
      input: Array("no ssh\r\n".utf8))
    #expect(result.output.hasPrefix("SSH-2.0-OpenSSH"))
    #expect(result.ending == .finished)
  }

  @Test("a remote terminal has the local one's size and settings")
  func terminalSize() throws {
    let (server, session) = try login()
    var request = SessionRequest(.command(Array("stty size; stty -a; echo $TERM".utf8)))
    request.terminal = .init(
      name: "vt220", settings: nil, size: TerminalSize(columns: 101, rows: 37))
    let result = try run(request, in: session)
    #expect(result.output.hasPrefix("37 101\r\n"))
    #expect(result.output.hasSuffix("vt220\r\n"))
    _ = server
  }

  @Test("a server that answers nothing ends the handshake at its deadline")
  func handshakeDeadline() throws {
    let pair = try socketPair()
    let other = FileDescriptor(owning: pair.1)
    let session = try SSHSession(
      socket: FileDescriptor(owning: pair.0),
      peer: .init(name: "silent", address: "192.0.2.1", port: 22))
    let failure = #expect(throws: Failure.self) {
      _ = try session.handshake(deadline: .now + .milliseconds(50))
    }
    #expect(failure?.code == .connectionLost)
    _ = other.number
  }

  @Test(
    "what is no SSH server is told so",
    arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n", "", "\u{0}\u{0}"])
  func noServer(bytes: String) throws {
    let pair = try socketPair()
    try writeAll(pair.1, Array(bytes.utf8))
    close(pair.1)
    let session = try SSHSession(
      socket: FileDescriptor(owning: pair.0),
      peer: .init(name: "other", address: "192.0.2.1", port: 22))
    let failure = #expect(throws: Failure.self) {
      _ = try session.handshake(deadline: .now + .seconds(20))
    }
    #expect(failure?.code == .connectionLost || failure?.code == .protocolFailed)
  }

  @Test("a banner that was read before belongs to the session")
  func bannerReadBefore() throws {
    let server = try SSHServer()
    let socket = try server.connect()
    let received = try readSome(socket.number, limit: 10)
    let session = try SSHSession(
      socket: socket, received: received,
      peer: .init(name: "h", address: "127.0.0.1", port: Int(server.port)))
    #expect(try session.handshake().type == "ssh-ed25519")
    #expect(session.serverBanner.hasPrefix("SSH-2.0-OpenSSH"))
  }

  @Test(
    "each cipher, MAC and key exchange that is offered works",
    arguments: AlgorithmPreferences.defaultCiphers + AlgorithmPreferences.defaultMACs
      + AlgorithmPreferences.defaultKeyExchange)
  func algorithms(name: String) throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    var algorithms = AlgorithmPreferences()
    if algorithms.ciphers.contains(name) { algorithms.ciphers = [name] }
    if algorithms.macs.contains(name) { algorithms.macs = [name] }
    if algorithms.keyExchange.contains(name) { algorithms.keyExchange = [name] }
    let session = try server.session()
    _ = try session.handshake(algorithms)
    try session.authenticate(server.plan(key), prompts: .impossible)
    #expect(try execute("echo ok", in: session).output == "ok\n")
  }

  @Test(
    "where no algorithm is shared, the failure says which and what the server offers",
    arguments: [
      ("Ciphers aes192-cbc", "cipher", "aes192-cbc"), ("MACs hmac-sha1", "MAC", "hmac-sha1"),
      (
        "KexAlgorithms diffie-hellman-group14-sha1", "key exchange method",
        "diffie-hellman-group14-sha1"
      ),
    ])
  func noSharedAlgorithm(setting: String, kind: String, offer: String) throws {
    let server = try SSHServer(settings: [setting])
    let session = try server.session()
    var algorithms = AlgorithmPreferences()
    algorithms.ciphers = ["aes128-ctr"]
    let failure = #expect(throws: Failure.self) { try session.handshake(algorithms) }
    #expect(failure?.what.hasSuffix("no matching \(kind) found") == true)
    #expect(failure?.why?.contains(offer) == true)
    _ = server
  }

  @Test("with libssh2 1.11.1 everything of our own order is offered")
  func offered() {
    #expect(!SSHLibrary.canUseRSA || SSHLibrary.algorithms == AlgorithmPreferences())
  }

  @Test("another host key at a key exchange in the middle ends the session")
  func changedHostKey() throws {
    // The server has two keys and shows the one that the client prefers at that moment.
    let server = try SSHServer(hostKeys: ["ed25519", "ecdsa"], settings: ["RekeyLimit 1M"])
    let keys = try ["ed25519", "ecdsa"].map {
      HostKey(blob: try #require(PublicKeyLine(file: "\(server.folder)/host_\($0).pub")).blob)
    }
    let own = try server.makeKey("ed25519")
    try server.authorize(own)
    let session = try server.session()
    #expect(try session.handshake(deadline: .now + .seconds(30)) == keys[0])
    try session.authenticate(server.plan(own), prompts: .impossible)
    try session.handle.prefer("ecdsa-sha2-nistp256", for: .hostKey)
    let failure = #expect(throws: Failure.self) {
      _ = try execute("head -c 100000000 /dev/zero", in: session)
    }
    #expect(failure?.code == .hostKeyChanged)
    #expect(failure?.why?.contains(keys[0].fingerprint) == true)
    #expect(failure?.why?.contains(keys[1].fingerprint) == true)
  }

  @Test("libssh2 cannot use a host certificate, so none is asked for")
  func hostCertificate() throws {
    let server = try SSHServer(hostKeys: ["ed25519", "ecdsa", "rsa"], isCertified: true)
    let line = try #require(PublicKeyLine(file: "\(server.folder)/host_ed25519.pub"))
    #expect(try server.session().handshake().blob == line.blob)
    #expect(!AlgorithmPreferences().hostKeys.contains { $0.contains("cert") })
    // Where this no longer fails, certificates can be built: HostTrust judges keys alone.
    var algorithms = AlgorithmPreferences()
    algorithms.hostKeys = ["ssh-ed25519-cert-v01@openssh.com"]
    #expect(throws: Failure.self) { try server.session().handshake(algorithms) }
  }

  @Test("host keys of each kind, the pinned one first", arguments: ["ed25519", "ecdsa", "rsa"])
  func hostKeys(kind: String) throws {
    let server = try SSHServer(hostKeys: ["ed25519", "ecdsa", "rsa"])
    let line = try #require(PublicKeyLine(file: "\(server.folder)/host_\(kind).pub"))
    var algorithms = AlgorithmPreferences()
    algorithms.putFirst(keyTypes: [line.type])
    let key = try server.session().handshake(algorithms)
    #expect(key.blob == line.blob)
  }
}

func socketPair() throws -> (Int32, Int32) {
  var ends: (Int32, Int32) = (-1, -1)
  let result = unsafe withUnsafeMutablePointer(to: &ends) {
    unsafe $0.withMemoryRebound(to: Int32.self, capacity: 2) {
      unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0)
    }
  }
  guard result == 0 else { throw SystemError.last }
  closeOnExec(ends.0)
  closeOnExec(ends.1)
  return ends
}
