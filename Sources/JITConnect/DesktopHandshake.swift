import Platform
import RDP

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Looks at the server's certificate on a connection whose X.224 answer has come; then hangs up.
enum DesktopHandshake {
  /// How long the server may take for the whole of it.
  private static let limit = Duration.seconds(10)

  /// The longest chain of certificates is far shorter.
  private static let mostReceived = 256 << 10

  /// Blocks for as long as the server takes, or until `flag` is set.
  ///
  /// - Throws: `protocol-failed` where TLS was agreed on and does not come about.
  static func look(
    over connection: AnsweringConnection, limit: Duration = limit, flag: CancellationFlag
  ) throws(Failure) -> DesktopSight {
    guard let socket = connection.takeSocket() else { throw brokenOff("the connection is gone") }
    var probe = RDPProbe()
    let chosen: RDPProbe.SecurityProtocol
    switch probe.receive(connection.received) {
    case .negotiated(let way) where way.beginsWithTLS: chosen = way
    case .negotiated, .standard: return .nothing("it uses RDP's own encryption, without TLS")
    case .refused(let refusal): return .nothing(refusal.description)
    case .hungUp: return .nothing("it refuses every way that is offered")
    case .closed, .notRDP, nil: return .nothing("its answer is not understood")
    }
    setNonBlocking(socket.number, true)
    let wait = Wait(deadline: .now + limit, limit: limit, flag: flag)
    var handshake = try TLSHandshake()
    var received: [UInt8] = []
    var count = 0
    while true {
      let (toSend, certificate) = try handshake.advance(received)
      if let certificate { return .certificate(certificate, chosen) }
      try write(toSend, to: socket.number, wait)
      received = try read(socket.number, wait)
      count += received.count
      guard count <= mostReceived else { throw brokenOff("it sends without end") }
    }
  }

  private static func write(_ bytes: [UInt8], to socket: Int32, _ wait: Wait) throws(Failure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      try wait.until(POLLOUT, on: socket)
      let count = unsafe rest.withUnsafeBytes {
        unsafe send(socket, $0.baseAddress, $0.count, 0)
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if ![EAGAIN, EINTR].contains(errno) {
        throw brokenOff(SystemError.last.description)
      }
    }
  }

  private static func read(_ socket: Int32, _ wait: Wait) throws(Failure) -> [UInt8] {
    while true {
      try wait.until(POLLIN, on: socket)
      do throws(SystemError) {
        let bytes = try readSome(socket, limit: 16 << 10)
        guard !bytes.isEmpty else { throw SystemError(ECONNRESET) }
        return bytes
      } catch {
        guard error.number == EAGAIN else { throw brokenOff(error.description) }
      }
    }
  }

  /// The patience for all of it.
  private struct Wait {
    var deadline: ContinuousClock.Instant
    var limit: Duration
    var flag: CancellationFlag

    func until(_ event: some BinaryInteger, on socket: Int32) throws(Failure) {
      while true {
        if flag.isCancelled { throw Failure(.interrupted, what: "interrupted") }
        // Before anything is read: a server that never stops sending has no more time than another.
        let left = deadline - .now
        guard left > .zero else {
          throw brokenOff("it took longer than \(limit.components.seconds) seconds")
        }
        var ready = pollfd(fd: socket, events: Int16(event), revents: 0)
        if unsafe poll(&ready, 1, min(left, .milliseconds(100)).pollMilliseconds) > 0 { return }
      }
    }
  }

  private static func brokenOff(_ why: String) -> Failure {
    Failure(
      .protocolFailed, what: "the RDP server broke off while it showed its certificate", why: why,
      next: "try again in a minute: the service may be starting")
  }
}
