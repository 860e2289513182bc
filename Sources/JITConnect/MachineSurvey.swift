package import Azure
import FoundationEssentials
import Platform

/// Sorts every machine in sight by its just-in-time access, page by page.
///
/// The calls are: one for each thousand machines, one for the classic ones, one for the names of
/// subscriptions, three for each subscription that has machines, and for groups where the
/// subscription alone says nothing at most ``groupBudget``.
package struct MachineSurvey: Sendable {
  let world: World
  let azure: AzureAccess
  let filter: FleetFilter

  package init(_ world: World, _ azure: AzureAccess, _ filter: FleetFilter) {
    self.world = world
    self.azure = azure
    self.filter = filter
  }

  /// How many resource groups are asked one by one; those beyond stay unknown.
  static let groupBudget = 50

  /// What was noticed beside the machines.
  package struct Ending: Sendable, Equatable {
    /// Policies that hold machines which are not in sight: deleted, or not for this caller's eyes.
    package var strangers: [ResourceID: [ResourceID]] = [:]
    /// What could not be read, each with its reason.
    package var unread: [String] = []
  }

  /// - Parameter onPage: takes the machines of one page, sorted by their ids.
  package func run(
    onPage: ([SurveyedMachine]) async throws -> Void
  ) async throws -> Ending {
    var facts = SubscriptionFacts(azure, own: OwnWindows(world.environment, clock: world.clock))
    var ending = Ending()
    var seen: Set<ResourceID> = []
    var pageFailure: (any Error)?
    let classic = Task { [azure, filter] in
      await outcome { () async throws(Failure) in try await azure.directory.classicMachines(filter)
      }
    }
    defer { classic.cancel() }
    do {
      ending.unread = try await azure.directory.fleet(filter) { machines throws(Failure) in
        await facts.read(for: machines)
        let now = world.azureNow
        seen.formUnion(machines.map(\.id))
        do {
          try await onPage(machines.map { facts.sort($0, now: now) })
        } catch {
          pageFailure = error
          throw error as? Failure ?? Failure(.systemFailed, what: "\(error)")
        }
      }
    } catch {
      // As it was thrown: who writes a page knows its own failures.
      throw pageFailure ?? error
    }
    switch await classic.value {
    case .success(let ids) where !ids.isEmpty:
      try await onPage(
        ids.map { id in
          var item = SurveyedMachine(VirtualMachine(id: id, location: ""), .unsupported)
          item.why = ["it is a classic virtual machine"]
          return item
        })
    case .failure(let failure) where failure.code == .interrupted: throw failure
    default: break
    }
    ending.unread += facts.unread
    if filter == FleetFilter(subscription: filter.subscription) {
      ending.strangers = facts.strangers(besides: seen)
    }
    return ending
  }
}

/// What counts for all machines of a subscription or group, read once each.
struct SubscriptionFacts {
  private struct Facts {
    var policies: Result<[JITPolicy], Failure>
    var plan: DefenderPlan?
    var permissions: PermissionSet?
  }

  private let azure: AzureAccess
  private let own: OwnWindows
  private var subscriptions: [String: Facts] = [:]
  private var groups: [String: Facts] = [:]
  private(set) var unread: [String] = []

  init(_ azure: AzureAccess, own: OwnWindows) {
    self.azure = azure
    self.own = own
  }

