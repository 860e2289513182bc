import Azure
import FoundationEssentials
import Identity
package import Platform
package import SSHConfig
import Terminal

/// Walks every hop to a machine, in the order in which a connection meets them, and says of each
/// whether it is well. Stops at nothing: a hop that fails or cannot be seen is told, and the next
/// one is looked at. Changes nothing.
package struct Doctor: Sendable {
  let world: World
  let options: SSHOptions
  let isConfirmed: Bool
  private let tell: @Sendable (Finding) -> Void

  /// - Parameter tell: takes each finding as soon as it is known.
  package init(
    _ world: World, _ options: SSHOptions, isConfirmed: Bool,
    tell: @escaping @Sendable (Finding) -> Void
  ) {
    self.world = world
    self.options = options
    self.isConfirmed = isConfirmed
    self.tell = tell
  }

  /// What is known when all of Azure has been asked.
  struct Patient: Sendable {
    var machine: VirtualMachine
    var policies: [JITPolicy]?
    var port: Int

    var policy: JITPolicy? {
      policies.flatMap {
        JITPolicies.policies(of: machine.id, location: machine.location, in: $0).first
      }
    }
    var entry: JITPolicy.Machine? { policy?.machine(machine.id) }
    /// How the machine is called in a command to type.
    var shown: String { "\(machine.resourceGroup)/\(machine.name)" }
  }

  /// - Returns: every finding, in the order of the way.
  /// - Throws: only where nothing at all can be looked at: a name that is none, an interruption.
  package func examine() async throws(Failure) -> [Finding] {
    var findings: [Finding] = []
    func note(_ more: [Finding]) {
      for finding in more { tell(finding) }
      findings += more
    }
    let target = try TargetQuery(options)
    let azure: AzureAccess
    do throws(Failure) {
      azure = try await AzureAccess(world, options.jit)
    } catch {
      note([Finding("sign-in", error)])
      return findings
    }
    let publicSource = Task { [self] in
      options.jit.address == .public ? await source(towardsPrivate: nil) : nil
    }
    defer { publicSource.cancel() }
    note([await signIn(azure)])
    let (found, finding) = await find(target, azure)
    note([finding])
    guard let machine = found else {
      if let source = await publicSource.value { note([address(source)]) }
      return findings
    }
    async let policies = outcome { () async throws(Failure) in
      try await azure.policies.list(
        subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
    }
    async let permissions = permissions(machine, azure)
    async let plan = plan(machine, azure)
    async let paths = azure.securityGroups.paths(to: machine)
    let isDesktop = machine.operatingSystem == .windows && options.portOrigin == nil
    var patient = Patient(
      machine: machine, policies: nil, port: isDesktop ? Connect.rdpPort : options.port)
    note(await permissions)
    note([await plan, power(machine)] + interface(machine))
    let list = await policies
    patient.policies = try? list.get()
    var known = await publicSource.value
    if known == nil {
      known = await source(towardsPrivate: machine.addresses.first?.privateIPv4)
    }
    let mine = (try? known?.get()) ?? []
    note(policy(patient, list))
    if let known { note([address(known)]) }
    note(window(patient, mine))
    note(securityGroups(patient, await paths, mine))
    note(await firewall(patient, azure))
    note([await route(patient, azure, mine.first)])
    note(await port(patient, azure))
    if Task.isCancelled { throw Failure(.interrupted, what: "interrupted") }
    return findings
  }

  private func source(
    towardsPrivate address: String?
  ) async -> Result<[SourcePrefix], Failure> {
    await outcome { () async throws(Failure) in
      try await world.sources(
        options.jit, isConfirmed: isConfirmed, towardsPrivate: address)
    }
  }

  // MARK: Azure itself

  private func signIn(_ azure: AzureAccess) async -> Finding {
    do throws(Failure) {
      let all = try await azure.directory.subscriptions()
      guard !all.isEmpty else {
        return .problem(
          "sign-in", "signed in to \(azure.cloud.name), but no subscription is in sight",
          next: "ask for a role on the subscription, or sign in to its tenant: az login --tenant …")
      }
      let count = all.count == 1 ? "1 subscription" : "\(all.count) subscriptions"
      return .ok("sign-in", "signed in to \(azure.cloud.name); \(count) in sight")
    } catch {
      return Finding("sign-in", error)
    }
  }

  private func find(
    _ target: TargetQuery, _ azure: AzureAccess
  ) async -> (VirtualMachine?, Finding) {
    do throws(Failure) {
      let machine: VirtualMachine
      if case .id(let id) = target.name {
        machine = try await azure.directory.get(id)
      } else {
        let search = MachineSearch(world, azure, options.jit, command: "jitconnect doctor")
        let known = try await search.find(target).machine
        machine = try await azure.directory.get(known.id, known: known)
      }
      return (machine, .ok("vm", "\(machine.name) is \(machine.id.text)"))
    } catch {
      return (nil, Finding("vm", error))
    }
  }

  private func plan(_ machine: VirtualMachine, _ azure: AzureAccess) async -> Finding {
    do throws(Failure) {
      switch try await azure.policies.plan(of: machine.id) {
      case .on: return .ok("plan", "Defender for Servers Plan 2 is on")
      case .partly, .off:
        return .problem(
          "plan", "Defender for Servers Plan 2 is off, which just-in-time access is part of",
          next: "az security pricing create --name VirtualMachines --tier Standard --subplan P2 "
            + "--subscription \(machine.subscriptionID) (it costs money)")
      }
    } catch {
      return Finding("plan", error)
    }
  }

  /// Each action that a connect needs, by its name.
  private func permissions(_ machine: VirtualMachine, _ azure: AzureAccess) async -> [Finding] {
    let group = ResourceID(
      "/subscriptions/\(machine.subscriptionID)/resourceGroups/\(machine.resourceGroup)")
    guard let scope = group else { return [] }
    let set: PermissionSet
    do throws(Failure) {
      set = try await azure.permissions.at(scope)
    } catch {
      return [
        .unknown("permissions", "what this account may do could not be read: \(error.description)")
      ]
    }
    return AzureAction.requesting.map { action in
      if set.allows(action) { return .ok("permission", "may \(action)") }
      let role = action.role.map { "; the role \($0) has it" } ?? ""
      return .problem(
        "permission", "no role of this account has \(action) on \(scope.text)\(role)",
        next: "az role assignment create --assignee YOU --role \"\(action.role ?? "ROLE")\" "
          + "--scope \(scope.text)")
    }
  }

  private func power(_ machine: VirtualMachine) -> Finding {
    guard let state = machine.powerState else { return .unknown("power", "its state is not told") }
    if machine.mayRun { return .ok("power", "it is \(state)") }
    return .problem(
      "power", "it is \(state)",
      next: "jitconnect --start \(machine.resourceGroup)/\(machine.name)")
  }

  private func interface(_ machine: VirtualMachine) -> [Finding] {
    guard let first = machine.addresses.first else {
      return [
        machine.unread.isEmpty
          ? .problem("nic", "it has no network interface with IPv4")
          : .unknown("nic", machine.unread.joined(separator: "; "))
      ]
    }
    let addresses = [
      first.privateIPv4.map { "private \($0)" }, first.publicIPv4.map { "public \($0)" },
    ].compactMap(\.self).joined(separator: ", ")
    return [.ok("nic", "\(first.networkInterface.name): \(addresses)")]
      + machine.unread.map { .unknown("nic", $0) }
  }
}
