package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension SSHSession {
  /// Runs a shell, a command, a subsystem or nothing until it ends; blocks for that long.
  ///
  /// - Throws: `connection-lost` when the connection broke before a status came.
  package func run(
    _ request: SessionRequest, streams: SessionStreams = SessionStreams()
  ) throws(Failure) -> Ending {
    let loop = SessionLoop(session: self, request: request, streams: streams)
    return try loop.run()
  }
}

/// The session's one loop: socket, standard streams, signals.
final class SessionLoop {
  let session: SSHSession
  let request: SessionRequest
  let streams: SessionStreams
  let output: OutputSink
  let error: OutputSink
  var log: SSHLog { session.log }

  var channel: ChannelID?
  /// Read locally, not yet taken by the channel.
  private var typed = ByteQueue()
  private var inputHasEnded = false
  private var hasSentEnd = false
  private var needsResize = false
  private var escapes: EscapeFilter?
  private var terminal: RawTerminal?
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  /// When the reader of our output went away.
  private var outputLost: ContinuousClock.Instant?
  private var ending: Ending?
  private var isAsking = false
  /// A signal or `~.`: nothing is waited for any more.
  private var hasLeft = false
  private var alive: ServerAlive?
  private let forwarding: Forwarding

  /// Read ahead of the channel at most this much.
  private static let inputLimit = 64 << 10

  init(session: SSHSession, request: SessionRequest, streams: SessionStreams) {
    self.session = session
    self.request = request
    self.streams = streams
    output = OutputSink(streams.output)
    error = OutputSink(streams.error)
    inputHasEnded = streams.input == nil
    forwarding = Forwarding(
      session: session, plan: request.forwarding, agentSocket: request.agentSocket)
    if request.terminal != nil, let escape = request.escape {
      escapes = EscapeFilter(escape: escape)
    }
    alive = request.aliveInterval.map { ServerAlive(interval: $0, countMax: request.aliveCountMax) }
  }

  func run() throws(Failure) -> Ending {
    watchSignals()
    defer { unwatchSignals() }
    session.handle.stopOverwriting()
    try forwarding.start()
    channel = try openChannel()
    if request.terminal != nil, let descriptor = streams.terminal {
      var raw = RawTerminal(descriptor)
      try? raw.enter()
      terminal = consume raw
    }
    defer { terminal?.leave() }
    do throws(Failure) {
      let ending = try turns()
      terminal?.leave()
      farewell("Connection to \(session.peer.name) closed.")
      return ending
    } catch {
      deliverRest()
      terminal?.leave()
      if let remote = remoteStatus { return remote }
      throw error
    }
  }

  private func farewell(_ text: String) {
    if request.terminal != nil { log.information(text) }
  }

  // MARK: Turns

  private func turns() throws(Failure) -> Ending {
    while true {
      try service()
      if isOver, let ending { return try finish(ending) }
      try sleep()
    }
  }

  /// As ssh, the end waits for forwarded connections that are still open, if it may.
  private var isOver: Bool {
    guard let ending else { return false }
    switch ending {
    case .exited, .signalled, .finished:
      return hasLeft || forwarding.connections.isEmpty
    case .noStatus, .interrupted: return true
    }
  }

  /// Moves everything that can move, until nothing does.
  private func service() throws(Failure) {
    var moves = true
    while moves, !isOver {
      moves = try moveOutput()
      if try moveInput() { moves = true }
      if forwarding.service() { moves = true }
      try session.checkHostKey()
      if session.context.outgoing.count >= SSHSession.flushThreshold { session.flush() }
      if session.context.hasEnded, session.context.incoming.isEmpty, !moves,
        !output.isFull, !error.isFull
      {
        if session.context.showsEnd { throw lost() }
        session.context.showsEnd = true
        moves = true
      }
    }
    session.flush()
  }

  private func lost() -> Failure {
    Failure(
      .connectionLost, what: "Connection to \(session.peer.name) closed by remote host",
      why: session.context.disconnect?.text)
  }

