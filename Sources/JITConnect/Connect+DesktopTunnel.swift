import Azure
import Platform
import RDP
import SSH
import SSHConfig
import Terminal

extension Connect {
  /// RDP through the SSH session: the desktop's client goes to a port of loopback.
  ///
  /// - Parameter isConfirmed: whether Azure has said which machine it is.
  /// - Returns: the client's exit status; without a client the session stands until it is interrupted.
  func openDesktopBehindSSH(
    _ machine: VirtualMachine?, _ connection: AnsweringConnection, isConfirmed: Bool
  ) async throws -> Int32 {
    let plan = try await desktop.plan(world, options, commandLine)
    let tunnel = try DesktopTunnel(to: plan.settings.portBehindSSH ?? 3389)
    let session = SessionPlan(
      self, machine: machine, isConfirmed: isConfirmed, tunnel: tunnel)
    let clients = try DesktopClients()
    world.debug("a port of loopback leads to the desktop: \(tunnel.entrance)")
    let work = Task { [self] () -> Result<Int32?, Failure> in
      guard await tunnel.stands() else { return .success(nil) }
      let result = await outcome { () async throws(Failure) in
        try await openDesktop(of: machine, through: tunnel, clients)
      }
      // Without a client it is the user who ends it.
      if case .success(nil) = result { return result }
      tunnel.finish()
      return result
    }
    let ending: Ending?
    do {
      ending = try await session.run(over: connection)
    } catch {
      await leave(tunnel, clients, work)
      throw error
    }
    let result = await leave(tunnel, clients, work)
    guard let ending else {
      // The key is not the pinned one: Azure says first which machine is meant.
      guard case .ssh(let machine, let connection, _) = try await findWay(usingMemory: false) else {
        throw Failure(.hostKeyChanged, what: "\(options.originalHost) is another machine now")
      }
      return try await openDesktopBehindSSH(machine, connection, isConfirmed: true)
    }
    if case .interrupted(let signal) = ending, case .success(nil) = result { return 128 + signal }
    return try result.get() ?? 0
  }

  /// Waits for what goes on beside the session, which has ended.
  @discardableResult
  private func leave(
    _ tunnel: DesktopTunnel, _ clients: DesktopClients, _ work: Task<Result<Int32?, Failure>, Never>
  ) async -> Result<Int32?, Failure> {
    tunnel.sessionHasEnded()
    work.cancel()
    // Nothing leads to the machine any more.
    clients.end()
    return await work.value
  }

  /// - Returns: the client's exit status; nil where only a file was made.
  private func openDesktop(
    of machine: VirtualMachine?, through tunnel: DesktopTunnel, _ clients: DesktopClients
  ) async throws(Failure) -> Int32? {
    var probe = PortProbe(tunnel.entrance, .rdp)
    // Each knock is a channel that the SSH server is asked for.
    probe.interval = .seconds(1)
    let knock: Knock = { [probe] deadline, flag throws(Failure) in
      try probe.wait(until: deadline, flag: flag)
    }
    guard let connection = try await race(knock, until: .now + Self.patienceBehindSSH) else {
      throw Failure(
        .forwardingFailed, what: "no RDP server answers behind the SSH server",
        why: tunnel.refusal ?? "nothing came within \(elapsedText(Self.patienceBehindSSH))",
        next: "--via-ssh=PORT names another port; the SSH server must allow forwarding")
    }
    let reached = ReachedDesktop(machine: machine, connection: connection, end: notice.end)
    let delivery = try hand(out: try await prepare(reached), isAlone: true)
    defer { delivery.clearUp() }
    do {
      try tell([delivery])
    } catch {
      throw error as? Failure ?? Failure(.systemFailed, what: "\(error)")
    }
    guard let session = delivery.session, let client = delivery.client else {
      world.console.note("the way to it stays open until this program is ended (Ctrl-C)")
      return nil
    }
    try clients.start(client, for: session, world.environment)
    let statuses = await outcomeOfBlocking { () throws(Failure) in
      clients.wait(passesSignals: false)
    }
    delivery.waitForHandover()
    return try statuses.get().first ?? 0
  }

  private static let patienceBehindSSH = Duration.seconds(10)
}
