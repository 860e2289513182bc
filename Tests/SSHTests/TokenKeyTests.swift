import Platform
import Synchronization
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Keys on a FIDO token, which an agent holds and a person touches.
@Suite struct TokenKeyTests {
  @Test("a key on a token logs in through the agent", arguments: ["ed25519-sk", "ecdsa-sk"])
  func tokenKey(kind: String) throws {
    let server = try SSHServer()
    let token = try TokenAgent(kind: kind, folder: server.folder)
    try write(
      "\(token.line)\n", to: "\(server.folder)/authorized_keys")
    let session = try server.session()
    _ = try session.handshake(deadline: .now + .seconds(30))
    let plan = AuthenticationPlan(user: server.user, agentSocket: token.socket)
    try session.authenticate(plan, prompts: .impossible)
    #expect(try execute("exit 3", in: session).ending == .exited(3))
    #expect(token.count == 1)
  }
}

/// An agent with one key of a token that is always touched: what a token signs is the hash of the
/// application, a byte of flags, a counter, and the hash of the data (PROTOCOL.u2f). The curve's
/// own work is left to openssl's program.
private final class TokenAgent: Sendable {
  let socket: String
  /// For authorized_keys.
  let line: String
  private let blob: [UInt8]
  private let type: String
  private let key: String
  private let listener: Int32
  private let signatures = Atomic(0)
  private static let application = "ssh:test"

  var count: Int { signatures.load(ordering: .relaxed) }

  init(kind: String, folder: String) throws {
    socket = "\(folder)/token"
    key = "\(folder)/token.pem"
    let isEd25519 = kind == "ed25519-sk"
    type = isEd25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com"
    try runProgram(
      "openssl",
      isEd25519
        ? ["genpkey", "-algorithm", "ed25519", "-out", key]
        : ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key])
    let der = "\(folder)/token.der"
    try runProgram("openssl", ["pkey", "-in", key, "-pubout", "-outform", "DER", "-out", der])
    // The public key's own bytes stand at the end.
    let point = Array(try Files.read(der).suffix(isEd25519 ? 32 : 65))
    var writer = WireWriter()
    writer.string(type)
    if !isEd25519 { writer.string("nistp256") }
    writer.string(point)
    writer.string(Self.application)
    blob = writer.bytes
    line = "\(type) \(Base64.encode(blob))"
    let box = try LocalSockets.listen(path: socket, unlinks: false, mask: 0o177)
    listener = withExtendedLifetime(box) { dup(box.number) }
    startThread { [weak self, number = listener] in
      while true {
        var ready = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&ready, 1, -1)
        guard ready.revents & Int16(POLLHUP | POLLNVAL) == 0, let self,
          let client = try? LocalSockets.accept(number)
        else { return }
        while let answer = try? self.answer(client.number) {
          guard (try? writeAll(client.number, answer)) != nil else { break }
        }
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private func answer(_ client: Int32) throws -> [UInt8] {
    var request: [UInt8] = []
    while true {
      var ready = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
      _ = unsafe poll(&ready, 1, 60_000)
      let bytes = try readSome(client, limit: 1 << 16)
      if bytes.isEmpty { throw TestProblem("closed") }
      request += bytes
      var reader = WireReader(request)
      if let message = reader.string() {
        var framed = WireWriter()
        framed.string(try reply(to: message))
        return framed.bytes
      }
    }
  }

  private func reply(to message: [UInt8]) throws -> [UInt8] {
    var reader = WireReader(message)
    var writer = WireWriter()
    switch reader.byte() {
    case 11:
      writer.byte(12)
      writer.uint32(1)
      writer.string(blob)
      writer.string("token")
    case 13:
      guard reader.string() == blob, let data = reader.string() else {
        throw TestProblem("another key")
      }
      writer.byte(14)
      writer.string(try signature(of: data))
      signatures.add(1, ordering: .relaxed)
    default: writer.byte(5)
    }
    return writer.bytes
  }

  private func signature(of data: [UInt8]) throws -> [UInt8] {
    // Touched; the fifth time.
    let (flags, counter): (UInt8, [UInt8]) = (1, [0, 0, 0, 5])
    let signed =
      Digest.sha256(Array(Self.application.utf8)) + [flags] + counter + Digest.sha256(data)
    let (input, output) = (key + ".data", key + ".signature")
    try Files.replace(input, with: signed)
    let isEd25519 = type.contains("ed25519")
    try runProgram(
      "openssl",
      isEd25519
        ? ["pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", input, "-out", output]
        : ["dgst", "-sha256", "-sign", key, "-out", output, input])
    let raw = Array(try Files.read(output))
    var writer = WireWriter()
    writer.string(type)
    writer.string(isEd25519 ? raw : try Self.numbers(in: raw))
    writer.byte(flags)
    for byte in counter { writer.byte(byte) }
    return writer.bytes
  }

  /// The two numbers of a DER signature as SSH writes them.
  private static func numbers(in der: [UInt8]) throws -> [UInt8] {
    var rest = der.dropFirst(2)
    var writer = WireWriter()
    for _ in 0..<2 {
      guard rest.popFirst() == 2, let length = rest.popFirst(), rest.count >= Int(length) else {
        throw TestProblem("no DER signature")
      }
      writer.string(rest.prefix(Int(length)))
      rest = rest.dropFirst(Int(length))
    }
    return writer.bytes
  }
}