  /// Reads what is not known yet of the subscriptions and groups of these machines.
  mutating func read(for machines: [VirtualMachine]) async {
    let azure = azure
    var ids: [String] = []
    for machine in machines {
      let id = machine.subscriptionID.lowercased()
      if subscriptions[id] == nil, !ids.contains(id) { ids.append(id) }
    }
    let found = await sideBySide(ids) { id in
      async let policies = outcome { () async throws(Failure) in
        try await azure.policies.list(subscription: id)
      }
      let scope = ResourceID("/subscriptions/\(id)")
      async let plan = outcome { () async throws(Failure) in
        try await Self.at(scope) { scope throws(Failure) in
          try await azure.policies.plan(of: scope)
        }
      }
      async let permissions = outcome { () async throws(Failure) in
        try await Self.at(scope) { scope throws(Failure) in try await azure.permissions.at(scope) }
      }
      return await Facts(
        policies: policies, plan: try? plan.get(), permissions: try? permissions.get())
    }
    for (id, facts) in zip(ids, found) {
      subscriptions[id] = facts
      if case .failure(let failure) = facts.policies {
        unread.append("policies of subscription \(id): \(failure.why ?? failure.what)")
      }
    }
    await readGroups(of: machines)
  }

  private static func at<Value>(
    _ scope: ResourceID?, _ body: (ResourceID) async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    guard let scope else { throw Failure(.notFound, what: "no subscription") }
    return try await body(scope)
  }

  /// With rights on groups alone, the subscription's list of policies is refused or empty, and its
  /// permissions say nothing of the groups.
  private mutating func readGroups(of machines: [VirtualMachine]) async {
    var wanted: [(key: String, subscription: String, group: String, needsPolicies: Bool)] = []
    for machine in machines {
      let key = Self.key(machine)
      guard groups[key] == nil, !wanted.contains(where: { $0.key == key }),
        needsPolicies(machine) || needsPermissions(machine),
        groups.count + wanted.count < MachineSurvey.groupBudget
      else { continue }
      wanted.append(
        (key, machine.subscriptionID, machine.resourceGroup, needsPolicies(machine)))
    }
    let azure = azure
    let asked = wanted
    let found = await sideBySide(Array(asked.indices)) { index in
      let (_, subscription, group, needsPolicies) = asked[index]
      async let policies = outcome { () async throws(Failure) -> [JITPolicy] in
        guard needsPolicies else { return [] }
        return try await azure.policies.list(inGroup: group, subscription: subscription)
      }
      let scope = ResourceID("/subscriptions/\(subscription)/resourceGroups/\(group)")
      async let permissions = outcome { () async throws(Failure) in
        try await Self.at(scope) { scope throws(Failure) in try await azure.permissions.at(scope) }
      }
      return await Facts(policies: policies, plan: nil, permissions: try? permissions.get())
    }
    for (item, facts) in zip(wanted, found) { groups[item.key] = facts }
  }

  /// Whether a right on the group may allow what the subscription does not.
  private func needsPermissions(_ machine: VirtualMachine) -> Bool {
    guard let facts = subscriptions[machine.subscriptionID.lowercased()],
      let permissions = facts.permissions, let policies = try? facts.policies.get()
    else { return false }
    return !AzureAction.enabling.allSatisfy { permissions.allows($0) }
      && !policies.contains { $0.machine(machine.id) != nil }
  }

  private func needsPolicies(_ machine: VirtualMachine) -> Bool {
    guard let facts = subscriptions[machine.subscriptionID.lowercased()] else { return false }
    switch facts.policies {
    case .failure: return true
    // Empty is only believed of who may read them all.
    case .success(let policies):
      return policies.isEmpty && facts.permissions?.allows(.readPolicy) != true
    }
  }

  private static func key(_ machine: VirtualMachine) -> String {
    "\(machine.subscriptionID)/\(machine.resourceGroup)".lowercased()
  }

  // MARK: Sorting

