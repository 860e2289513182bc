package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension SSHSession {
  /// Runs a shell, a command, a subsystem or nothing until it ends; blocks for that long.
  ///
  /// Watches SIGINT, SIGTERM, SIGHUP and SIGQUIT, unless they are ignored, and leaves them watched:
  /// what they mean afterwards is the caller's to say. SIGPIPE is ignored from here on.
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
  var typed = ByteQueue()
  var inputHasEnded = false
  var hasSentEnd = false
  var needsResize = false
  var escapes: EscapeFilter?
  var terminal: RawTerminal?
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  /// When the reader of our output went away.
  var outputLost: ContinuousClock.Instant?
  var ending: Ending?
  var isAsking = false
  /// A signal or `~.`: nothing is waited for any more.
  var hasLeft = false
  var alive: ServerAlive?
  let forwarding: Forwarding

  /// Read ahead of the channel at most this much: two of the packets that libssh2 makes, so that
  /// no small one is left over.
  private static let inputLimit = 2 * 32700

  init(session: SSHSession, request: SessionRequest, streams: SessionStreams) {
    self.session = session
    self.request = request
    self.streams = streams
    output = OutputSink(streams.output)
    error = OutputSink(streams.error)
    // -N leaves standard input alone: it belongs to the shell, or to the loop around us.
    inputHasEnded = streams.input == nil || request.program == .none
    hasSentEnd = request.program == .none
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
    try request.whenStanding()
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
      if isOver, let ending { return finish(ending) }
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
      let taken = session.context.takenCount
      moves = try moveOutput()
      if try moveInput() { moves = true }
      if forwarding.service(mayOpen: !isAsking) { moves = true }
      if session.context.takenCount != taken { moves = true }
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
          unsafe buffer.withUnsafeBytes { unsafe sink.take(.init(rebasing: $0[..<count])) }
          if stream == 0, sink.problem != nil { try outputGone() }
        case .ready, .wouldBlock: break reading
        case .failed(let error): throw session.failure("the session", error)
        }
      }
    }
    if output.isFull || error.isFull, case .failed(let error) = session.handle.drain(channel) {
      throw session.failure("the session", error)
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

  /// ssh tells the server that nobody reads any more, which libssh2 cannot.
  ///
  /// What was under way may still come and is dropped; whoever goes on writing after that loses the
  /// channel.
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
    if needsResize, request.terminal != nil, let size = streams.terminal.flatMap(TerminalSize.of) {
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
    // A connection that has ended is always "ready": polling it would spin.
    let isOver = context.hasEnded && context.outgoing.isEmpty
    var polls = [
      pollfd(fd: isOver ? -1 : session.socketNumber, events: session.pollEvents, revents: 0)
    ]
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
    polls.append(
      pollfd(
        fd: ending == nil ? request.stop ?? -1 : -1, events: Int16(POLLIN), revents: 0))
    let forwardsStart = polls.count
    forwarding.addPolls(to: &polls)
    var timeout: Int32 = forwarding.isPaused ? 1000 : -1
    if let alive {
      let left = milliseconds(max(alive.deadline - .now, .zero))
      timeout = timeout < 0 ? left : min(timeout, left)
    }
    if context.isStalled { timeout = 0 }
    if unsafe poll(&polls, nfds_t(polls.count), timeout) > 0 {
      if polls[1].revents != 0 { handleSignals() }
      if polls[3].revents != 0 { output.push(isReady: true) }
      if polls[4].revents != 0 { error.push(isReady: true) }
      if output.problem != nil, outputLost == nil { try outputGone() }
      if polls[2].revents != 0 { readInput() }
      if polls[0].revents != 0 { session.receive() }
      if polls[5].revents != 0 { ending = .finished }
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
      if escapes != nil {
        let bytes = try readSome(input, limit: Self.inputLimit)
        inputHasEnded = bytes.isEmpty
        for piece in escapes?.feed(bytes) ?? [] { act(piece) }
        return
      }
      let count = try valueOrSystemError {
        unsafe typed.fill(Self.inputLimit - typed.count) {
          unsafe read(input, $0.baseAddress, $0.count)
        }
      }
      if count == 0 { inputHasEnded = true }
    } catch {
      // EAGAIN: somebody else made the descriptor non-blocking. Anything else is the end.
      if error.number != EAGAIN { inputHasEnded = true }
    }
  }

  // MARK: The end

  private func finish(_ ending: Ending) -> Ending {
    switch ending {
    case .exited, .signalled, .finished: deliverRest()
    // Somebody wants this to end, perhaps just because nobody reads.
    case .noStatus, .interrupted:
      output.push(isReady: false)
      error.push(isReady: false)
    }
    log.debug1(
      "Transferred: sent \(session.sentCount), received \(session.receivedCount) bytes")
    log.debug1("Exit status \(ending.status)")
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
      if polls[2].revents != 0,
        Signals.arrived().contains(where: { ![SIGWINCH, SIGCONT].contains($0) })
      {
        return
      }
      if polls[0].revents != 0 { output.push(isReady: true) }
      if polls[1].revents != 0 { error.push(isReady: true) }
    }
  }
}
