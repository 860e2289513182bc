import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One forwarded connection: a local socket and a channel, each as wide open as the other.
final class ForwardedConnection {
  enum Phase {
    /// The local client still has to say where it wants to go.
    case greeting
    /// Its turn to open a channel has not come.
    case waiting
    case opening
    /// The channel stands; the client at the other end still has to say where it wants to go.
    case remoteGreeting
    /// The channel stands; the local connection is being made, with other addresses to try.
    case connecting([LocalSockets.Address])
    case open
    /// Over; the peer has yet to confirm.
    case closing
    case closed
  }

  var phase: Phase
  /// For `~#` and `-v`.
  let origin: String
  var target: ForwardingPlan.Target
  var socket: FileDescriptorBox?
  var channel: ChannelID?
  var socks: SocksRequest?
  private var hasGreeted = false
  private var isRefused = false

  /// From the socket, for the channel.
  var toChannel = ByteQueue()
  /// From the channel, for the socket.
  var toSocket = ByteQueue()
  private var socketHasEnded = false
  private var hasSentEnd = false
  private var channelHasEnded = false
  private var hasShutDown = false
  /// The agent's answer to ``bind(_:)``, which is not for the other side.
  private var awaitsAnswer = false

  static let limit = 128 << 10

  init(
    phase: Phase, origin: String, target: ForwardingPlan.Target,
    socket: FileDescriptorBox? = nil, channel: ChannelID? = nil
  ) {
    self.phase = phase
    self.origin = origin
    self.target = target
    self.socket = socket
    self.channel = channel
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }
  var isClosed: Bool { if case .closed = phase { true } else { false } }

  /// Tells the agent at the socket whose connection this is, before the other side says a word.
  ///
  /// What the agent answers changes nothing: one that found the proof wanting keeps bound keys to
  /// itself.
  func bind(_ binding: SessionBinding) {
    var frame = WireWriter()
    frame.string(binding.request(isForwarding: true))
    toSocket.append(frame.bytes)
    awaitsAnswer = true
  }

  private func dropAnswer() {
    var reader = WireReader(unsafe toChannel.withBytes { unsafe Array($0.prefix(4)) })
    guard let length = reader.uint32() else { return }
    guard length < UInt32(Self.limit) - 4 else { return fail() }
    guard toChannel.count >= Int(length) + 4 else { return }
    toChannel.drop(Int(length) + 4)
    awaitsAnswer = false
  }

  // MARK: The socket

  /// What poll should look for at the socket.
  var events: Int16 {
    switch phase {
    case .greeting: Int16(POLLIN)
    case .connecting: Int16(POLLOUT)
    case .open:
      Int16(!socketHasEnded && toChannel.count < Self.limit ? POLLIN : 0)
        | Int16(toSocket.isEmpty ? 0 : POLLOUT)
    default: 0
    }
  }

  /// Reads what the socket has.
  func readSocket() {
    guard let socket, !socketHasEnded else { return }
    do throws(SystemError) {
      let count = try valueOrSystemError {
        unsafe toChannel.fill(64 << 10) { unsafe read(socket.number, $0.baseAddress, $0.count) }
      }
      if count == 0 { socketHasEnded = true }
      if awaitsAnswer { dropAnswer() }
    } catch {
      if ![EAGAIN, EWOULDBLOCK].contains(error.number) { socketHasEnded = true }
    }
    if socketHasEnded, case .greeting = phase { phase = .closed }
    if socketHasEnded, awaitsAnswer { fail() }
  }

  /// Writes what the socket takes.
  ///
  /// - Returns: whether anything went.
  func writeSocket() -> Bool {
    guard let socket else { return false }
    var moved = false
    while !toSocket.isEmpty {
      let count = unsafe toSocket.withBytes {
        unsafe send(socket.number, $0.baseAddress, $0.count, sendFlags)
      }
      if count > 0 {
        toSocket.drop(count)
        moved = true
      } else if count < 0, errno == EINTR {
        continue
      } else {
        if count < 0, errno != EAGAIN, errno != EWOULDBLOCK { fail() }
        break
      }
    }
    return moved
  }

  /// Nothing can be brought to the socket any more: the connection is over on both sides.
  func fail() {
    toSocket.removeAll()
    toChannel.removeAll()
    phase = channel == nil ? .closed : .closing
  }

  // MARK: SOCKS