  func sort(_ machine: VirtualMachine, now: Date) -> SurveyedMachine {
    let facts = subscriptions[machine.subscriptionID.lowercased()]
    let group = groups[Self.key(machine)]
    let all = ((try? facts?.policies.get()) ?? []) + ((try? group?.policies.get()) ?? [])
    let holding = JITPolicies.policies(of: machine.id, location: machine.location, in: all)
    if let policy = holding.first {
      return configured(machine, policy, others: Array(holding.dropFirst()), now)
    }
    let silent = JITPolicies.silent(machine.resourceGroup, in: all).map {
      "the policy \(printable($0.name, limit: 100)) came without its list of virtual machines"
    }
    if let reason = silent ?? unreadable(facts, group, machine) {
      var item = SurveyedMachine(machine, .unknown)
      item.why = [reason]
      return item
    }
    let reasons = Self.reasons(against: machine, facts?.plan)
    var item = SurveyedMachine(machine, reasons.isEmpty ? .notConfigured : .unsupported)
    item.why = reasons
    guard reasons.isEmpty else { return item }
    if let system = machine.operatingSystem {
      item.wouldEnable = [PortRule(number: PortSpec.standard(for: system).number)]
    }
    (item.mayEnable, item.missing) = Self.allowance(facts?.permissions, group?.permissions)
    if facts?.plan == .partly {
      item.why = ["Defender for Servers Plan 2 is on for some machines of the subscription only"]
    }
    return item
  }

  private func configured(
    _ machine: VirtualMachine, _ policy: JITPolicy, others: [JITPolicy], _ now: Date
  ) -> SurveyedMachine {
    var item = SurveyedMachine(machine, .configured)
    item.policy = policy
    let windows = policy.windows(of: machine.id)
    item.lastRequest = windows.first
    item.windows = windows.filter { $0.isLive(at: now) }
    item.isMine = item.windows.contains { own.holds($0) }
    item.why = others.map { "the policy \($0.name) in \($0.location) holds it too" }
    return item
  }

  /// Why nobody can say whether a policy holds the machine.
  private func unreadable(
    _ facts: Facts?, _ group: Facts?, _ machine: VirtualMachine
  ) -> String? {
    switch (facts?.policies, group?.policies) {
    case (nil, nil): return "its subscription was not read"
    case (.success?, .success?), (_, .success?): return nil
    case (.success(let policies)?, nil):
      return policies.isEmpty && facts?.permissions?.allows(.readPolicy) != true
        ? "the policies of its resource group were not read" : nil
    case (_, .failure(let failure)?), (.failure(let failure)?, nil):
      return failure.why ?? failure.what
    }
  }

  private static func reasons(
    against machine: VirtualMachine, _ plan: DefenderPlan?
  ) -> [String] {
    var reasons: [String] = []
    if plan == .off {
      reasons.append("the subscription has no Defender for Servers Plan 2")
    }
    let isUnguarded =
      !machine.addresses.isEmpty
      && machine.addresses.allSatisfy {
        $0.networkSecurityGroup == nil && $0.subnetSecurityGroup == .none
      }
    if isUnguarded { reasons.append("no network security group guards it") }
    if [.stopped, .deallocated, .deallocating, .stopping].contains(machine.powerState) {
      reasons.append("it is \(machine.powerState?.rawValue ?? "stopped")")
    }
    return reasons
  }

  /// A right on the group alone is none for sure: Azure may want it on the subscription (contract
  /// section 1, RBAC).
  private static func allowance(
    _ subscription: PermissionSet?, _ group: PermissionSet?
  ) -> (SurveyedMachine.Allowance, [AzureAction]) {
    guard let subscription else { return (.unknown, []) }
    let missing = AzureAction.enabling.filter { !subscription.allows($0) }
    if missing.isEmpty { return (.yes, []) }
    if let group, AzureAction.enabling.allSatisfy({ group.allows($0) }) { return (.unknown, []) }
    return (group == nil ? .unknown : .no, missing)
  }

  /// Machines that policies hold and nobody has seen.
  func strangers(besides seen: Set<ResourceID>) -> [ResourceID: [ResourceID]] {
    var strangers: [ResourceID: [ResourceID]] = [:]
    for facts in Array(subscriptions.values) + Array(groups.values) {
      for policy in (try? facts.policies.get()) ?? [] {
        let missing = policy.machines.map(\.id).filter { !seen.contains($0) }
        if !missing.isEmpty { strangers[policy.id] = missing }
      }
    }
    return strangers
  }
}
