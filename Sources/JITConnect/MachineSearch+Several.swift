package import Azure
package import Platform

extension MachineSearch {
  /// Finds machines and reads them and their policies anew.
  ///
  /// They are looked up one after the other, since one may be asked about, and read side by side;
  /// policies are listed once for each group.
  package func views(_ targets: [TargetQuery]) async throws(Failure) -> [MachineView] {
    var found: [VirtualMachine] = []
    for target in targets {
      let machine = try await locate(target)
      if !found.contains(where: { $0.id == machine.id }) { found.append(machine) }
    }
    return try await views(of: found)
  }

  /// Reads machines that were found, and their policies.
  package func views(of found: [VirtualMachine]) async throws(Failure) -> [MachineView] {
    let azure = azure
    var places: [String] = []
    var asked: [VirtualMachine] = []
    for machine in found where !places.contains(Self.place(machine)) {
      places.append(Self.place(machine))
      asked.append(machine)
    }
    async let lists = sideBySide(asked) { machine in
      await outcome { () async throws(Failure) in
        try await azure.policies.list(
          subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
      }
    }
    let machines = await sideBySide(found) { machine in
      await outcome { () async throws(Failure) in
        try await azure.directory.get(machine.id, known: machine)
      }
    }
    let policies = await Dictionary(zip(places, lists)) { first, _ in first }
    var views: [MachineView] = []
    for machine in machines {
      let machine = try machine.get()
      views.append(
        MachineView(
          machine: machine, policies: try policies[Self.place(machine)]?.get() ?? []))
    }
    return views
  }

  private static func place(_ machine: VirtualMachine) -> String {
    "\(machine.subscriptionID)/\(machine.resourceGroup)".lowercased()
  }
}