  /// From the channel to the local outputs.
  private func moveOutput() throws(Failure) -> Bool {
    guard let channel else { return try idle() }
    var moved = false
    for (stream, sink) in [(Int32(0), output), (1, error)] {
      reading: while !sink.isFull {
        switch session.handle.read(channel, stream: stream, into: &buffer) {
        case .ready(let count) where count > 0:
          moved = true
          sink.append(buffer[..<count])
          sink.push(isReady: false)
          if stream == 0, sink.problem != nil { try outputGone() }
        case .ready, .wouldBlock: break reading
        case .failed(let error): throw session.failure("the session", error)
        }
      }
    }
    if ending == nil, session.handle.hasEnded(channel) {
      switch session.handle.isClosedByPeer(channel) {
      case .ready:
        ending = remoteStatus ?? .noStatus
        // The remote terminal is gone; what may follow is only the end of forwards.
        inputHasEnded = true
        typed.removeAll()
        hasSentEnd = true
        terminal?.leave()
      case .wouldBlock: break
      case .failed(let error): throw session.failure("the session", error)
      }
    }
    return moved
  }

  /// The remote command's end, if the server has told it in due form.
  private var remoteStatus: Ending? {
    guard let channel, session.handle.hasEnded(channel),
      case .ready = session.handle.isClosedByPeer(channel)
    else { return nil }
    if let signal = session.handle.exitSignal(channel) { return .signalled(signal) }
    if case .forward = request.program { return .finished }
    return .exited(session.handle.exitStatus(channel))
  }

  /// ssh tells the server that nobody reads any more, which libssh2 cannot. What was under way may
  /// still come and is dropped; whoever goes on writing after that loses the channel.
  private func outputGone() throws(Failure) {
    guard let since = outputLost else {
      log.debug1("standard output: \(output.problem?.description ?? "closed")")
      outputLost = .now
      return
    }
    if ContinuousClock.now - since > .seconds(1) { ending = .signalled("PIPE") }
  }

  /// From the local input to the channel.
  private func moveInput() throws(Failure) -> Bool {
    guard let channel else { return false }
    var moved = false
    if needsResize, let size = streams.terminal.flatMap(TerminalSize.of) {
      if case .wouldBlock = session.handle.resize(channel, to: size) {} else { needsResize = false }
    }
    while !typed.isEmpty, session.context.outgoing.count < SSHSession.outgoingLimit {
      let handle = { [session] (bytes: UnsafeRawBufferPointer) -> Step<Int> in
        unsafe session.handle.write(channel, bytes)
      }
      switch unsafe typed.withBytes(handle) {
      case .ready(let count) where count > 0:
        moved = true
        typed.drop(count)
        if session.context.outgoing.count >= SSHSession.flushThreshold { session.flush() }
      case .ready, .wouldBlock: return moved
      case .failed:
        // The other side has closed its input; what it still writes is worth reading.
        typed.removeAll()
        inputHasEnded = true
        hasSentEnd = true
      }
    }
    if inputHasEnded, typed.isEmpty, !hasSentEnd {
      switch session.handle.sendEnd(channel) {
      case .wouldBlock: break
      default: hasSentEnd = true
      }
    }
    return moved
  }

  // MARK: Waiting

  private func sleep() throws(Failure) {
    let context = session.context
    var polls = [pollfd(fd: session.socketNumber, events: session.pollEvents, revents: 0)]
    polls.append(pollfd(fd: Signals.pipe() ?? -1, events: Int16(POLLIN), revents: 0))
    let reads =
      !inputHasEnded && typed.count < Self.inputLimit
      && context.outgoing.count < SSHSession.outgoingLimit && channel != nil
    polls.append(
      pollfd(fd: reads ? streams.input ?? -1 : -1, events: Int16(POLLIN), revents: 0))
    for sink in [output, error] {
      polls.append(
        pollfd(fd: sink.isIdle ? -1 : sink.pollDescriptor, events: Int16(POLLOUT), revents: 0))
    }
    let forwardsStart = polls.count
    forwarding.addPolls(to: &polls)
    var timeout: Int32 = forwarding.isPaused ? 1000 : -1
    if let alive { timeout = milliseconds(max(alive.deadline - .now, .zero)) }
    if !context.incoming.isEmpty, context.receiveLimit != nil { timeout = 0 }
    if unsafe poll(&polls, nfds_t(polls.count), timeout) > 0 {
      if polls[1].revents != 0 { handleSignals() }
      if polls[3].revents != 0 { output.push(isReady: true) }
      if polls[4].revents != 0 { error.push(isReady: true) }
      if output.problem != nil, outputLost == nil { try outputGone() }
      if polls[2].revents != 0 { readInput() }
      if polls[0].revents != 0 { session.receive() }
      forwarding.handle(polls[forwardsStart...])
    }
    try checkAlive()
  }

