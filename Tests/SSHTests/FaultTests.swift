import Platform
import Testing

@testable import SSH

/// The stream between libssh2 and the server in odd pieces: single bytes, stalls, short writes.
@Suite struct FaultTests {
  /// What happens to one receive or send.
  private static func limits(_ seed: UInt64) -> () -> Int {
    var generator = SeededGenerator(seed: seed)
    // Some seeds are made of single bytes, some of stalls, some of both.
    let (small, stalls) = (Int(seed % 4), Int(seed / 4 % 4))
    return {
      if Int.random(in: 0..<8, using: &generator) < stalls { return 0 }
      switch small {
      case 0: return 1
      case 1: return Int.random(in: 1...20, using: &generator)
      case 2: return Int.random(in: 1...5000, using: &generator)
      default: return Bool.random(using: &generator) ? 1 : 100_000
      }
    }
  }

  private static func inject(_ seed: UInt64, into session: SSHSession) {
    session.context.receiveLimit = limits(seed)
    session.context.sendLimit = limits(seed &+ 0x5EED)
  }

  @Test("a whole login in odd pieces", arguments: 0..<64 as Range<UInt64>)
  func login(seed: UInt64) async throws { try await Blocking.run { try Self.tryLogin(seed) } }

  private static func tryLogin(_ seed: UInt64) throws {
    let server = try Self.server.get()
    let session = try server.session()
    Self.inject(seed, into: session)
    _ = try session.handshake(deadline: .now + .seconds(60))
    try session.authenticate(server.plan(server.folder + "/id_ed25519"), prompts: .impossible)
    #expect(try execute("exit \(seed)", in: session).ending == .exited(Int32(seed)))
  }

  // Fifty connections of twenty commands: a seed for each command.
  @Test(
    "a thousand seeds: both directions, rekeyed in the middle, nothing lost and nothing stuck",
    .timeLimit(.minutes(5)), arguments: 0..<50 as Range<UInt64>)
  func bothDirections(group: UInt64) async throws {
    // Most of the time goes to waiting for the server: all groups side by side.
    try await Blocking.run { try Self.tryBothDirections(group) }
  }

  private static func tryBothDirections(_ group: UInt64) throws {
    let server = try Self.server.get()
    let session = try server.login(server.folder + "/id_ed25519")
    for seed in group * 20..<(group + 1) * 20 {
      Self.inject(seed, into: session)
      var generator = SeededGenerator(seed: seed)
      // Single bytes are slow; a few rekeys need no more than this.
      let count = Int.random(in: 0...(seed % 4 == 0 ? 2_000 : 9_000), using: &generator)
      let input = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(seed)) }
      let request = SessionRequest(.command(Array("cat; exit \(seed % 200)".utf8)))
      let result = try run(request, in: session, input: input, disconnects: false)
      #expect(result.outputBytes == input, "seed \(seed)")
      #expect(result.ending == .exited(Int32(seed % 200)), "seed \(seed)")
    }
    session.disconnect()
  }

  @Test("a server killed in odd pieces is 255, never a status", arguments: 0..<32 as Range<UInt64>)
  func killed(seed: UInt64) async throws { try await Blocking.run { try Self.tryKilled(seed) } }

  private static func tryKilled(_ seed: UInt64) throws {
    let server = try Self.server.get()
    let session = try server.login(server.folder + "/id_ed25519")
    Self.inject(seed, into: session)
    let failure = #expect(throws: Failure.self) {
      _ = try execute("head -c 20000 /dev/zero; kill -9 $PPID; sleep 9", in: session)
    }
    #expect(failure?.code == .connectionLost)
  }

  /// One server for all: the least limit makes it rekey every few packets.
  private static let server = Result {
    let server = try SSHServer(
      settings: ["RekeyLimit 4K", "MaxStartups 100:30:200"], lifetime: .seconds(900))
    try server.authorize(try server.makeKey("ed25519"))
    return server
  }
}
