import Platform

/// How a session begins: channel, variables, terminal, program.
extension SessionLoop {
  func openChannel() throws(Failure) -> ChannelID? {
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
  /// none.
  ///
  /// So a session channel is opened in which nothing is started.
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
  func idle() throws(Failure) -> Bool {
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
