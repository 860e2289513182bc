import Platform

/// How a session begins: channel, variables, terminal, program.
extension SessionLoop {
  func openChannel() throws(Failure) -> ChannelID? {
    let window: UInt32 =
      switch request.program {
      case .command, .subsystem: request.terminal == nil ? transferWindow : 2 << 20
      default: 2 << 20
      }
    if request.program == .none { return try openIdleChannel() }
    if case .forward(let host, let port) = request.program {
      return try session.drive(
        "opening the connection to \(host) port \(port)", alive: freshAlive
      ) {
        $0.handle.openForward(
          to: host, port: port, from: "127.0.0.1", sourcePort: 65535, window: window)
      }
    }
    let channel = try session.drive("opening the session", alive: freshAlive) {
      $0.handle.openSession(window: window)
    }
    if request.agentSocket != nil { try forwardAgent(channel) }
    // libssh2 can send one request of a kind before the last has been answered, but requests of
    // different kinds one behind the other: the last variable, the terminal and the program.
    var requests: [Request] = []
    for (name, value) in request.environment {
      if !requests.isEmpty {
        try send(requests)
        requests = []
      }
      // Longer than a packet of libssh2's, which would break off the session.
      guard name.utf8.count + value.utf8.count <= Self.longestVariable else {
        log.note("The variable \(printable(name)) is too long to be sent: left out")
        continue
      }
      log.debug1("channel 0: setting env \(printable(name)) = \"\(printable(value))\"")
      requests.append(
        Request(name: "env") { $0.handle.setEnvironment(channel, name: name, value: value) })
    }
    if let terminal = request.terminal {
      let modes = TerminalModes.encode(
        terminal.settings, limit: 256 - terminal.name.utf8.count)
      requests.append(
        Request(name: "pty-req") { [streams] in
          // The window may have changed since the beginning of the login.
          let size = streams.terminal.flatMap(TerminalSize.of) ?? terminal.size
          return $0.handle.requestTerminal(
            channel, term: terminal.name, modes: modes, size: size)
        })
    }
    if let (kind, argument) = program {
      requests.append(
        Request(name: kind) { $0.handle.start(channel, request: kind, argument: argument) })
    }
    let refused = try send(requests)
    if refused.contains("pty-req") { log.note("PTY allocation request failed on channel 0") }
    if let (kind, _) = program, refused.contains(kind) {
      throw Failure(
        .protocolFailed, what: "\(kind) request failed on channel 0",
        why: "the server \(session.peer.name) refused it")
    }
    return channel
  }

  private static let longestVariable = 32_000

  /// The request that starts the program, and what goes with it.
  private var program: (kind: String, argument: [UInt8]?)? {
    switch request.program {
    case .shell: ("shell", nil)
    case .command(let bytes): ("exec", bytes)
    case .subsystem(let name): ("subsystem", Array(name.utf8))
    case .none, .forward: nil
    }
  }

  /// What a server may send unasked where a transfer is likely: 16 MiB, or on a near server less.
  ///
  /// sshd reads ahead up to the window, and the more it holds the more each packet costs it: on
  /// loopback 256 MiB took three times as long with 16 MiB as with 2 MiB (OpenSSH's own figure).
  /// A round trip is shorter than the key exchange, so the smaller one carries what ssh carries.
  private var transferWindow: UInt32 {
    session.handshakeTime.map { $0 < .milliseconds(50) } == true ? 2 << 20 : 16 << 20
  }

  /// libssh2 reads from the connection only on behalf of a channel, and with `-N` there may be
  /// none.
  ///
  /// So a session channel is opened in which nothing is started.
  private func openIdleChannel() throws(Failure) -> ChannelID? {
    do {
      return try session.drive("opening the session", alive: freshAlive) {
        $0.handle.openSession(window: 1 << 17)
      }
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
    case .ready(let channel):
      // Nobody should have opened it.
      _ = session.handle.close(channel)
      isAsking = false
      return true
    case .failed:
      isAsking = false
      return true
    }
  }

  /// Makes the server say something, if it still can: it refuses a channel of no known kind.
  ///
  /// Not by libssh2's own keep-alive, whose answers it never gives up, and which thinks in whole
  /// seconds of another clock.
  func askWhetherAlive() {
    if forwarding.isOpening {
      session.handle.sendKeepAlive()
    } else {
      isAsking = true
    }
  }

  private func forwardAgent(_ channel: ChannelID) throws(Failure) {
    guard session.handle.allowAgentForwarding() else {
      log.note(
        "Agent forwarding needs libssh2 1.11, this program has \(SessionHandle.libraryVersion)")
      return
    }
    log.debug1("Requesting authentication agent forwarding.")
    try send([Request(name: "auth-agent-req") { $0.handle.requestAgentForwarding(channel) }])
  }

  /// A request on the session's channel, which the server may refuse.
  private struct Request {
    var name: String
    var step: (SSHSession) -> Step<Void>
  }

  /// Sends requests of different kinds in one go and takes their answers in the same order.
  ///
  /// - Returns: the names of those that the server refused.
  @discardableResult
  private func send(_ requests: [Request]) throws(Failure) -> Set<String> {
    var open = requests
    var refused: Set<String> = []
    var isSent = false
    try session.drive("opening the session", alive: freshAlive) { session -> Step<Void> in
      var waiting: [Request] = []
      for request in open {
        // Once all are sent, none is asked before those ahead of it: an answer does not say whose
        // it is.
        if isSent, !waiting.isEmpty {
          waiting.append(request)
          continue
        }
        switch request.step(session) {
        case .wouldBlock: waiting.append(request)
        case .ready: break
        case .failed(let error) where error.code == SessionHandle.requestDenied:
          log.debug1("\(request.name) request failed on channel 0")
          refused.insert(request.name)
        case .failed(let error): return .failed(error)
        }
      }
      isSent = true
      open = waiting
      return open.isEmpty ? .ready(()) : .wouldBlock
    }
    return refused
  }
}