  /// Looks whether the local client has said where it wants to go.
  func readGreeting(log: SSHLog) {
    guard case .greeting = phase else { return }
    let (used, answer) = progress(unsafe toChannel.withBytes { unsafe Array($0) })
    toSocket.append(answer)
    _ = writeSocket()
    guard let used else {
      if isRefused { phase = .closed }
      return
    }
    toChannel.drop(used)
    log.debug2("dynamic request: \(target)")
    phase = .waiting
  }

  /// The same for a client at the far end of the channel.
  ///
  /// - Returns: whether the connection it asks for is now to be made.
  func readRemoteGreeting() -> Bool {
    guard case .remoteGreeting = phase else { return false }
    let (used, answer) = progress(unsafe toSocket.withBytes { unsafe Array($0) })
    toChannel.append(answer)
    guard let used else {
      if isRefused { phase = .closing }
      return false
    }
    toSocket.drop(used)
    return true
  }

  /// How far the request in `bytes` is: how many of them it takes once it is whole, and what to
  /// answer.
  private func progress(_ bytes: [UInt8]) -> (used: Int?, answer: [UInt8]) {
    switch SocksRequest.parse(bytes, hasGreeted: hasGreeted) {
    case .needsMore(let answer):
      if !answer.isEmpty { hasGreeted = true }
      if bytes.count > SocksRequest.limit { isRefused = true }
      return (nil, answer)
    case .refuse(let answer):
      isRefused = true
      return (nil, answer)
    case .connect(let request, let used, let answer):
      socks = request
      target = .tcp(host: request.host, port: request.port)
      return (used, answer)
    }
  }

  // MARK: Both

  /// Moves bytes between the two and passes each side's end on to the other.
  ///
  /// - Returns: whether anything moved.
  func move(_ session: SSHSession, _ buffer: inout [UInt8]) -> Bool {
    guard let channel else { return false }
    switch phase {
    case .closing: return closeChannel(session, channel)
    case .remoteGreeting:
      let hasRead = readChannel(session, channel, &buffer)
      if channelHasEnded { phase = .closing }
      return writeChannel(session, channel) || hasRead
    case .open: break
    default: return false
    }
    var moved = readChannel(session, channel, &buffer)
    if writeSocket() { moved = true }
    guard isOpen else { return true }
    if channelHasEnded, toSocket.isEmpty, !hasShutDown, let socket {
      shutdown(socket.number, writeEnd)
      hasShutDown = true
    }
    if writeChannel(session, channel) { moved = true }
    guard isOpen else { return true }
    if socketHasEnded, toChannel.isEmpty, !hasSentEnd {
      if case .wouldBlock = session.handle.sendEnd(channel) { return moved }
      hasSentEnd = true
      moved = true
    }
    if channelHasEnded, toSocket.isEmpty {
      // Both have ended; or the peer has closed, so that nothing more goes either way.
      var isOver = hasSentEnd
      if !isOver, case .ready = session.handle.isClosedByPeer(channel) { isOver = true }
      if isOver {
        phase = .closing
        moved = true
      }
    }
    return moved
  }

  private func readChannel(
    _ session: SSHSession, _ channel: ChannelID, _ buffer: inout [UInt8]
  ) -> Bool {
    var moved = false
    while toSocket.count < Self.limit, !channelHasEnded {
      guard case .ready(let count) = session.handle.read(channel, stream: 0, into: &buffer),
        count > 0
      else { break }
      toSocket.append(buffer[..<count])
      moved = true
    }
    if !channelHasEnded, session.handle.hasEnded(channel) {
      channelHasEnded = true
      moved = true
    }
    return moved
  }

  private func writeChannel(_ session: SSHSession, _ channel: ChannelID) -> Bool {
    var moved = false
    while !toChannel.isEmpty, !awaitsAnswer,
      session.context.outgoing.count < SSHSession.outgoingLimit
    {
      let step = unsafe toChannel.withBytes { unsafe session.handle.write(channel, $0) }
      if case .failed = step {
        fail()
        return true
      }
      guard case .ready(let count) = step, count > 0 else { break }
      toChannel.drop(count)
      moved = true
    }
    return moved
  }

  private func closeChannel(_ session: SSHSession, _ channel: ChannelID) -> Bool {
    socket = nil
    // The last words, such as SOCKS' "refused"; if they do not go now, they do not go.
    if !toChannel.isEmpty, !channelHasEnded {
      _ = unsafe toChannel.withBytes { unsafe session.handle.write(channel, $0) }
      toChannel.removeAll()
    }
    if case .wouldBlock = session.handle.close(channel) { return false }
    phase = .closed
    return true
  }
}

private let writeEnd: Int32 = {
  #if canImport(Glibc)
    Int32(SHUT_WR)
  #else
    SHUT_WR
  #endif
}()
