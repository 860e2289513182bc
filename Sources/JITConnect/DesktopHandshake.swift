import Platform
import RDP

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What an RDP server shows of itself before anybody signs in.
enum DesktopSight: Sendable, Equatable {
  case certificate(RDPCertificate)
  /// The server shows none, and why.
  case nothing(String)
}

/// Looks at the server's certificate on a connection whose X.224 answer has come; then hangs up.
enum DesktopHandshake {
  /// How long the server may take for the whole of it.
  private static let limit = Duration.seconds(10)

  /// Blocks for as long as the server takes.
  ///
  /// - Throws: `protocol-failed` where TLS was agreed on and does not come about.
  static func look(over connection: AnsweringConnection) throws(Failure) -> DesktopSight {
    guard let socket = connection.takeSocket() else { throw brokenOff("the connection is gone") }
    var probe = RDPProbe()
    switch probe.receive(connection.received) {
    case .negotiated(let chosen) where chosen.beginsWithTLS: break
    case .negotiated, .standard: return .nothing("it uses RDP's own encryption, without TLS")
    case .refused(let refusal): return .nothing(refusal.description)
    case .hungUp: return .nothing("it refuses every way that is offered")
    case .closed, .notRDP, nil: return .nothing("its answer is not understood")
    }
    setNonBlocking(socket.number, true)
    let deadline = ContinuousClock.now + limit
    var handshake = try TLSHandshake()
    var received: [UInt8] = []
    while true {
      let (toSend, certificate) = try handshake.advance(received)
      do {
        try writeAll(socket.number, toSend)
      } catch {
        throw brokenOff(error.description)
      }
      if let certificate { return .certificate(certificate) }
      received = try read(socket.number, until: deadline)
    }
  }

  private static func read(
    _ socket: Int32, until deadline: ContinuousClock.Instant
  ) throws(Failure) -> [UInt8] {
    while true {
      var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let left = max(deadline - .now, .zero)
      guard unsafe poll(&ready, 1, left.pollMilliseconds) > 0 else {
        if errno == EINTR, left > .zero { continue }
        throw brokenOff("no answer within \(limit.components.seconds) seconds")
      }
      do throws(SystemError) {
        let bytes = try readSome(socket, limit: 16 << 10)
        guard !bytes.isEmpty else { throw SystemError(ECONNRESET) }
        return bytes
      } catch {
        guard error.number == EAGAIN else { throw brokenOff(error.description) }
      }
    }
  }

  private static func brokenOff(_ why: String) -> Failure {
    Failure(
      .protocolFailed, what: "the RDP server broke off while it showed its certificate", why: why,
      next: "try again in a minute: the service may be starting")
  }
}
