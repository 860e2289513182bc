/// The rules that JIT writes into network security groups.
extension World {
  mutating func add(_ policy: SimulatedPolicy) {
    let group = "/subscriptions/\(policy.subscription)/resourceGroups/\(policy.resourceGroup)"
    let id =
      group + "/providers/Microsoft.Security/locations/\(policy.location)"
      + "/jitNetworkAccessPolicies/\(policy.name)"
    var mappedPorts: [String: [Int: Int]] = [:]
    let entries = policy.entries.map { entry -> JSON in
      var machineID = entry.machine
      if !machineID.hasPrefix("/") {
        machineID = group + "/providers/Microsoft.Compute/virtualMachines/" + machineID
      }
      let key = machineID.lowercased()
      if !entry.mappedPorts.isEmpty { mappedPorts[key] = entry.mappedPorts }
      switch policy.spelling {
      case .asCreated: break
      case .upper: machineID = machineID.uppercased()
      case .lower: machineID = machineID.lowercased()
      }
      let ports = entry.ports.map { port -> JSON in
        let number = port.number == 0 ? machines[key]?.made.gates.first?.port ?? 22 : port.number
        var json: JSON = ["number": JSON(number), "protocol": .string(port.ruleProtocol)]
        if port.sources.count == 1 {
          json["allowedSourceAddressPrefix"] = JSON(port.sources.first)
        } else {
          json["allowedSourceAddressPrefixes"] = .array(port.sources.map(JSON.string))
        }
        json["maxRequestAccessDuration"] = .string(port.maximum)
        return json
      }
      return [
        "id": .string(machineID), "ports": .array(ports),
        "publicIpAddress": JSON(entry.firewallAddress),
      ]
    }
    let key = id.lowercased()
    if policies[key] == nil { policyOrder.append(key) }
    policies[key] = Policy(
      id: id, name: policy.name, subscription: policy.subscription, group: policy.resourceGroup,
      location: policy.location, entries: entries, unknownMembers: policy.unknownMembers,
      requests: policies[key]?.requests ?? [], mappedPorts: mappedPorts)
    renewDenyRules(of: key)
  }

  private var service: String {
    behaviour.usesOldRuleNames ? "SecurityCenter" : "MicrosoftDefenderForCloud"
  }

  private func isDenyRule(_ rule: SecurityRule) -> Bool {
    ["MicrosoftDefenderForCloud-JITRule_", "SecurityCenter-JITRule_"]
      .contains { rule.name.hasPrefix($0) }
  }

  /// Makes the deny rules what the policies say: one for each machine and group, for all its ports.
  mutating func renewDenyRules(of policyKey: String, alsoFor dropped: [String] = []) {
    let named = policies[policyKey]?.entries.compactMap { $0["id"]?.text?.lowercased() } ?? []
    for machineKey in Set(named + dropped) {
      guard let machine = machines[machineKey] else { continue }
      var ports: Set<Int> = []
      var policyName = "default"
      for key in policyOrder {
        guard let policy = policies[key], let entry = policy.entry(for: machineKey) else {
          continue
        }
        ports.formUnion((entry["ports"]?.elements ?? []).compactMap { PortLimit($0)?.number })
        policyName = policy.name
      }
      for id in securityGroupIDs(of: machine.made) {
        let groupKey = id.lowercased()
        guard var group = securityGroups[groupKey] else { continue }
        group.rules.removeAll { isDenyRule($0) && $0.destinations == [machine.privateAddress] }
        securityGroups[groupKey] = group
        if ports.isEmpty { continue }
        let suffix = Identifiers.ruleSuffix("deny " + machineKey + groupKey)
        let product = behaviour.usesOldRuleNames ? "ASC" : "MDC"
        var rule = SecurityRule(
          "\(service)-JITRule_\(suffix.number)_\(suffix.digits)",
          priority: freePriority(in: group, from: behaviour.denyPriority, step: -1), allows: false,
          ports: ports.sorted().map(String.init))
        rule.destinations = [machine.privateAddress]
        rule.description =
          "\(product) JIT Network Access rule for policy '\(policyName)' of VM '\(machine.made.name)'."
        securityGroups[groupKey]?.rules.append(rule)
      }
    }
  }

  private func freePriority(in group: SecurityGroup, from first: Int, step: Int) -> Int {
    let taken = Set(group.rules.filter(\.inbound).map(\.priority))
    var priority = first
    while taken.contains(priority), (100...4096).contains(priority + step) { priority += step }
    return priority
  }

  private func ruleName(request: Int, machine: String, port: Int) -> String {
    let suffix = Identifiers.ruleSuffix("allow \(request) \(machine) \(port)")
    return "JITRule-\(suffix.number)-\(suffix.digits)"
  }

  mutating func addAllowRules(policy policyKey: String, request number: Int, at moment: Instant) {
    guard let policy = policies[policyKey],
      let request = policy.requests.first(where: { $0.number == number })
    else { return }
    for (id, ports) in request.machines {
      guard let machine = machines[id.lowercased()] else { continue }
      for port in ports where port.status.hasPrefix("Initiat") && port.end > moment {
        for groupID in securityGroupIDs(of: machine.made) {
          guard let group = securityGroups[groupID.lowercased()] else { continue }
          let name = ruleName(request: number, machine: machine.key, port: port.number)
          var rule = SecurityRule(
            "\(service)-\(name)",
            priority: freePriority(in: group, from: 100, step: 1), allows: true,
            ports: [String(port.number)], sources: port.sources)
          rule.destinations = [machine.privateAddress]
          rule.description =
            "\(behaviour.usesOldRuleNames ? "ASC" : "MDC") JIT Network Access rule created by an "
            + "initiation request for policy '\(policy.name)' of VM '\(machine.made.name)'."
          securityGroups[groupID.lowercased()]?.rules.append(rule)
        }
      }
    }
  }

  /// Removes the rules of the request's ports that have ended.
  mutating func removeAllowRules(policy policyKey: String, request number: Int) {
    guard let request = policies[policyKey]?.requests.first(where: { $0.number == number }) else {
      return
    }
    for (id, ports) in request.machines {
      guard let machine = machines[id.lowercased()] else { continue }
      for port in ports where !port.status.hasPrefix("Initiat") {
        let name = ruleName(request: number, machine: machine.key, port: port.number)
        for groupID in securityGroupIDs(of: machine.made) {
          securityGroups[groupID.lowercased()]?.rules.removeAll { $0.name.hasSuffix(name) }
        }
      }
    }
  }
}
