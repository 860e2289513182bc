import Azure
import Platform
import SSHConfig
import Terminal

extension RequestAccess {
  // MARK: The machines

  /// Each port of each machine once, however many names lead to it: to ask for a window is not
  /// idempotent.
  func find(_ choice: Choice) async throws(Failure) -> [PortAccess] {
    var seen: Set<Place> = []
    return try await findEach(choice).filter { access in
      guard let machine = access.machine, let port = access.port else { return true }
      return seen.insert(Place(machine: machine.id, port: port)).inserted
    }
  }

  private struct Place: Hashable {
    var machine: ResourceID
    var port: Int
  }

  private func findEach(_ choice: Choice) async throws(Failure) -> [PortAccess] {
    switch choice {
    case .named(let wishes):
      let found = try await search.findAll(wishes.map(\.target))
      var accesses: [PortAccess] = []
      for (wish, result) in zip(wishes, found) {
        switch result {
        case .success(let machine):
          accesses += ports(wish.ports, of: machine).map {
            PortAccess(
              name: machine.name, machine: machine, port: $0, settings: wish.settings,
              isProxied: wish.isProxied)
          }
        case .failure(let failure) where failure.code == .interrupted: throw failure
        case .failure(let failure):
          let ports = wish.ports.isEmpty ? [nil] : wish.ports.map { $0 as Int? }
          accesses += ports.map { port in
            var access = PortAccess(
              name: wish.target.name.description, port: port, settings: wish.settings)
            access.failure = failure
            return access
          }
        }
      }
      return accesses
    case .fleet(let filter, let chosen, let settings):
      var machines: [VirtualMachine] = []
      let unread = try await azure.directory.fleet(filter) { machines += $0 }
      for place in unread { world.console.warn("not searched: \(place)") }
      guard !machines.isEmpty else {
        throw Failure(
          .vmNotFound, what: "no virtual machine matches",
          next: "check the tag and the group, and that this account may read the VMs")
      }
      return machines.flatMap { machine in
        ports(chosen, of: machine).map {
          PortAccess(name: machine.name, machine: machine, port: $0, settings: settings)
        }
      }
    }
  }

  private func ports(_ chosen: [Int], of machine: VirtualMachine) -> [Int] {
    if !chosen.isEmpty { return chosen }
    return [machine.operatingSystem == .windows ? Connect.rdpPort : Connect.sshPort]
  }

  // MARK: Their policies

  /// The policies in sight of each resource group, each subscription read once; by
  /// ``place(_:)``.
  func readPolicies(of accesses: [PortAccess]) async -> [String: Result<[JITPolicy], Failure>] {
    var groups: [String: (id: String, groups: [String])] = [:]
    for machine in accesses.compactMap(\.machine) {
      let key = machine.subscriptionID.lowercased()
      let group = machine.resourceGroup.lowercased()
      if !(groups[key]?.groups.contains(group) ?? false) {
        groups[key, default: (machine.subscriptionID, [])].groups.append(group)
      }
    }
    let places = groups.values.sorted { $0.id < $1.id }
    let lists = await sideBySide(places) { [azure] place in
      await azure.policies.lists(subscription: place.id, resourceGroups: place.groups)
    }
    var all: [String: Result<[JITPolicy], Failure>] = [:]
    for (place, groups) in zip(places, lists) {
      for (group, result) in groups { all["\(place.id.lowercased())/\(group)"] = result }
    }
    return all
  }

  private func place(_ machine: VirtualMachine) -> String {
    "\(machine.subscriptionID)/\(machine.resourceGroup)".lowercased()
  }

