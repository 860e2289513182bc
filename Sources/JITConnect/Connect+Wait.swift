import Azure
import FoundationEssentials
import Platform
import RDP
import SSHConfig
import Terminal

extension Connect {
  /// How long one server may take from the connection to its greeting, unless `ConnectTimeout`
  /// says otherwise.
  static let answerTimeout = Duration.seconds(20)

  /// When a window is open by Azure's word and the port still does not answer, that is told.
  private static let patience = Duration.seconds(30)

  /// Knocks until the port answers, and watches beside it what becomes of the request.
  func waitForPort(
    _ azure: AzureAccess, _ machine: VirtualMachine, _ window: GrantedWindow, _ isDesktop: Bool,
    _ progress: Progress
  ) async throws(Failure) -> AnsweringConnection {
    let address = try address(of: machine, window.policy.machine(machine.id))
    let port = window.mappedPort ?? window.port
    let knock = try await knock(address, port: port, isDesktop ? .rdp : .ssh, machine)
    // Behind the window's end there is nothing to wait for.
    let left = max(window.end.timeIntervalSince(world.clock.now()), 1)
    let limit = min(Duration.seconds(options.jit.wait), Duration.seconds(left))
    progress.show("waiting for port \(port) of \(machine.name)")
    world.debug("Connecting to \(machine.name) [\(address)] port \(port).")
    let watch = Task { [self] in await watchRequest(azure, machine, window) }
    defer { watch.cancel() }
    let own = OwnWindows(world.environment, clock: world.clock)
    do throws(Failure) {
      if let connection = try await race(knock, until: .now + limit, watch) {
        return connection
      }
    } catch {
      if [.windowRefused, .windowVanished].contains(error.code) { own.distrust(window.record) }
      throw error
    }
    own.distrust(window.record)
    let shut = ShutPort(
      world: world, azure: azure, machine: machine, window: window, address: address,
      connectPort: port, settings: options.jit)
    throw await shut.timeout(after: limit)
  }

  /// Blocks until a server answers; nil at the deadline or when told to stop.
  typealias Knock =
    @Sendable (ContinuousClock.Instant, CancellationFlag) throws(Failure)
    -> AnsweringConnection?

  private func knock(
    _ address: String, port: Int, _ greeting: Greeting, _ machine: VirtualMachine
  ) async throws(Failure) -> Knock {
    if let proxy = try proxy(to: address, port: port, machine) {
      world.debug("Executing proxy command: \(proxy.shown)")
      let limit = options.connectTimeout.map { Duration.seconds($0) }
      let probe = ProxyProbe(proxy, greeting, answerTimeout: limit)
      return { deadline, flag throws(Failure) in try probe.wait(until: deadline, flag: flag) }
    }
    let probe = try await probe(address, port: port, greeting)
    return { deadline, flag throws(Failure) in try probe.wait(until: deadline, flag: flag) }
  }

  func probe(_ address: String, port: Int, _ greeting: Greeting) async throws(Failure) -> PortProbe
  {
    var probe = try await PortProbe.resolving(address, port: port, greeting) {
      [options] target throws(Failure) in try options.localAddress(towards: target)
    }
    probe.answerTimeout = options.connectTimeout.map { .seconds($0) } ?? Self.answerTimeout
    return probe
  }

  /// The first of: the port answers, the deadline (nil), the request is refused (thrown).
  func race(
    _ knock: @escaping Knock, until deadline: ContinuousClock.Instant,
    _ watch: Task<Failure?, Never>? = nil
  ) async throws(Failure) -> AnsweringConnection? {
    let flag = CancellationFlag()
    let refusal = Refusal()
    let watching = Task {
      if let failure = await watch?.value {
        refusal.set(failure)
        flag.cancel()
      }
    }
    defer { watching.cancel() }
    let result = await withTaskCancellationHandler {
      await outcomeOfBlocking { () throws(Failure) in
        try knock(deadline, flag)
      }
    } onCancel: {
      flag.cancel()
    }
    if let failure = refusal.failure { throw failure }
    let connection = try result.get()
    if connection == nil, Task.isCancelled { throw Failure(.interrupted, what: "interrupted") }
    return connection
  }

  /// Reads the request every few seconds.
  ///
  /// - Returns: why it will not open; nil when it was told to stop looking.
  private func watchRequest(
    _ azure: AzureAccess, _ machine: VirtualMachine, _ window: GrantedWindow
  ) async -> Failure? {
    let begun = ContinuousClock.now
    var hasTold = false
    var watch = WindowWatch(machine, window)
    var pace = WatchPace()
    var absences = 0
    while (try? await Task.sleep(for: pace.pause())) != nil {
      do throws(Failure) {
        if let refusal = watch.look(at: try await azure.policies.get(window.policy.id)) {
          return refusal
        }
        absences = 0
      } catch {
        if error.code == .notFound {
          // A policy that was just written may not be everywhere yet.
          absences += 1
          if absences > 1 { return .policyDeleted(machine, window) }
          continue
        }
        // Who may request may not always read; the port itself tells in the end.
        if error.code == .notPermitted { return nil }
        pace.heed(error)
        continue
      }
      if watch.wantsRules, let vanished = await watch.lookAtRules(azure) { return vanished }
      if watch.isLetIn, !hasTold, ContinuousClock.now - begun > Self.patience {
        hasTold = true
        world.console.warn(
          "Azure has let in \(window.sourceText), but port \(window.port) does not answer yet. "
            + "If the VM sees another address of yours (VPN, proxy), name it with --source; "
            + "jitconnect doctor \(machine.name) looks at every hop")
      }
    }
    return nil
  }
}

/// A blocking step on a thread of its own, with its typed failure as a value.
func outcomeOfBlocking<Value: Sendable>(
  _ body: @escaping @Sendable () throws(Failure) -> Value
) async -> Result<Value, Failure> {
  do {
    return try await Blocking.run { () -> Result<Value, Failure> in
      do throws(Failure) {
        return .success(try body())
      } catch {
        return .failure(error)
      }
    }
  } catch {
    return .failure(Failure(.systemFailed, what: "\(error)"))
  }
}
