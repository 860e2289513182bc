import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// All forwards of a session, moved by its loop.
final class Forwarding {
  let session: SSHSession
  let plan: ForwardingPlan
  /// The agent that the other side may use; nil is no agent forwarding.
  let agentSocket: String?
  private var log: SSHLog { session.log }

  private var listeners: [(socket: FileDescriptorBox, forward: ForwardingPlan.Forward)] = []
  private var remotes: [(listener: Int, forward: ForwardingPlan.Forward)] = []
  private(set) var connections: [ForwardedConnection] = []
  /// libssh2 opens one channel at a time; the others wait their turn.
  private var opening: ForwardedConnection?
  private var boundPaths: [String] = []
  /// Told of each local connection.
  private let whenForwarding: @Sendable () -> Void
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  private var firstServed = 0
  private var pausedUntil: ContinuousClock.Instant?

  /// Unread bytes of all forwarded connections together; above it no new one is opened.
  private static let unreadLimit = 64 << 20
  private static let connectionLimit = 4096

  init(
    session: SSHSession, plan: ForwardingPlan, agentSocket: String?,
    whenForwarding: @escaping @Sendable () -> Void = {}
  ) {
    self.whenForwarding = whenForwarding
    self.session = session
    self.plan = plan
    self.agentSocket = agentSocket
  }

  deinit { for path in boundPaths { unsafe unlink(path) } }

  /// Whether a channel is being opened: nothing else may open one meanwhile.
  var isOpening: Bool { opening != nil }

  // MARK: Start

  func start() throws(Failure) {
    for forward in plan.local { try startLocal(forward) }
    for forward in plan.remote { try startRemote(forward) }
    if plan.wantsTunnel {
      // As an ssh without them, which goes on.
      log.note("Tunnel interfaces are not built in (--client openssh has them)")
      guard plan.failureIsFatal else { return log.note("Could not request tunnel forwarding.") }
      throw Failure(.forwardingFailed, what: "Could not request tunnel forwarding")
    }
  }

  private func startLocal(_ forward: ForwardingPlan.Forward) throws(Failure) {
    do throws(SystemError) {
      let sockets: [FileDescriptorBox]
      switch forward.entrance {
      case .tcp(let host, let port):
        // As ssh: this name is loopback, whatever a resolver makes of it.
        let name = host == "localhost" ? nil : host ?? (plan.allowsOthers ? "" : nil)
        sockets = try LocalSockets.listen(host: name, port: port) { [log] address, error in
          log.note("bind [\(address)]:\(port): \(error)")
        }
      case .socket(let path):
        sockets = [
          try LocalSockets.listen(path: path, unlinks: plan.unlinksSockets, mask: plan.socketMask)
        ]
        boundPaths.append(path)
      case .listening(let number):
        setNonBlocking(number)
        let copy = try valueOrSystemError { fcntl(number, F_DUPFD_CLOEXEC, 3) }
        sockets = [FileDescriptorBox(FileDescriptor(owning: copy))]
      }
      listeners += sockets.map { ($0, forward) }
      log.debug1("Local forwarding listening on \(forward.entrance) for \(forward.target)")
    } catch {
      try failed("cannot listen on \(forward.entrance): \(error)", "local forwarding")
    }
  }

  private func startRemote(_ forward: ForwardingPlan.Forward) throws(Failure) {
    guard case .tcp(let host, let port) = forward.entrance else {
      return try failed(
        "a Unix socket on the server's side cannot be listened on (--client openssh can)",
        "remote forwarding")
    }
    // As ssh: without an address the server decides by its GatewayPorts, starting from loopback.
    let asked = host == nil ? "localhost" : host == "*" ? "" : host ?? ""
    do {
      let (listener, bound) = try session.drive("remote forwarding") {
        $0.handle.listen(host: asked, port: port)
      }
      remotes.append((listener, forward))
      if port == 0 {
        log.information("Allocated port \(bound) for remote forward to \(forward.target)")
      }
      log.debug1("remote forward success for: listen \(bound), connect \(forward.target)")
    } catch {
      guard error.code == .protocolFailed else { throw error }
      try failed("remote port forwarding failed for listen port \(port)", "remote forwarding")
    }
  }

  private func failed(_ text: String, _ kind: String) throws(Failure) {
    guard plan.failureIsFatal else { return log.note("Warning: \(text)") }
    throw Failure(
      .forwardingFailed, what: "Could not request \(kind)", why: text,
      next: "without -o ExitOnForwardFailure=yes the session goes on without it")
  }