  private func checkAlive() throws(Failure) {
    guard var alive else { return }
    switch alive.check(received: session.receivedCount, now: .now) {
    case .quiet: break
    case .send: session.handle.sendKeepAlive()
    case .dead:
      session.die()
      throw Failure(
        .connectionLost, what: "Timeout, server \(session.peer.name) not responding")
    }
    self.alive = alive
  }

  private func readInput() {
    guard let input = streams.input else { return }
    do throws(SystemError) {
      let bytes = try readSome(input, limit: 64 << 10)
      if bytes.isEmpty {
        inputHasEnded = true
      } else if escapes != nil {
        for piece in escapes?.feed(bytes) ?? [] { act(piece) }
      } else {
        typed.append(bytes)
      }
    } catch {
      // EAGAIN: somebody else made the descriptor non-blocking. Anything else is the end.
      if error.number != EAGAIN { inputHasEnded = true }
    }
  }

  // MARK: Escapes and signals

  private func act(_ piece: EscapeFilter.Piece) {
    guard let escapes else { return }
    let key = EscapeFilter.name(of: escapes.escape)
    switch piece {
    case .bytes(let bytes): typed.append(bytes)
    case .disconnect:
      show("\(key).\r\n")
      ending = .noStatus
    case .suspend: suspend()
    case .help: show("\(key)?\r\n" + lines(escapes.help))
    case .listConnections: show("\(key)#\r\n" + lines(connectionList()))
    case .moreDebug, .lessDebug: show("\(key)v [LogLevel cannot be changed here]\r\n")
    case .notBuiltIn(let byte):
      show("\(key)\(EscapeFilter.name(of: byte)) [not built in]\r\n")
    }
  }

  private func connectionList() -> String {
    (["The following connections are open:", "  #0 session (\(session.place))"]
      + forwarding.connections.enumerated().map {
        "  #\($0.offset + 1) \($0.element.origin) to \($0.element.target)"
      }).map { printable($0) }.joined(separator: "\n")
  }

