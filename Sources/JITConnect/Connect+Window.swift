import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Terminal

extension Connect {
  /// A window that is open or opening, and where to knock.
  struct Window: Sendable {
    /// The policy as it is now known, to be remembered.
    var policy: JITPolicy
    var machine: ResourceID
    var port: Int
    var sources: [SourcePrefix]
    var end: Date
    /// By Azure's clock, as the policy tells it.
    var azureEnd: Date
    /// The port to connect to where a firewall stands before the machine.
    var mappedPort: Int?

    var sourceText: String { sources.map(\.text).joined(separator: ", ") }

    /// As it is kept on disk.
    var record: OwnWindows.Window {
      OwnWindows.Window(
        machine: machine, policy: policy.id, port: port, sources: sources, end: end,
        azureEnd: azureEnd, mappedPort: mappedPort)
    }
  }

  /// Uses a window that is open for these sources, or asks for one.
  func requestWindow(
    _ azure: AzureAccess, _ memory: Memory, _ machine: VirtualMachine, _ policy: JITPolicy,
    port: Int, isRemembered: Bool, _ confirmation: Confirmation,
    from sourcesTowards: (String) async throws(Failure) -> [SourcePrefix]
  ) async throws(Failure) -> Window {
    guard let entry = policy.machine(machine.id) else {
      throw Failure(
        .jitNotEnabled, what: "the policy \(policy.name) does not hold \(machine.name)",
        next: retype("--enable", machine))
    }
    let address = try address(of: machine, entry)
    let sources = try await sourcesTowards(address)
    let own = OwnWindows(world.environment, clock: world.clock)
    let now = world.clock.now()
    let plan = try WindowPlan(
      WindowPlan.Wish(
        machineName: machine.name, port: port, sources: sources,
        duration: options.jit.duration.map { .seconds($0) }, keepsOthers: options.jit.keepOthers),
      entry: entry, windows: policy.windows(of: machine.id),
      // What a remembered policy says of windows is old; our own record is as good as it gets.
      usable: isRemembered ? own.open(on: machine.id, port: port).map(\.plain) : nil, now: now,
      floor: memory.shortestDuration(policy.id), isOwn: { own.holds($0) },
      isShut: { own.isShut($0) })
    switch plan.step {
    case .reuse(let open):
      world.console.note(
        "port \(port) of \(machine.name) is open for \(texts(plan.sources)) until "
          + localTimeText(open.end, now: now))
      let window = Window(
        policy: policy, machine: machine.id, port: port, sources: plan.sources, end: open.end,
        azureEnd: open.azureEnd, mappedPort: open.mappedPort)
      tell(window)
      return window
    case .request(let durations):
      try await nameOthers(plan, machine)
      confirmation.start()
      // What a remembered policy forbids may be allowed by now: it is read first, then other
      // durations are tried.
      let (request, duration) = try await initiate(
        azure, memory, policy, plan, isRemembered ? Array(durations.prefix(1)) : durations,
        machine)
      let granted = request.port(port, of: machine.id)
      if let status = granted?.status, !status.mayOpen { throw refused(machine, port, status) }
      // The difference between Azure's clock and ours is put right.
      let now = world.clock.now()
      let skew = request.serverDate.map { now.timeIntervalSince($0) } ?? 0
      let end = granted?.end.map { $0 + skew } ?? now + duration.timeInterval
      world.console.note(
        "requested port \(port) of \(machine.name) for \(texts(plan.sources)) until "
          + localTimeText(end, now: now))
      let window = Window(
        policy: policy, machine: machine.id, port: port, sources: plan.sources, end: end,
        azureEnd: granted?.end ?? end, mappedPort: granted?.mappedPort)
      own.record(window.record)
      tell(window)
      return window
    }
  }

  /// What stays open when the user breaks off from now on.
  private func tell(_ window: Window) {
    notice.opened(
      port: window.port, of: window.machine.name, for: window.sourceText, until: window.end,
      now: world.clock.now())
  }