  // MARK: Turns

  /// Moves what can be moved.
  ///
  /// - Parameter mayOpen: whether nobody else is opening a channel.
  func service(mayOpen: Bool) -> Bool {
    var moved = acceptRemote()
    if acceptAgent() { moved = true }
    if mayOpen, openNext() { moved = true }
    let count = connections.count
    for offset in 0..<count {
      // A new first each time, so that nobody is always last.
      let connection = connections[(firstServed + offset) % count]
      if connection.move(session, &buffer) { moved = true }
      if connection.readRemoteGreeting() { startPermitted(connection) }
    }
    firstServed = count == 0 ? 0 : (firstServed + 1) % count
    connections.removeAll { $0.isClosed }
    return moved
  }

  private func acceptRemote() -> Bool {
    var moved = false
    for remote in remotes where connections.count < Self.connectionLimit {
      while case .ready(let channel) = session.handle.accept(remote.listener) {
        moved = true
        let connection = ForwardedConnection(
          phase: remote.forward.target == .socks ? .remoteGreeting : .closing,
          origin: "\(remote.forward.entrance)", target: remote.forward.target, channel: channel)
        log.debug1("forwarded connection for \(remote.forward.target)")
        if turnsAway(connection) { continue }
        if remote.forward.target != .socks { startConnecting(connection) }
        connections.append(connection)
      }
    }
    return moved
  }

  private func acceptAgent() -> Bool {
    let channels = session.handle.takeAgentChannels()
    for channel in channels {
      let connection = ForwardedConnection(
        phase: .closing, origin: "agent", target: .socket(agentSocket ?? ""), channel: channel)
      if turnsAway(connection) { continue }
      startConnecting(connection)
      if let binding = session.binding, connection.isOpen { connection.bind(binding) }
      connections.append(connection)
    }
    return !channels.isEmpty
  }

  /// The same where the other side says where to: only as far as the user lets it.
  private func startPermitted(_ connection: ForwardedConnection) {
    let target = connection.target
    guard let permitted = plan.permitted, !permitted.contains(where: { $0.covers(target) }) else {
      return startConnecting(connection)
    }
    log.note("connect_to \(printable(connection.target.description)): forwarding not permitted")
    refuse(connection)
  }

  private func refuse(_ connection: ForwardedConnection) {
    if let socks = connection.socks { connection.toChannel.append(socks.answer(succeeded: false)) }
    connection.phase = .closing
  }

  /// Closes a channel that the server has opened while too much waits for local readers: its window
  /// is libssh2's own, 2 MiB, and cannot be made smaller.
  private func turnsAway(_ connection: ForwardedConnection) -> Bool {
    guard unreadCount >= Self.unreadLimit else { return false }
    log.note("channel: \(connection.target): refused, because too much forwarded data waits")
    connection.phase = .closing
    connections.append(connection)
    return true
  }

  /// Makes the local connection of a channel that stands.
  private func startConnecting(_ connection: ForwardedConnection) {
    switch connection.target {
    case .tcp(let host, let port):
      tryAddresses(LocalSockets.addresses(of: host, port: port), of: connection)
    case .socket(let path):
      do throws(SystemError) {
        connection.socket = FileDescriptorBox(try connectToUnixSocket(path))
        connection.phase = .open
      } catch {
        log.note("connect_to \(printable(path)): \(error)")
        connection.phase = .closing
      }
    case .socks: connection.phase = .closing
    }
  }

  private func tryAddresses(
    _ addresses: [LocalSockets.Address], of connection: ForwardedConnection
  ) {
    var rest = addresses[...]
    var problem = SystemError(EHOSTUNREACH)
    while let address = rest.popFirst() {
      do throws(SystemError) {
        connection.socket = try LocalSockets.connect(to: address)
        connection.phase = .connecting(Array(rest))
        return
      } catch {
        problem = error
      }
    }
    log.note("connect_to \(connection.target): failed: \(problem)")
    refuse(connection)
  }

  private func finishConnecting(_ connection: ForwardedConnection) {
    guard case .connecting(let rest) = connection.phase, let socket = connection.socket else {
      return
    }
    if let problem = LocalSockets.problem(of: socket.number) {
      log.debug1("connect_to \(connection.target): \(problem)")
      return tryAddresses(rest, of: connection)
    }
    if let socks = connection.socks { connection.toChannel.append(socks.answer(succeeded: true)) }
    connection.phase = .open
  }

