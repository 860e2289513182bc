package import Azure
package import Platform

/// A machine as Azure says it is now, and the policies that may hold it.
package struct MachineView: Sendable {
  package var machine: VirtualMachine
  /// The policies of its subscription or group, as far as they may be read.
  package var policies: [JITPolicy]

  /// The policy that counts for the machine; nil where just-in-time access is not enabled.
  package var policy: JITPolicy? {
    JITPolicies.policies(of: machine.id, location: machine.location, in: policies).first
  }

  /// What that policy says of the machine.
  package var entry: JITPolicy.Machine? { policy?.machine(machine.id) }
}

extension MachineSearch {
  /// Finds a machine and reads it and its policies anew, side by side.
  package func view(_ target: TargetQuery) async throws(Failure) -> MachineView {
    try await view(of: try await locate(target))
  }

  /// The machine that is meant: one that is named by its id is known by that alone.
  package func locate(_ target: TargetQuery) async throws(Failure) -> VirtualMachine {
    if case .id(let id) = target.name { return VirtualMachine(id: id, location: "") }
    return try await find(target).machine
  }

  /// Reads a machine and its policies anew, side by side.
  package func view(of found: VirtualMachine) async throws(Failure) -> MachineView {
    let confirmation = Confirmation(of: found, azure)
    confirmation.start()
    defer { confirmation.cancel() }
    let policies = try await azure.policies.list(
      subscription: found.subscriptionID, resourceGroup: found.resourceGroup)
    return MachineView(machine: try await confirmation.machine(), policies: policies)
  }
}

extension VirtualMachine {
  /// `group/name`, as every command takes it.
  package var shortPath: String { "\(resourceGroup)/\(name)" }
}