  /// Asks for the first duration, and for the next only where that one is refused.
  private func initiate(
    _ azure: AzureAccess, _ memory: Memory, _ policy: JITPolicy, _ plan: WindowPlan,
    _ durations: [Duration], _ machine: VirtualMachine
  ) async throws(Failure) -> (JITRequest, Duration) {
    var refusal: Failure?
    for (index, duration) in durations.enumerated() {
      notice.requested(port: plan.port, of: machine.name, for: texts(plan.sources))
      do throws(Failure) {
        let request = try await azure.policies.initiate(
          policy.id,
          AccessRequest(
            machines: [
              AccessRequest.Machine(
                id: machine.id,
                ports: [
                  AccessRequest.Port(
                    number: plan.port, sources: plan.sources, duration: duration)
                ])
            ], justification: options.jit.reason))
        if index > 0 { memory.keepShortestDuration(duration, policy.id) }
        return (request, duration)
      } catch {
        // The first refusal says what is wrong; later ones only that waiting longer did not help.
        refusal = refusal ?? error
        guard error.code == .policyForbidsDuration || error.code == .policyForbidsRequest else {
          throw error
        }
        world.debug("\(durationText(duration)) refused: \(error)")
      }
    }
    throw refusal ?? Failure(.policyForbidsDuration, what: "no duration is allowed")
  }

  /// Names whose windows a new request may end, before it does: on a terminal it asks.
  private func nameOthers(_ plan: WindowPlan, _ machine: VirtualMachine) async throws(Failure) {
    guard !plan.others.isEmpty else { return }
    let now = world.clock.now()
    let lines = plan.others.map { window in
      let who = window.requestor.map { printable($0, limit: 200) } ?? "somebody"
      let until = window.port.end.map { localTimeText($0, now: now) } ?? "an unknown time"
      return "a window of \(who) to port \(plan.port) of \(machine.name) from "
        + "\(texts(window.port.sources)) is open until \(until)"
    }
    let text = lines.joined(separator: "; ")
    switch await world.ask({ $0.confirm("\(text). A new request may end it. Go on?") }) {
    case .given(true): return
    case .notPossible:
      world.console.warn("\(text); the new request may end it (--keep-others names its source too)")
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    default:
      throw Failure(
        .declined, what: "nothing was requested", why: text,
        next: "jitconnect --keep-others \(machine.name) lets both in")
    }
  }

  func refused(_ machine: VirtualMachine, _ port: Int, _ status: RequestStatus) -> Failure {
    Failure(
      .windowRefused, what: "the window to port \(port) of \(machine.name) was not opened",
      why: "Azure says the request is \(printable(status.rawValue, limit: 60))",
      next: "jitconnect doctor \(machine.name)")
  }

  private func texts(_ sources: [SourcePrefix]) -> String {
    sources.map(\.text).joined(separator: ", ")
  }

  // MARK: Where to knock

  /// The address to connect to.
  func address(
    of machine: VirtualMachine, _ entry: JITPolicy.Machine?
  ) throws(Failure) -> String {
    if let fixed = options.hostName { return fixed }
    let publicAddress = machine.addresses.lazy.compactMap(\.publicIPv4).first
    let privateAddress = machine.addresses.lazy.compactMap(\.privateIPv4).first
    switch options.jit.address {
    case .public:
      if let firewall = entry?.publicIPAddress { return firewall }
      // What is reached through another host needs no public address.
      if isProxied, prefersPrivate || publicAddress == nil, let privateAddress {
        return privateAddress
      }
      if let publicAddress { return publicAddress }
      throw Failure(
        .noPublicAddress, what: "\(machine.name) has no public address",
        why: privateAddress.map { "its private address is \($0)" }
          ?? machine.unread.first.map { "its address could not be read: \($0)" },
        next: "from its own network: --address private; else use a jump host or Azure Bastion")
    case .private:
      if let privateAddress { return privateAddress }
      throw Failure(
        .noPrivateAddress, what: "no private IPv4 address of \(machine.name) is known",
        next: "jitconnect --address public \(machine.name)")
    }
  }
}

extension OwnWindows.Window {
  var plain: WindowPlan.OpenWindow {
    WindowPlan.OpenWindow(
      port: port, sources: sources, end: end, azureEnd: azureEnd, mappedPort: mappedPort)
  }
}