  /// Gives each machine the policy that counts; offers to enable it where there is none.
  func takePolicies(
    _ accesses: inout [PortAccess], _ policies: [String: Result<[JITPolicy], Failure>]
  ) async throws(Failure) {
    var enabled: [ResourceID: JITPolicy] = [:]
    for index in accesses.indices where accesses[index].isGoing {
      guard let machine = accesses[index].machine else { continue }
      switch policies[place(machine)] {
      case .failure(let failure): accesses[index].failure = failure
      case .success(let all):
        let policy = JITPolicies.policies(of: machine.id, location: machine.location, in: all).first
        if let policy = policy ?? enabled[machine.id] {
          accesses[index].policy = policy
          continue
        }
        let ports = accesses.filter { $0.machine?.id == machine.id }.compactMap(\.port)
        do throws(Failure) {
          let policy = try await enable(machine, ports, all, accesses[index].settings)
          enabled[machine.id] = policy
          accesses[index].policy = policy
        } catch {
          if error.code == .interrupted { throw error }
          for other in accesses.indices where accesses[other].machine?.id == machine.id {
            accesses[other].failure = error
          }
        }
      case nil: break
      }
    }
  }

  private func enable(
    _ machine: VirtualMachine, _ ports: [Int], _ known: [JITPolicy], _ settings: JitSettings
  ) async throws(Failure) -> JITPolicy {
    guard !isDryRun, try await world.mayEnable(machine, ports: ports, settings.enable) else {
      let named = ports.flatMap { ["--port", String($0)] }
      throw .jitNotEnabled(
        machine, next: shellLine(["jitconnect", "enable"] + named + [machine.shortPath]))
    }
    progress.show("enabling just-in-time access on \(machine.name)")
    let named = ports.map { " --port \($0)" }.joined()
    let work = PolicyWork(
      world, azure, isConfirmed: true, dropsDeleted: false,
      retype: "jitconnect enable \(machine.id.text)\(named)", progress: progress)
    return try await work.enable(machine, ports: ports, known: known, proofs: proofs)
  }

  /// A machine with its ports, as this verb takes it.
  private func named(_ machine: VirtualMachine, _ ports: [Int]) -> String {
    shellLine(["\(machine.shortPath):\(ports.map(String.init).joined(separator: ","))"])
  }

  // MARK: Their power

  /// Starts what is stopped, where that was asked for.
  func ensureRunning(_ accesses: inout [PortAccess]) async throws(Failure) {
    var stopped: [VirtualMachine] = []
    for access in accesses {
      guard let machine = access.machine, access.isGoing, !machine.mayRun,
        !stopped.contains(where: { $0.id == machine.id })
      else { continue }
      stopped.append(machine)
    }
    guard !stopped.isEmpty else { return }
    // Resource Graph's word may be minutes old.
    let read = await sideBySide(stopped) { [azure] machine in
      await outcome { () async throws(Failure) in
        try await azure.directory.get(machine.id, known: machine)
      }
    }
    var chosen: [VirtualMachine] = []
    var results: [ResourceID: Result<VirtualMachine, Failure>] = [:]
    for (machine, result) in zip(stopped, read) {
      results[machine.id] = result
      guard let current = try? result.get(), !current.mayRun,
        let settings = accesses.first(where: { $0.machine?.id == machine.id })?.settings
      else { continue }
      let state = current.powerState ?? .stopped
      if isDryRun, settings.start == .ask {
        world.console.remark("# \(current.name) is \(state); --start starts it first")
        continue
      }
      if try await world.mayStart(current, state, settings.start) {
        chosen.append(current)
      } else {
        results[machine.id] = .failure(
          .notRunning(
            current, state,
            next: "\(command) --start "
              + named(
                current,
                accesses.filter { $0.machine?.id == machine.id }.compactMap(\.port))))
      }
    }
    if isDryRun {
      for machine in chosen { calls.add(azure.directory.startCall(machine.id)) }
    } else if !chosen.isEmpty {
      progress.show("starting \(chosen.map(\.name).joined(separator: ", "))")
      let started = await sideBySide(chosen) { [azure, progress] machine in
        await outcome { () async throws(Failure) in
          try await azure.directory.start(machine.id) { _ in progress.tick() }
          return try await azure.directory.get(machine.id, known: machine)
        }
      }
      for (machine, result) in zip(chosen, started) { results[machine.id] = result }
    }
    for index in accesses.indices {
      guard let id = accesses[index].machine?.id, let result = results[id] else { continue }
      switch result {
      case .success(let machine): accesses[index].machine = machine
      case .failure(let failure): accesses[index].failure = failure
      }
    }
  }