  private func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "\($0)\r\n" }.joined()
  }

  private func show(_ text: String) {
    error.append(Array(text.utf8)[...])
    error.push(isReady: false)
  }

  private func suspend() {
    show("\(EscapeFilter.name(of: escapes?.escape ?? 0))^Z [suspend ssh]\r\n")
    terminal?.leave()
    kill(0, SIGTSTP)
    try? terminal?.enter()
    needsResize = true
  }

  private func watchSignals() {
    Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP, SIGQUIT)
    // A reader of ours that goes away is an error of write, not the end of this process.
    Signals.ignore(SIGPIPE)
    if streams.terminal != nil { Signals.watch(SIGWINCH, SIGCONT) }
  }

  private func unwatchSignals() {
    if streams.terminal != nil { Signals.restoreDefault(SIGWINCH, SIGCONT) }
  }

  private func handleSignals() {
    for signal in Signals.arrived() {
      switch signal {
      case SIGWINCH: needsResize = true
      case SIGCONT:
        // Stopped from outside and continued: the shell has set the terminal as it likes it.
        terminal?.renew()
        needsResize = true
      case SIGINT, SIGTERM, SIGHUP, SIGQUIT:
        log.debug1("Killed by signal \(signal).")
        ending = request.program == .none && signal == SIGTERM ? .finished : .interrupted(signal)
        hasLeft = true
      default: break
      }
    }
  }

  // MARK: The end

  private func finish(_ ending: Ending) throws(Failure) -> Ending {
    deliverRest()
    if let channel, !session.context.isDead {
      // The peer has closed or we leave: our own close is sent, its answer not waited for.
      _ = session.handle.close(channel)
      session.flush()
    }
    return ending
  }

  /// Writes what has been received, for as long as somebody takes it.
  private func deliverRest() {
    while !(output.isIdle && error.isIdle) {
      var polls = [output, error].map {
        pollfd(fd: $0.isIdle ? -1 : $0.pollDescriptor, events: Int16(POLLOUT), revents: 0)
      }
      polls.append(pollfd(fd: Signals.pipe() ?? -1, events: Int16(POLLIN), revents: 0))
      guard unsafe poll(&polls, 3, -1) > 0 else { continue }
      if polls[2].revents != 0, Signals.arrived().contains(where: { ![SIGWINCH, SIGCONT].contains($0) }) {
        return
      }
      if polls[0].revents != 0 { output.push(isReady: true) }
      if polls[1].revents != 0 { error.push(isReady: true) }
    }
  }

  // MARK: The beginning

  private func openChannel() throws(Failure) -> ChannelID? {
    let window: UInt32 =
      switch request.program {
      case .command, .subsystem: request.terminal == nil ? 16 << 20 : 2 << 20
      default: 2 << 20
      }
    if request.program == .none { return try openIdleChannel() }
    if case .forward(let host, let port) = request.program {
      return try session.drive("opening the connection to \(host) port \(port)") {
        $0.handle.openForward(
          to: host, port: port, from: "127.0.0.1", sourcePort: 65535, window: window)
      }
    }
    let channel = try session.drive("opening the session") {
      $0.handle.openSession(window: window)
    }
    if request.agentSocket != nil { try forwardAgent(channel) }
    for (name, value) in request.environment {
      log.debug1("channel 0: setting env \(printable(name)) = \"\(printable(value))\"")
      try optional("env") { $0.handle.setEnvironment(channel, name: name, value: value) }
    }
    if let terminal = request.terminal {
      let modes = TerminalModes.encode(
        terminal.settings, limit: 256 - terminal.name.utf8.count)
      let granted = try optional("pty-req") {
        $0.handle.requestTerminal(channel, term: terminal.name, modes: modes, size: terminal.size)
      }
      if !granted { log.note("PTY allocation request failed on channel 0") }
    }
    switch request.program {
    case .shell: try start(channel, "shell", nil)
    case .command(let bytes): try start(channel, "exec", bytes)
    case .subsystem(let name): try start(channel, "subsystem", Array(name.utf8))
    case .none, .forward: break
    }
    return channel
  }

  /// libssh2 reads from the connection only on behalf of a channel, and with `-N` there may be
  /// none. So a session channel is opened in which nothing is started.
  private func openIdleChannel() throws(Failure) -> ChannelID? {
    do {
      return try session.drive("opening the session") { $0.handle.openSession(window: 1 << 17) }
    } catch {
      guard error.cause == .libssh2(SessionHandle.channelRefused) else { throw error }
      // MaxSessions 0, for accounts that may only forward: see idle().
      return nil
    }
  }

  /// With no channel at all, a request that the server must refuse makes libssh2 read what waits.
  private func idle() throws(Failure) -> Bool {
    guard !forwarding.isOpening, isAsking || !session.context.incoming.isEmpty else {
      return false
    }
    isAsking = true
    switch session.handle.openUnknown() {
    case .wouldBlock: return false
    case .failed(let error) where error.code != SessionHandle.channelRefused:
      throw session.failure("the session", error)
    case .ready, .failed:
      isAsking = false
      return true
    }
  }

  private func start(_ channel: ChannelID, _ kind: String, _ argument: [UInt8]?) throws(Failure) {
    let granted = try optional(kind) {
      $0.handle.start(channel, request: kind, argument: argument)
    }
    guard granted else {
      throw Failure(
        .protocolFailed, what: "\(kind) request failed on channel 0",
        why: "the server \(session.peer.name) refused it")
    }
  }

  private func forwardAgent(_ channel: ChannelID) throws(Failure) {
    guard session.handle.allowAgentForwarding() else {
      log.note(
        "Agent forwarding needs libssh2 1.11, this program has \(SessionHandle.libraryVersion)")
      return
    }
    log.debug1("Requesting authentication agent forwarding.")
    try optional("auth-agent-req") { $0.handle.requestAgentForwarding(channel) }
  }

  /// A request that the server may refuse.
  @discardableResult
  private func optional(
    _ name: String, _ step: (SSHSession) -> Step<Void>
  ) throws(Failure) -> Bool {
    do {
      try session.drive(name, step)
      return true
    } catch {
      guard error.cause == .libssh2(SessionHandle.requestDenied) else { throw error }
      log.debug1("\(name) request failed on channel 0")
      return false
    }
  }
}
