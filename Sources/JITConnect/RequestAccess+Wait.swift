import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Terminal

extension RequestAccess {
  /// How many ports are knocked at in the same moment; each takes a thread and a socket or more.
  private static let mostKnocks = 200

  /// Knocks at every port side by side until it answers, its time is over, or its request fails.
  func wait(_ accesses: inout [PortAccess]) async {
    let waiting = accesses.indices.filter { index in
      let access = accesses[index]
      return access.isGoing && access.window != nil && access.answersToKnocks
    }
    let watched = waiting.compactMap { WatchedPort(accesses[$0]) }
    guard !waiting.isEmpty else { return }
    let ports = waiting.count == 1 ? "port" : "\(waiting.count) ports"
    progress.show("waiting for the \(ports)")
    let watch = watchRequests(watched)
    defer { watch.cancel() }
    let few = watched.count <= 50
    let results = await sideBySide(watched, limit: Self.mostKnocks) { port in
      await knock(at: port, few)
    }
    for (index, result) in zip(waiting, results) {
      switch result {
      case .success: accesses[index].answers = true
      case .failure(let failure):
        accesses[index].answers = false
        accesses[index].failure = failure
      }
    }
  }

  private func knock(at port: WatchedPort, _ few: Bool) async -> Result<Void, Failure> {
    defer { port.end() }
    return await outcome { () async throws(Failure) in
      let access = port.access
      let machine = port.machine
      guard let window = access.window, let address = access.address,
        let number = access.connectPort
      else { return }
      let greeting: Greeting =
        switch window.port {
        case Connect.sshPort: .ssh
        case Connect.rdpPort: .rdp
        default: .anything
        }
      var probe = try await PortProbe.resolving(address, port: number, greeting)
      // 200 ports with four sockets each would be more than a process may have.
      if !few { (probe.mostAttempts, probe.interval) = (1, .seconds(1)) }
      let left = max(window.end.timeIntervalSince(world.clock.now()), 1)
      let limit = min(Duration.seconds(access.settings.wait), .seconds(left))
      let answered = await withTaskCancellationHandler {
        await outcomeOfBlocking { [probe] () throws(Failure) in
          try probe.wait(until: .now + limit, flag: port.flag)
        }
      } onCancel: {
        port.flag.cancel()
      }
      let own = OwnWindows(world.environment, clock: world.clock)
      if let failure = port.refusal {
        own.distrust(window.record)
        throw failure
      }
      do throws(Failure) {
        if try answered.get() != nil { return }
      } catch {
        // Something else answers there: the port is open all the same.
        if error.code == .protocolFailed { return }
        throw error
      }
      if Task.isCancelled { throw Failure(.interrupted, what: "interrupted") }
      own.distrust(window.record)
      let shut = ShutPort(
        world: world, azure: azure, machine: machine, window: window, address: address,
        connectPort: number, settings: access.settings)
      throw await shut.timeout(after: limit)
    }
  }
}

extension PortAccess {
  /// Whether somebody can knock: UDP has no answer, and behind another host nobody is there.
  fileprivate var answersToKnocks: Bool {
    guard let machine, let port, !isProxied else { return false }
    let rules = policy?.machine(machine.id)?.ports.filter { $0.number == port } ?? []
    return rules.isEmpty || rules.contains(where: \.coversTCP)
  }
}