  // MARK: The windows

  /// Plans a window for each port.
  func plan(
    _ accesses: inout [PortAccess], _ publicSource: Task<Result<[SourcePrefix], Failure>, Never>?
  ) async throws(Failure) {
    let own = OwnWindows(world.environment, clock: world.clock)
    let now = world.azureNow
    var settled: [String: Result<[SourcePrefix], Failure>] = [:]
    var floors: [ResourceID: Duration?] = [:]
    for index in accesses.indices where accesses[index].isGoing {
      let access = accesses[index]
      guard let machine = access.machine, let policy = access.policy, let port = access.port,
        let entry = policy.machine(machine.id)
      else { continue }
      do throws(Failure) {
        if access.isProxied, fixedSources == nil, case .auto = access.settings.source {
          throw Failure(
            .addressUnclear, what: "\(machine.name) is reached through another host",
            why: "it sees that host's address, not yours",
            next: "name the address that it will see: --source ADDRESS")
        }
        let address = try address(of: machine, entry, access)
        accesses[index].address = address
        let sources = try await sources(access.settings, address, publicSource, &settled)
        let floor = floors[policy.id] ?? memory.shortestDuration(policy.id)
        floors[policy.id] = floor
        let plan = try WindowPlan(
          WindowPlan.Wish(
            machineName: machine.name, port: port, sources: sources,
            duration: access.settings.duration.map { .seconds($0) },
            keepsOthers: access.settings.keepOthers, needsTCP: false),
          entry: entry, windows: policy.windows(of: machine.id), now: now, floor: floor,
          isOwn: { own.holds($0) }, isShut: { own.isShut($0) })
        accesses[index].plan = plan
        switch plan.step {
        case .reuse(let open):
          accesses[index].window = GrantedWindow(
            open, of: machine.id, policy: policy, plan, ahead: world.azureTime.ahead)
        case .request(let durations): accesses[index].duration = durations.first
        }
      } catch {
        if error.code == .interrupted || error.code == .declined { throw error }
        var failure = error
        if failure.code == .policyForbidsPort, let other = entry.ports.first {
          failure.next = "\(command) \(named(machine, [other.number]))"
        }
        accesses[index].failure = failure
      }
    }
  }

  /// Nil where the ports are not waited for and there is none: the window needs no address.
  private func address(
    of machine: VirtualMachine, _ entry: JITPolicy.Machine, _ access: PortAccess
  ) throws(Failure) -> String? {
    do throws(Failure) {
      return try machine.address(access.settings.address, entry)
    } catch {
      // The window can be asked for all the same.
      if !waits || access.isProxied, access.settings.address == .public { return nil }
      throw error
    }
  }

  /// The sources by these settings; asked and detected once, however many machines there are.
  private func sources(
    _ settings: JitSettings, _ address: String?,
    _ publicSource: Task<Result<[SourcePrefix], Failure>, Never>?,
    _ settled: inout [String: Result<[SourcePrefix], Failure>]
  ) async throws(Failure) -> [SourcePrefix] {
    if let fixedSources { return fixedSources }
    let isPrivate = settings.address == .private
    var key = settings.text(.source) ?? ""
    if case .auto = settings.source {
      if !isPrivate, let publicSource { return try await publicSource.value.get() }
      key += " \(address ?? "")"
    }
    if let known = settled[key] { return try known.get() }
    let result = await outcome { () async throws(Failure) in
      try await world.sources(
        settings, isConfirmed: isConfirmed, towardsPrivate: isPrivate ? address : nil)
    }
    settled[key] = result
    return try result.get()
  }
}

extension VirtualMachine {
  /// Whether it runs or is about to, as far as it is known.
  var mayRun: Bool {
    guard let powerState else { return true }
    return powerState == .running || powerState == .starting
  }
}
