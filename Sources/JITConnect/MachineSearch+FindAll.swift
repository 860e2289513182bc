package import Azure
package import Platform

extension MachineSearch {
  /// Finds several machines, with one query for all their names; what that leaves open (none,
  /// several, ids) is settled one by one.
  package func findAll(_ targets: [TargetQuery]) async throws(Failure)
    -> [Result<VirtualMachine, Failure>]
  {
    var found: [VirtualMachine] = []
    let subscriptions = Set(targets.map(\.subscription))
    if targets.count > 1 {
      for subscription in subscriptions {
        let names = Set(targets.filter { $0.subscription == subscription }.map(\.name.name))
        let filter = FleetFilter(names: names.sorted(), subscription: subscription)
        // What cannot be listed is told when the single names are looked up.
        _ = try await azure.directory.fleet(filter) { found += $0 }
      }
    }
    var results: [Result<VirtualMachine, Failure>] = []
    for target in targets {
      let matches = found.filter { target.means($0) }
      let exact = matches.filter { $0.name == target.name.name }
      if matches.count == 1 || exact.count == 1, let machine = exact.first ?? matches.first {
        results.append(.success(machine))
        continue
      }
      results.append(
        await outcome { () async throws(Failure) in
          if case .id(let id) = target.name { return try await azure.directory.get(id) }
          return try await find(target).machine
        })
    }
    return results
  }
}

extension TargetQuery {
  /// Whether a machine is one of those that are meant.
  fileprivate func means(_ machine: VirtualMachine) -> Bool {
    if case .id(let id) = name { return machine.id == id }
    return machine.name.lowercased() == name.name.lowercased()
      && (resourceGroup == nil
        || resourceGroup?.lowercased() == machine.resourceGroup.lowercased())
  }
}
