package import Azure
package import FoundationEssentials
package import Platform

/// Finds what `disable` takes out: entries of machines, also of those that are gone.
package struct Disabling: Sendable {
  /// A machine's entries, and what else belongs to it.
  package struct Target: Sendable, Equatable {
    package var id: ResourceID
    /// Nil where the machine is gone.
    package var machine: VirtualMachine?
    package var policies: [JITPolicy]
  }

  let azure: AzureAccess
  let search: MachineSearch

  package init(_ azure: AzureAccess, _ search: MachineSearch) {
    self.azure = azure
    self.search = search
  }

  /// - Throws: `jit-not-enabled` where no policy holds it, and what a look-up may give.
  package func target(_ query: TargetQuery) async throws(Failure) -> Target {
    let id: ResourceID
    if case .id(let named) = query.name {
      id = named
    } else if let gone = try await entry(ofAbsent: query) {
      return gone
    } else {
      id = try await search.find(query).machine.id
    }
    let found = await outcome { () async throws(Failure) in try await azure.directory.get(id) }
    var machine: VirtualMachine?
    switch found {
    case .success(let value): machine = value
    case .failure(let failure) where failure.code == .vmNotFound: break
    case .failure(let failure): throw failure
    }
    let all = try await azure.policies.list(
      subscription: id.subscription, resourceGroup: id.resourceGroup)
    let policies = JITPolicies.policies(of: id, location: machine?.location ?? "", in: all)
    guard !policies.isEmpty else {
      throw Failure(
        .jitNotEnabled, what: "just-in-time access is not enabled on \(id.name)",
        why: "no policy in its subscription holds it; nothing was changed",
        next: "see which machines have it: jitconnect list --subscription \(id.subscription)")
    }
    return Target(id: id, machine: machine, policies: policies)
  }

  /// A machine that is in no list any more, by its entry in a policy.
  private func entry(ofAbsent query: TargetQuery) async throws(Failure) -> Target? {
    let machines = try await azure.directory.find(query.directoryQuery).machines
    guard machines.isEmpty else { return nil }
    let subscriptions = try await azure.directory.subscriptions()
      .filter { item in
        query.subscription.map { $0.lowercased() == item.id || $0 == item.name } ?? true
      }.map(\.id)
    let azure = azure
    let lists = await sideBySide(subscriptions) { id in
      await outcome { () async throws(Failure) in try await azure.policies.list(subscription: id) }
    }
    let policies = lists.flatMap { (try? $0.get()) ?? [] }
    var ids: [ResourceID] = []
    for machine in policies.flatMap(\.machines) where !ids.contains(machine.id) {
      let isMeant =
        machine.id.name.lowercased() == query.name.name.lowercased()
        && (query.resourceGroup.map { $0.lowercased() == machine.id.resourceGroup?.lowercased() }
          ?? true)
      if isMeant { ids.append(machine.id) }
    }
    guard let id = ids.first, ids.count == 1 else { return nil }
    return Target(
      id: id, machine: nil,
      policies: JITPolicies.policies(of: id, location: "", in: policies))
  }

  /// One plan for each policy, with the windows that are open named.
  package func plans(_ targets: [Target], now: Date) -> [PolicyPlan] {
    var plans: [PolicyPlan] = []
    for target in targets {
      for policy in target.policies {
        let windows = policy.windows(of: target.id).filter { $0.isLive(at: now) }
        let remarks = windows.map { window in
          "port \(window.port.number) of \(target.id.name) is open for "
            + window.port.sources.map(\.text).joined(separator: ", ")
            + (window.port.end.map { " until \(localTimeText($0, now: now))" } ?? "")
            + "; Azure may end that window"
        }
        let edit = EntryEdit(target.id, .remove)
        if let index = plans.firstIndex(where: { $0.policy == policy.id }) {
          plans[index].edits.append(edit)
          plans[index].remarks += remarks
        } else {
          plans.append(
            PolicyPlan(
              policy: policy.id, edits: [edit],
              purpose: "take \(target.id.name) out of the policy \(policy.name)", listed: policy,
              remarks: remarks))
        }
      }
    }
    return plans
  }
}
