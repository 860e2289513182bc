import Azure
import FoundationEssentials
import Platform
import SSHConfig

extension Connect {
  /// Connects at once where a window of ours is known to be open and the machine's key is pinned:
  /// a wrong machine at a remembered address cannot pass for the right one.
  ///
  /// - Returns: nil where that is not so or nothing answers soon; then the flow asks Azure.
  func reuseOpenWindow(
    on known: Memory.Machine
  ) async throws(Failure) -> AnsweringConnection? {
    let machine = known.machine
    let own = OwnWindows(world.environment, clock: world.clock)
    let now = world.clock.now()
    // OpenSSH knows nothing of a connection that may turn out to be to another machine.
    guard !isDesktop(machine) || goesBehindSSH, isDesktop(machine) || !commandLine.has(.json),
      !isProxied, !commandLine.has(.stdio),
      options.jit.client == .libssh2,
      HostKeyFiles(world.environment, options, machine).hasPin,
      let window = own.open(on: machine.id, port: options.port).first(where: { window in
        let wanted = options.jit.duration.map { Double($0) } ?? 60
        return window.end.timeIntervalSince(now) >= max(wanted, 60)
      }),
      case .auto = options.jit.source,
      let address = try? address(of: machine, known.policy?.machine(machine.id)),
      let probe = try? await probe(address, port: window.mappedPort ?? window.port, .ssh)
    else { return nil }
    // An address that is no longer ours is noticed beside it, and ends the attempt.
    let moved = Task { [self] () -> Failure? in
      guard
        let source = try? await world.sources(
          options.jit, isConfirmed: false,
          towardsPrivate: options.jit.address == .private ? address : nil
        ).first,
        !window.sources.contains(where: { $0.contains(source) })
      else { return nil }
      return Failure(.addressUnclear, what: "the window is for another address")
    }
    defer { moved.cancel() }
    world.debug("Connecting to \(machine.name) [\(address)] port \(probe.address.port).")
    let knock: Knock = { deadline, flag throws(Failure) in
      try probe.wait(until: deadline, flag: flag)
    }
    notice.opened(
      port: window.port, of: machine.name,
      for: window.sources.map(\.text).joined(separator: ", "), until: window.end, now: now)
    do throws(Failure) {
      if let connection = try await race(knock, until: .now + Self.reusePatience, moved) {
        used.add(window, machine)
        return connection
      }
      world.debug("the window that was open does not answer")
      own.distrust(window)
    } catch {
      if error.code == .interrupted { throw error }
      world.debug("the window that was open does not serve: \(error)")
    }
    return nil
  }

  /// How long a window that should be open may take to answer.
  private static let reusePatience = Duration.seconds(3)
}
