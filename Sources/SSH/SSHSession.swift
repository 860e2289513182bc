import CLibSSH2
package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A connection to an SSH server, from the first byte to the last.
///
/// The phases follow one another: ``handshake(_:deadline:)``, the caller's decision about the host
/// key, ``authenticate(_:prompts:)``, ``run(_:streams:)``, ``disconnect()``. Each is one blocking
/// call, to be made from a thread that may block; the caller may look around between them.
///
/// Sendable in the sense of being handed on: the phases may be called from different threads one
/// after the other, never at the same time. libssh2 does not care which thread calls it.
package final class SSHSession: @unchecked Sendable {
  /// Who is spoken to, for messages.
  package struct Peer: Sendable {
    /// The name as the user typed it.
    package var name: String
    /// The address connected to.
    package var address: String
    package var port: Int

    package init(name: String, address: String, port: Int) {
      self.name = name
      self.address = address
      self.port = port
    }
  }

  package let peer: Peer
  package let log: SSHLog
  private let socket: FileDescriptor
  let context: SessionContext
  var handle: SessionHandle
  /// The key that the rest of the session must keep.
  private var acceptedKey: HostKey?
  /// For connections to agents; nil before the key exchange.
  private(set) var binding: SessionBinding?
  /// Bytes received from the socket in all, which is how a silent peer is noticed.
  private(set) var receivedCount = 0
  private(set) var sentCount = 0
  /// How long the key exchange took: at least one round trip, also through proxies, which hide
  /// the way behind them from the system's own figure.
  private(set) var handshakeTime: Duration?
  /// The server's first bytes, until the key exchange is done.
  private var opening: [UInt8]? = []

  /// What one look at the socket takes in at most.
  private static let incomingLimit = 256 << 10
  /// Above this much unsent, nothing more is given to libssh2.
  static let outgoingLimit = 256 << 10
  /// Unsent bytes are written at this many, not only when everything has been looked after: later
  /// would make uploads run in lock-step.
  static let flushThreshold = 128 << 10

  /// Takes over a connected socket.
  ///
  /// - Parameter received: what has already been read from it: the server's banner, when the
  ///   readiness probe waited for that.
  /// - Parameter keepsAlive: `TCPKeepAlive`.
  package init(
    socket: consuming FileDescriptor, received: [UInt8] = [], peer: Peer, log: SSHLog = SSHLog(),
    keepsAlive: Bool = true
  ) throws(Failure) {
    self.peer = peer
    self.log = log
    context = SessionContext()
    context.incoming.append(received)
    receivedCount = received.count
    opening = received
    do {
      handle = try SessionHandle(context: context)
    } catch {
      throw Failure(
        .systemFailed, what: "the SSH library cannot start", why: error.message,
        cause: .libssh2(error.code))
    }
    prepare(socket.number, keepsAlive: keepsAlive)
    self.socket = socket
  }

  /// The descriptor of the connection, for options that a caller sets on it.
  package var socketNumber: Int32 { socket.number }

  // MARK: Phases

  /// Banner and key exchange.
  ///
  /// - Returns: the server's key, which nobody has judged yet. Nothing of the user has been sent.
  package func handshake(
    _ algorithms: AlgorithmPreferences = AlgorithmPreferences(),
    deadline: ContinuousClock.Instant? = nil
  ) throws(Failure) -> HostKey {
    log.debug1("Local version string SSH-2.0-libssh2_\(SessionHandle.libraryVersion)")
    try offer(algorithms)
    let number = socket.number
    let began = ContinuousClock.now
    handle.startKeeping()
    do {
      try drive("key exchange", deadline: deadline) { session -> Step<Void> in
        guard ServerGreeting.problem(session.opening ?? []) == nil else {
          return .failed(LibraryError(code: Int(LIBSSH2_ERROR_BANNER_RECV), message: ""))
        }
        return session.handle.handshake(socket: number)
      }
    } catch {
      if let problem = ServerGreeting.problem(opening ?? []) {
        throw Failure(.protocolFailed, what: "\(place) does not speak SSH 2", why: problem)
      }
      throw explained(error, algorithms)
    }
    handshakeTime = ContinuousClock.now - began
    binding = bindingOfExchange()
    opening = nil
    let banner = serverBanner.split(separator: "-", maxSplits: 2, omittingEmptySubsequences: false)
    log.debug1(
      "Remote protocol version \(banner.dropFirst().first ?? ""), remote software version "
        + (banner.dropFirst(2).first ?? ""))
    for (name, method) in [
      ("kex: algorithm", SessionHandle.Method.keyExchange), ("kex: host key algorithm", .hostKey),
      ("kex: server->client cipher", .cipherToClient), ("kex: server->client MAC", .macToClient),
      ("kex: client->server cipher", .cipherToServer), ("kex: client->server MAC", .macToServer),
    ] {
      log.debug1("\(name): \(handle.agreed(method) ?? "none")")
    }
    guard let blob = handle.hostKeyBlob else {
      throw Failure(.protocolFailed, what: "\(place) sent no host key")
    }
    let key = HostKey(blob: blob)
    log.debug1(
      "Server host key: \(printable(key.type, limit: 80)) \(key.fingerprint(log.fingerprintHash))")
    acceptedKey = key
    return key
  }

  /// The server's own words about its software.
  package var serverBanner: String { handle.serverBanner }

  /// Ends the session in due form, as far as the peer still listens.
  package func disconnect() {
    guard !context.isDead else { return }
    handle.sayGoodbye()
    flush()
    die()
  }

  // MARK: Moving bytes

  var place: String { "\(peer.address) port \(peer.port)" }

  /// Calls `step` until it is ready, moving bytes between the calls.
  ///
  /// - Parameter alive: asks a server that says nothing meanwhile whether it is there.
  func drive<Value>(
    _ stage: String, deadline: ContinuousClock.Instant? = nil, alive: ServerAlive? = nil,
    _ step: (SSHSession) -> Step<Value>
  ) throws(Failure) -> Value {
    var hasSeenEnd = false
    var alive = alive
    while true {
      switch step(self) {
      case .ready(let value):
        flush()
        try checkHostKey()
        return value
      case .failed(let error):
        flush()
        throw failure(stage, error)
      case .wouldBlock:
        if context.hasEnded, context.incoming.isEmpty {
          // Only now: told earlier, libssh2 would not hand out what it has already received.
          context.showsEnd = true
          if hasSeenEnd {
            throw failure(stage, LibraryError(code: Int(LIBSSH2_ERROR_SOCKET_RECV), message: ""))
          }
          hasSeenEnd = true
          continue
        }
        try wait(stage, until: deadline, alive?.deadline)
        switch alive?.check(received: receivedCount, now: .now) {
        case .quiet, nil: break
        // Whatever is under way keeps its place; the answer is one that nobody waits for.
        case .send: handle.sendKeepAlive()
        case .dead: throw notResponding()
        }
      }
    }
  }

  func notResponding() -> Failure {
    die()
    return Failure(.connectionLost, what: "Timeout, server \(peer.name) not responding")
  }

  /// Sends what waits and waits for something to come, or for `pause`.
  func wait(
    _ stage: String, until deadline: ContinuousClock.Instant?,
    _ pause: ContinuousClock.Instant? = nil
  ) throws(Failure) {
    flush()
    if context.isStalled { return receive() }
    let signals = Signals.pipe() ?? -1
    var polls = [
      pollfd(fd: socket.number, events: pollEvents, revents: 0),
      pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
    ]
    var timeout: Int32 = -1
    if let deadline {
      let left = deadline - .now
      guard left > .zero else {
        die()
        throw Failure(
          .connectionLost, what: "Connection timed out during \(stage)",
          why: "\(place) did not answer in time")
      }
      timeout = milliseconds(left)
    }
    if let pause {
      let left = milliseconds(max(pause - .now, .zero))
      timeout = timeout < 0 ? left : min(timeout, left)
    }
    _ = unsafe poll(&polls, 2, timeout)
    if polls[1].revents != 0 {
      for signal in Signals.arrived() where [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(signal) {
        die()
        throw Failure(.interrupted, what: "interrupted during \(stage)")
      }
    }
    if polls[0].revents != 0 {
      receive()
      flush()
    }
  }

  var pollEvents: Int16 {
    Int16(context.hasEnded ? 0 : POLLIN) | Int16(context.outgoing.isEmpty ? 0 : POLLOUT)
  }

  /// Takes from the socket what is there, up to a quarter of a mebibyte.
  func receive() {
    guard !context.hasEnded, !context.isDead else { return }
    while context.incoming.count < Self.incomingLimit {
      let number = socket.number
      let count = unsafe context.incoming.fill(Self.incomingLimit - context.incoming.count) {
        unsafe recv(number, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
      }
      if count > 0 {
        receivedCount += count
        if let known = opening, known.count < ServerOffer.limit {
          unsafe context.incoming.withBytes { unsafe opening?.append(contentsOf: $0.suffix(count)) }
        }
        if count < 64 << 10 { return }
      } else if count < 0, errno == EINTR {
        continue
      } else if count < 0, errno == EAGAIN || errno == EWOULDBLOCK {
        return
      } else {
        context.hasEnded = true
        return
      }
    }
  }

  /// Writes to the socket what it takes.
  func flush() {
    while !context.outgoing.isEmpty, !context.isDead {
      var limit = Int.max
      if let sendLimit = context.sendLimit {
        limit = sendLimit()
        if limit <= 0 { return }
      }
      let count = unsafe context.outgoing.withBytes(limit: limit) {
        unsafe send(socket.number, $0.baseAddress, $0.count, sendFlags)
      }
      if count > 0 {
        sentCount += count
        context.outgoing.drop(count)
      } else if count < 0, errno == EINTR {
        continue
      } else {
        if count < 0, errno != EAGAIN, errno != EWOULDBLOCK {
          // What the peer sent before it went is still worth reading.
          context.outgoing.removeAll()
        }
        return
      }
    }
  }

  /// From now on nothing is sent or received, and libssh2 lets everything go at once.
  func die() {
    context.isDead = true
    context.outgoing.removeAll()
  }

  /// A key exchange in the middle of a session may bring another key: that ends it.
  func checkHostKey() throws(Failure) {
    guard let acceptedKey, !handle.hasHostKey(acceptedKey.blob) else { return }
    let shown =
      handle.hostKeyBlob.map { HostKey(blob: $0).fingerprint(log.fingerprintHash) } ?? "none"
    die()
    throw Failure(
      .hostKeyChanged, what: "the host key of \(peer.name) changed during the session",
      why: "a key exchange brought \(shown) in place of "
        + acceptedKey.fingerprint(log.fingerprintHash),
      next: "somebody may be between you and the server; connect again and look at its key")
  }

  /// What a libssh2 error means to the user.
  func failure(_ stage: String, _ error: LibraryError) -> Failure {
    let cause = Failure.Cause.libssh2(error.code)
    if let disconnect = context.disconnect {
      return Failure(
        .connectionLost,
        what: "Received disconnect from \(place):\(disconnect.reason): \(disconnect.text)",
        cause: cause)
    }
    switch Int32(clamping: error.code) {
    case LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_SEND:
      return Failure(
        .connectionLost, what: "Connection closed by \(place)",
        why: "the connection ended during \(stage)", cause: cause)
    case LIBSSH2_ERROR_BANNER_RECV:
      return Failure(
        .protocolFailed, what: "\(place) does not answer as an SSH server",
        why: error.message.isEmpty ? nil : error.message, cause: cause)
    case _ where context.hasEnded && context.incoming.isEmpty:
      return Failure(
        .connectionLost, what: "Connection closed by \(place)",
        why: "the connection ended during \(stage)", cause: cause)
    default:
      let words = error.message.isEmpty ? "libssh2 error \(error.code)" : error.message
      return Failure(
        .protocolFailed, what: "\(stage) with \(place) failed", why: words, cause: cause)
    }
  }

  /// A failed key exchange, with what the server would have taken.
  private func explained(_ failure: Failure, _ wanted: AlgorithmPreferences) -> Failure {
    guard let offer = ServerOffer(opening ?? []), let (kind, theirs) = offer.mismatch(with: wanted)
    else { return failure }
    return Failure(
      .protocolFailed, what: "Unable to negotiate with \(place): no matching \(kind) found",
      why: "their offer: \(printable(theirs.joined(separator: ","), limit: 500))",
      next: "--client openssh knows more algorithms", cause: failure.cause)
  }
}

let sendFlags: Int32 = {
  #if canImport(Glibc)
    Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
  #else
    MSG_DONTWAIT
  #endif
}()

/// Delays nothing, notices a peer that is gone for hours if it may, and raises no SIGPIPE.
private func prepare(_ socket: Int32, keepsAlive: Bool) {
  var on: Int32 = 1
  var asks: Int32 = keepsAlive ? 1 : 0
  let size = socklen_t(MemoryLayout<Int32>.size)
  unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
  unsafe setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &asks, size)
  #if canImport(Darwin)
    unsafe setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, size)
  #endif
  closeOnExec(socket)
}

/// A duration for poll, rounded up so that a loop does not spin through the last millisecond.
func milliseconds(_ duration: Duration) -> Int32 {
  let (seconds, attoseconds) = duration.components
  guard seconds < 1_000_000 else { return 1_000_000_000 }
  return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
}
