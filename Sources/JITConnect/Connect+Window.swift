import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Terminal

extension Connect {
  /// Uses a window that is open for these sources, or asks for one.
  func requestWindow(
    _ azure: AzureAccess, _ memory: Memory, _ machine: VirtualMachine, _ policy: JITPolicy,
    port: Int, isRemembered: Bool, _ confirmation: Confirmation,
    from sourcesTowards: (String) async throws(Failure) -> [SourcePrefix]
  ) async throws(Failure) -> GrantedWindow {
    guard let entry = policy.machine(machine.id) else {
      throw Failure(
        .jitNotEnabled, what: "the policy \(policy.name) does not hold \(machine.name)",
        next: typed.text(adding: "--enable"))
    }
    let address = try address(of: machine, entry)
    let sources = try await sourcesTowards(address)
    let own = OwnWindows(world.environment, clock: world.clock)
    // Our own record is by this machine's clock, the policy by Azure's.
    let now = isRemembered ? world.clock.now() : world.azureNow
    let plan: WindowPlan
    do throws(Failure) {
      plan = try WindowPlan(
        WindowPlan.Wish(
          machineName: machine.name, port: port, sources: sources,
          duration: options.jit.duration.map { .seconds($0) }, keepsOthers: options.jit.keepOthers),
        entry: entry, windows: policy.windows(of: machine.id),
        // What a remembered policy says of windows is old; our own record is as good as it gets.
        usable: isRemembered ? own.open(on: machine.id, port: port).map(\.plain) : nil, now: now,
        floor: memory.shortestDuration(policy.id), isOwn: { own.holds($0) },
        isShut: { own.isShut($0) })
    } catch {
      throw naming(otherPortOf: entry, in: error)
    }
    switch plan.step {
    case .reuse(let open):
      let window = GrantedWindow(
        open, of: machine.id, policy: policy, plan,
        ahead: isRemembered ? 0 : world.azureTime.ahead)
      world.console.note(
        "port \(port) of \(machine.name) is open for \(texts(plan.sources)) until "
          + localTimeText(window.end, now: world.clock.now()))
      tell(window, machine)
      return window
    case .request(let durations):
      try await world.nameOthers(
        plan.others.map { (machine.name, $0) }, retype: typed.text(adding: "--keep-others"),
        keepsOthers: options.jit.keepOthers)
      confirmation.start()
      // A remembered policy does not know of newer windows: it is read anew beside the request.
      let reading = isRemembered ? Task { try? await azure.policies.get(policy.id) } : nil
      defer { reading?.cancel() }
      // What a remembered policy forbids may be allowed by now: it is read first, then other
      // durations are tried.
      let requests = WindowRequests(
        world: world, azure: azure, memory: memory, reason: options.jit.reason)
      let item = WindowRequests.Item(
        machine: machine, plan: plan,
        durations: isRemembered ? Array(durations.prefix(1)) : durations)
      let granted = try await requests.request([item], by: policy) {
        notice.requested(port: port, of: machine.name, for: texts(plan.sources))
      }
      guard let window = try granted.first?.get() else {
        throw Failure(.azureAnswerInvalid, what: "Azure's answer names no window")
      }
      world.console.note(
        "requested port \(port) of \(machine.name) for \(texts(plan.sources)) until "
          + localTimeText(window.end, now: world.clock.now()))
      tell(window, machine)
      if let current = await reading?.value { nameEnded(current, window, machine) }
      return window
    }
  }

  /// A port that the policy has, in the words that were typed.
  private func naming(otherPortOf entry: JITPolicy.Machine, in failure: Failure) -> Failure {
    guard failure.code == .policyForbidsPort, let port = entry.ports.first(where: \.coversTCP)
    else { return failure }
    var failure = failure
    failure.next = typed.text(adding: "-p", String(port.number))
    return failure
  }

  /// Names other people's windows that nobody knew of when the request was made.
  private func nameEnded(
    _ policy: JITPolicy, _ window: GrantedWindow, _ machine: VirtualMachine
  ) {
    let own = OwnWindows(world.environment, clock: world.clock)
    let now = world.azureNow
    for other in policy.windows(of: machine.id) where other.port.number == window.port {
      let isEnded = other.port.reason?.lowercased() == "newerrequestinitiated"
      guard other.isLive(at: now) || (isEnded && (other.port.end ?? now) > now),
        !own.holds(other),
        !other.port.sources.allSatisfy({ source in
          window.sources.contains { $0.contains(source) }
        })
      else { continue }
      world.console.warn(
        "\(other.text(on: machine.name, now: now)); the request just made may have ended it "
          + "(--keep-others names its source too)")
    }
  }

  /// What stays open when the user breaks off from now on.
  private func tell(_ window: GrantedWindow, _ machine: VirtualMachine) {
    used.add(window.record, machine)
    notice.opened(
      port: window.port, of: window.machine.name, for: window.sourceText, until: window.end,
      now: world.clock.now())
  }

  // MARK: Where to knock

  /// The address to connect to.
  func address(
    of machine: VirtualMachine, _ entry: JITPolicy.Machine?
  ) throws(Failure) -> String {
    if let fixed = options.hostName { return fixed }
    let hasPublic = machine.addresses.contains { $0.publicIPv4 != nil }
    return try machine.address(
      options.jit.address, entry, prefersPrivate: isProxied && (prefersPrivate || !hasPublic))
  }
}

extension OwnWindows.Window {
  var plain: WindowPlan.OpenWindow {
    WindowPlan.OpenWindow(
      port: port, sources: sources, end: end, azureEnd: azureEnd, mappedPort: mappedPort)
  }
}
