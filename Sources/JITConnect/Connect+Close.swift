import Azure
import Platform
import SSHConfig
import Synchronization
import Terminal

/// What a run has opened or used, to be closed at its end.
final class UsedWindows: Sendable {
  typealias Use = (window: OwnWindows.Window, machine: VirtualMachine)

  private let uses = Mutex<[Use]>([])

  func add(_ window: OwnWindows.Window, _ machine: VirtualMachine) {
    uses.withLock { uses in
      if !uses.contains(where: { $0.window == window }) { uses.append((window, machine)) }
    }
  }

  var last: Use? { uses.withLock { $0.last } }

  func take() -> [Use] {
    uses.withLock { uses in
      defer { uses = [] }
      return uses
    }
  }
}

extension Connect {
  /// How often the rule of a session's window is looked at: it has to be seen once to be missed.
  private static var rulePace: WatchPace { WatchPace(from: .seconds(5), to: .seconds(60)) }

  /// Runs a session, and tells where the rule of its window vanishes meanwhile: the session goes
  /// on, but the next connection would fail.
  func watchingRules<Value: Sendable>(
    _ session: () async throws -> Value
  ) async throws -> Value {
    guard let (window, machine) = used.last else { return try await session() }
    // A terminal belongs to the session: there it is told when that has ended.
    let tellsAtOnce = options.sessionType == .none || commandLine.has(.stdio)
    let watch = Task { [self] () -> Failure? in
      guard let azure = try? await AzureAccess(world, options.jit) else { return nil }
      var rule = RuleWatch(machine: machine, window: window)
      var pace = Self.rulePace
      while world.clock.now() < window.end, !rule.isBlind {
        guard (try? await Task.sleep(for: pace.pause())) != nil else { return nil }
        guard let vanished = await rule.look(azure) else { continue }
        if tellsAtOnce { world.console.warn("\(vanished)") }
        return vanished
      }
      return nil
    }
    defer { watch.cancel() }
    let value = try await session()
    watch.cancel()
    if let vanished = await watch.value, !tellsAtOnce { world.console.warn("\(vanished)") }
    return value
  }

  /// How long closing may keep a session that has ended.
  private static let closingLimit = Duration.seconds(30)

  /// `JitCloseOnExit`: ends the windows of this run, however it came to its end, and says what
  /// became of them.
  func closeOnExit() async {
    guard options.jit.closeOnExit else { return }
    let uses = used.take()
    guard !uses.isEmpty else { return }
    // The signal that ended the session has been taken; another one ends this.
    let closing = Task { [self] in
      try await Interrupts().during {
        let windows = uses.map(\.window)
        for (window, machine) in uses { await close(window, on: machine, beside: windows) }
      }
    }
    let limit = Task {
      if (try? await Task.sleep(for: Self.closingLimit)) != nil { closing.cancel() }
    }
    defer { limit.cancel() }
    do {
      try await closing.value
    } catch {
      world.console.warn("the window may stay open: closing it was broken off")
    }
  }

  private func close(
    _ window: OwnWindows.Window, on machine: VirtualMachine, beside uses: [OwnWindows.Window]
  ) async {
    do throws(Failure) {
      let azure = try await AzureAccess(world, options.jit)
      let policy = try await azure.policies.get(window.policy)
      let closing = CloseWindows(
        world, azure, keepsOthers: options.jit.keepOthers, mayAsk: false)
      // The same rule may serve a window of another policy.
      let others = try? await azure.policies.list(
        subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
      var closed: [ClosedWindow] = []
      try await closing.close(
        [window], on: machine, policy, beside: uses.filter { $0.machine == machine.id },
        among: others ?? [], into: &closed)
      for closed in closed { tell(closed) }
    } catch {
      let until = localTimeText(window.end, now: world.clock.now())
      world.console.warn(
        "port \(window.port) of \(machine.name) stays open until \(until): \(error)")
    }
  }

  private func tell(_ closed: ClosedWindow) {
    let now = world.clock.now()
    let port = "port \(closed.port) of \(closed.machine.name)"
    switch closed.ending {
    case .ruleDeleted:
      notice.closed(port: closed.port, of: closed.machine.name)
      world.console.note("closed \(port): its rule was deleted")
    case .over:
      notice.closed(port: closed.port, of: closed.machine.name)
      world.console.note("\(port) is closed already")
    case .superseded(let end):
      notice.opened(
        port: closed.port, of: closed.machine.name, for: texts(closed.sources), until: end, now: now
      )
      world.console.note(
        "\(port) closes at \(localTimeText(end, now: now)): a shorter request took its place")
    case .left(let end, let stay):
      world.console.warn(
        "\(port) \(stay.isOpen ? "stays" : "may still") open until "
          + "\(localTimeText(end, now: now)): \(stay.why)")
    case .notOwn, .planned: break
    }
  }
}