  // MARK: Opening

  private func openNext() -> Bool {
    if opening == nil {
      guard
        let next = connections.first(where: { if case .waiting = $0.phase { true } else { false } }
        ),
        unreadCount < Self.unreadLimit
      else { return false }
      let waiting = connections.count { if case .waiting = $0.phase { true } else { false } }
      if waiting > 1 { log.debug2("\(waiting) connections wait for their channel") }
      next.phase = .opening
      opening = next
    }
    guard let connection = opening else { return false }
    let step: Step<ChannelID>
    switch connection.target {
    case .tcp(let host, let port):
      let client = LocalSockets.client(of: connection.socket?.number ?? -1)
      step = session.handle.openForward(
        to: host, port: port, from: client.host, sourcePort: client.port, window: window)
    case .socket(let path): step = session.handle.openForward(toSocket: path, window: window)
    case .socks: step = .failed(LibraryError(code: 0, message: "no target"))
    }
    switch step {
    case .wouldBlock: return false
    case .ready(let channel):
      connection.channel = channel
      if let socks = connection.socks {
        connection.toSocket.append(socks.answer(succeeded: true))
      }
      connection.phase = .open
    case .failed(let error):
      log.note("channel: open failed: \(connection.target): \(error.message)")
      if let socks = connection.socks {
        connection.toSocket.append(socks.answer(succeeded: false))
        _ = connection.writeSocket()
      }
      connection.phase = .closed
    }
    opening = nil
    return true
  }

  /// What the peer may send unasked to one connection: less for each when there are many, so that
  /// all together stay bounded also when every local reader stalls.
  private var window: UInt32 {
    switch connections.count {
    case ..<17: 2 << 20
    case ..<49: 512 << 10
    default: 64 << 10
    }
  }

  private var unreadCount: Int {
    connections.reduce(0) { sum, connection in
      sum + connection.toSocket.count
        + (connection.channel.map { session.handle.unreadCount($0) } ?? 0)
    }
  }

  // MARK: Polling

  /// Whether no connection is taken for a moment, because descriptors ran out.
  var isPaused: Bool { pausedUntil.map { $0 > .now } ?? false }

  /// Adds what to wait for: first the listeners, then the connections.
  func addPolls(to polls: inout [pollfd]) {
    let takes = connections.count < Self.connectionLimit && !isPaused
    for listener in listeners {
      polls.append(
        pollfd(fd: takes ? listener.socket.number : -1, events: Int16(POLLIN), revents: 0))
    }
    for connection in connections {
      let events = connection.events
      polls.append(
        pollfd(
          fd: events == 0 ? -1 : connection.socket?.number ?? -1, events: events, revents: 0))
    }
  }

  /// Acts on what poll found, in the order of ``addPolls(to:)``.
  func handle(_ polls: ArraySlice<pollfd>) {
    for (poll, listener) in zip(polls, listeners) where poll.revents != 0 {
      acceptLocal(listener.socket.number, listener.forward)
    }
    for (poll, connection) in zip(polls.dropFirst(listeners.count), connections)
    where poll.revents != 0 {
      if case .connecting = connection.phase {
        finishConnecting(connection)
        continue
      }
      if poll.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { connection.readSocket() }
      connection.readGreeting(log: log)
    }
  }

  private func acceptLocal(_ listener: Int32, _ forward: ForwardingPlan.Forward) {
    for _ in 0..<64 {
      do throws(SystemError) {
        guard let socket = try LocalSockets.accept(listener) else { return }
        let client = LocalSockets.client(of: socket.number)
        log.debug1(
          "Connection to \(forward.entrance) forwarding to \(forward.target) requested.")
        connections.append(
          ForwardedConnection(
            phase: forward.target == .socks ? .greeting : .waiting,
            origin: "\(client.host) port \(client.port)", target: forward.target, socket: socket))
        whenForwarding()
      } catch {
        // Out of descriptors: those that are open come first.
        log.note("accept: \(error)")
        pausedUntil = .now + .seconds(1)
        return
      }
    }
  }
}

extension ForwardingPlan.Entrance: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tcp(let host, let port):
      host.map { "\($0.isEmpty ? "*" : $0) port \(port)" } ?? "port \(port)"
    case .socket(let path): path
    case .listening: "a port of this program"
    }
  }
}
