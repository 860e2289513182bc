import Platform
import Testing

@testable import JITConnect

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct DesktopHandshakeTests {
  /// The server's end, closed with its owner.
  private final class Peer: Sendable {
    let number: Int32
    init(number: Int32) { self.number = number }
    deinit { close(number) }
  }

  /// A connection on which the server has chosen TLS and has sent more than that.
  private func connection() throws -> (AnsweringConnection, peer: Peer) {
    var ends: [Int32] = [-1, -1]
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    _ = try valueOrSystemError { unsafe socketpair(AF_UNIX, kind, 0, &ends) }
    let peer = Peer(number: ends[1])
    // The head of a TLS record whose rest is still to come.
    try writeAll(peer.number, [0x16, 3, 3, 0x40, 0])
    let confirm: [UInt8] = [
      3, 0, 0, 0x13, 0x0E, 0xD0, 0, 0, 0x12, 0x34, 0, 2, 0x1F, 8, 0, 1, 0, 0, 0,
    ]
    let connection = AnsweringConnection(
      socket: FileDescriptor(owning: ends[0]), received: confirm, address: nil)
    return (connection, peer)
  }

  @Test("a server that always has something to send gets no more time than another")
  func limit() throws {
    let (connection, peer) = try connection()
    let failure = #expect(throws: Failure.self) {
      try DesktopHandshake.look(over: connection, limit: .zero, flag: CancellationFlag())
    }
    #expect(failure?.code == .protocolFailed)
    #expect(failure?.why?.contains("longer than") == true)
    withExtendedLifetime(peer) {}
  }

  @Test("whoever is told to stop does not wait for the server")
  func cancelled() throws {
    let (connection, peer) = try connection()
    let flag = CancellationFlag()
    flag.cancel()
    let failure = #expect(throws: Failure.self) {
      try DesktopHandshake.look(over: connection, flag: flag)
    }
    #expect(failure?.code == .interrupted)
    withExtendedLifetime(peer) {}
  }
}
