package import Azure
package import Platform
import Terminal

extension PolicyWork {
  /// Enables just-in-time access with the portal's values, as somebody agreed to. A port that
  /// somebody else put into the policy meanwhile keeps what it says there.
  ///
  /// - Parameter known: the policies that were listed a moment ago.
  /// - Parameter proofs: takes the look at whether the ports are shut now, which nothing waits for.
  func enable(
    _ machine: VirtualMachine, ports: [Int], known: [JITPolicy], proofs: LaterProofs
  ) async throws(Failure) -> JITPolicy {
    let plans = try Enabling.plans(
      [MachineView(machine: machine, policies: known)],
      ports: ports.map { PortChange(.set, number: $0) })
    // Azure takes a request for a policy that it is still writing.
    let results = try await carryOut(plans, settles: false)
    for note in results.flatMap(\.notes) { world.console.warn(note) }
    guard let result = results.first else { throw .jitNotEnabled(machine, next: retype) }
    let policy: JITPolicy
    if let written = result.policy {
      policy = written
    } else {
      policy = try await azure.policies.get(result.id)
    }
    proofs.begin(PortProver(world, azure, progress: nil), machine, policy)
    return policy
  }
}

/// Makes the plans of `enable`: which policy takes which ports of which machine.
package enum Enabling {
  /// - Parameter ports: none takes the portal's port for the operating system, on machines that no
  ///   policy holds yet.
  /// - Returns: one plan for each policy.
  package static func plans(
    _ views: [MachineView], ports: [PortChange]
  ) throws(Failure) -> [PolicyPlan] {
    var plans: [PolicyPlan] = []
    for view in views {
      let machine = view.machine
      let policy = try JITPolicies.home(of: machine, among: view.policies)
      try JITPolicies.checkNames(policy, machine)
      var changes = ports
      if changes.isEmpty, view.entry == nil {
        guard let system = machine.operatingSystem else {
          throw Failure(
            .usage, what: "the operating system of \(machine.name) is not known",
            next: "name the ports: jitconnect enable \(machine.name) --port 22")
        }
        changes = [PortSpec.standard(for: system)]
      }
      let edit = EntryEdit(machine.id, .ports(changes))
      let remarks = remarks(view)
      if let index = plans.firstIndex(where: { $0.policy == policy }) {
        plans[index].edits.append(edit)
        plans[index].remarks += remarks
        plans[index].purpose = "enable just-in-time access on \(plans[index].edits.count) machines"
      } else {
        plans.append(
          PolicyPlan(
            policy: policy, edits: [edit],
            purpose: "enable just-in-time access on \(machine.name)",
            listed: view.policies.first { $0.id == policy }, remarks: remarks))
      }
    }
    return plans
  }

  private static func remarks(_ view: MachineView) -> [String] {
    let machine = view.machine
    var remarks: [String] = []
    for other in JITPolicies.policies(of: machine.id, location: machine.location, in: view.policies)
    where other.location != locationKey(machine.location) {
      remarks.append(
        "the policy \(other.name) in \(other.location) holds \(machine.name) too, though it is in "
          + "\(machine.location): jitconnect disable takes it out")
    }
    if let power = machine.powerState, power != .running {
      remarks.append("\(machine.name) is \(power); the portal enables running machines only")
    }
    let isUnguarded =
      !machine.addresses.isEmpty
      && machine.addresses.allSatisfy {
        $0.networkSecurityGroup == nil && $0.subnetSecurityGroup == .none
      }
    if isUnguarded {
      remarks.append("no network security group guards \(machine.name), so nothing will be shut")
    }
    return remarks
  }
}
