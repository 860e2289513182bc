/// Ids of what belongs to a machine, and who reaches it.
extension World {
  private func networkID(_ machine: SimulatedMachine, _ kind: String, _ name: String) -> String {
    "/subscriptions/\(machine.subscription)/resourceGroups/\(machine.resourceGroup)"
      + "/providers/Microsoft.Network/\(kind)/\(name)"
  }

  func interfaceID(of machine: SimulatedMachine, number: Int = 0) -> String {
    networkID(
      machine, "networkInterfaces",
      number == 0 ? "\(machine.name)-nic" : "\(machine.name)-nic-\(number + 1)")
  }

  func addressID(of machine: SimulatedMachine) -> String {
    networkID(machine, "publicIPAddresses", "\(machine.name)-ip")
  }

  func networkID(of machine: SimulatedMachine) -> String {
    networkID(machine, "virtualNetworks", "\(machine.resourceGroup)-vnet")
  }

  /// Machines with a group on their subnet have a subnet of their own kind.
  func subnetID(of machine: SimulatedMachine) -> String {
    let guarded = machine.securityGroup == .onSubnet || machine.securityGroup == .both
    return networkID(of: machine) + "/subnets/" + (guarded ? "guarded" : "default")
  }

  func interfaceGroupID(of machine: SimulatedMachine) -> String? {
    guard machine.securityGroup == .onInterface || machine.securityGroup == .both else {
      return nil
    }
    return networkID(
      machine, "networkSecurityGroups", machine.securityGroupName ?? "\(machine.name)-nsg")
  }

  func subnetGroupID(of machine: SimulatedMachine) -> String? {
    guard machine.securityGroup == .onSubnet || machine.securityGroup == .both else { return nil }
    return networkID(machine, "networkSecurityGroups", "\(machine.resourceGroup)-subnet-nsg")
  }

  /// Subnet first, as traffic passes them.
  func securityGroupIDs(of machine: SimulatedMachine) -> [String] {
    [subnetGroupID(of: machine), interfaceGroupID(of: machine)].compactMap { $0 }
  }

  /// The public address as Azure tells it now.
  func toldAddress(of machine: Machine) -> String? {
    if case .dynamic = machine.made.publicAddress, machine.power == .deallocated { return nil }
    return machine.publicAddress
  }

  /// Whether a connection from `source` reaches a port of the machine.
  func reaches(_ machineKey: String, port: Int, from source: String) -> Bool {
    guard let machine = machines[machineKey], machine.power == .running else { return false }
    let groups = securityGroupIDs(of: machine.made)
    if groups.isEmpty { return behaviour.openWithoutSecurityGroup }
    return groups.allSatisfy { id in
      securityGroups[id.lowercased()].map {
        rule(in: $0, port: port, source: source, destination: machine.privateAddress)?.allows
          ?? false
      } ?? true
    }
  }

  /// The rule of a group that decides on inbound TCP; nil is the default, which denies.
  func rule(
    in group: SecurityGroup, port: Int, source: String, destination: String
  ) -> SecurityRule? {
    group.rules
      .filter { rule in
        rule.inbound && rule.ruleProtocol.lowercased() != "udp"
          && rule.ports.contains { portRange($0).contains(port) }
          && rule.sources.contains { sourceMatches($0, source) }
          && rule.destinations.contains { IPv4Block(text: $0)?.contains(destination) ?? false }
      }
      .min { $0.priority < $1.priority }
  }

  private func portRange(_ text: String) -> ClosedRange<Int> {
    if text == "*" { return 0...65535 }
    let parts = text.split(separator: "-").compactMap { Int($0) }
    guard let first = parts.first, let last = parts.last, first <= last else { return -1 ... -1 }
    return first...last
  }

  private func sourceMatches(_ prefix: String, _ source: String) -> Bool {
    if ["internet", "any"].contains(prefix.lowercased()) { return true }
    return IPv4Block(text: prefix)?.contains(source) ?? false
  }

  /// What a connection from this machine counts as behind a gate.
  func networkAddress(of peer: String) -> String {
    if let named = behaviour.addresses[peer] { return named }
    if peer == "127.0.0.1" { return behaviour.addressBehindGate ?? behaviour.clientAddress }
    return peer
  }

  /// Every address that a client on this machine can come from.
  var clientAddresses: [String] {
    [networkAddress(of: "127.0.0.1")] + behaviour.addresses.values
  }
}
