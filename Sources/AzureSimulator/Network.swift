/// Microsoft.Network: interfaces, public addresses, subnets, security groups.
extension World {
  mutating func network(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    let path = request.lowerPath
    let id = request.scope + "/providers/Microsoft.Network/" + request.path.joined(separator: "/")
    let key = id.lowercased()
    func missing(_ type: String) -> AzureError {
      if let group = request.group, !hasGroup(group, in: request.subscription ?? "") {
        return .groupNotFound(group)
      }
      return .resourceNotFound(
        type: "Microsoft.Network/" + type, name: request.path[1], group: request.group ?? "")
    }
    switch (request.method, path.first ?? "", path.count) {
    case ("GET", "networkinterfaces", 1):
      let action = "Microsoft.Network/networkInterfaces/read"
      let machines = readableMachines(request, caller, action: action)
      return list(
        machines.flatMap { machine in
          (0...machine.made.extraInterfaces).map { interfaceJSON(machine, number: $0, in: request) }
        }, request)
    case ("GET", "networkinterfaces", 2):
      try caller.require("Microsoft.Network/networkInterfaces/read", on: id)
      guard let owner = interfaceOwners[key], let machine = machines[owner] else {
        throw missing("networkInterfaces")
      }
      let number = (0...machine.made.extraInterfaces).first {
        interfaceID(of: machine.made, number: $0).lowercased() == key
      }
      return HTTPServerResponse(200, interfaceJSON(machine, number: number ?? 0, in: request))
    case ("POST", "networkinterfaces", 3) where path[2] == "effectivenetworksecuritygroups":
      let interface = id.split(separator: "/").dropLast().joined(separator: "/").lowercased()
      guard let owner = interfaceOwners["/" + interface], let machine = machines[owner] else {
        throw missing("networkInterfaces")
      }
      return try effectiveRules(machine, request, caller)
    case ("GET", "networkwatchers", 1): return try networkWatchers(request, caller)
    case ("POST", "networkwatchers", 3) where path[2] == "ipflowverify":
      return try verifyFlow(request, caller)
    case ("GET", "locations", 4) where path[2] == "operationresults":
      return try operationResult(path[3])
    case ("POST", "networkinterfaces", 3) where path[2] == "effectiveroutetable":
      let interface = id.split(separator: "/").dropLast().joined(separator: "/").lowercased()
      guard let owner = interfaceOwners["/" + interface], let machine = machines[owner] else {
        throw missing("networkInterfaces")
      }
      return try effectiveRoutes(machine, request, caller)
    case ("GET", "azurefirewalls", 1): return try firewalls(request, caller)
    case ("GET", "publicipaddresses", 1):
      let action = "Microsoft.Network/publicIPAddresses/read"
      return list(
        readableMachines(request, caller, action: action)
          .filter { $0.made.publicAddress != .none }.map(addressJSON), request)
    case ("GET", "publicipaddresses", 2):
      try caller.require("Microsoft.Network/publicIPAddresses/read", on: id)
      guard let owner = addressOwners[key], let machine = machines[owner] else {
        throw missing("publicIPAddresses")
      }
      return HTTPServerResponse(200, addressJSON(machine))
    case ("GET", "networksecuritygroups", 1):
      let prefix = request.scope.lowercased() + "/"
      let action = "Microsoft.Network/networkSecurityGroups/read"
      return list(
        securityGroupOrder.filter { $0.hasPrefix(prefix) && caller.may(action, on: $0) }
          .compactMap { securityGroups[$0] }.map(securityGroupJSON), request)
    case ("GET", "networksecuritygroups", 2):
      try caller.require("Microsoft.Network/networkSecurityGroups/read", on: id)
      guard let group = securityGroups[key] else { throw missing("networkSecurityGroups") }
      return HTTPServerResponse(200, securityGroupJSON(group))
    case (_, "networksecuritygroups", 3...4) where path[2] == "securityrules":
      return try securityRules(request, caller, missing: missing("networkSecurityGroups"))
    case ("GET", "virtualnetworks", 4) where path[2] == "subnets":
      try caller.require("Microsoft.Network/virtualNetworks/subnets/read", on: id)
      let owner = machines.values.first { subnetID(of: $0.made).lowercased() == key }
      guard let owner else { throw missing("virtualNetworks") }
      return HTTPServerResponse(
        200,
        [
          "name": .string(request.path[3]), "id": .string(subnetID(of: owner.made)),
          "properties": [
            "provisioningState": "Succeeded", "addressPrefix": "10.0.0.0/12",
            "networkSecurityGroup": subnetGroupID(of: owner.made).map { ["id": .string($0)] },
            "delegations": [],
          ], "type": "Microsoft.Network/virtualNetworks/subnets",
        ])
    default: throw notFound(request)
    }
  }

  private func interfaceJSON(_ machine: Machine, number: Int, in request: ARMRequest) -> JSON {
    let made = machine.made
    let id = interfaceID(of: made, number: number)
    var address: JSON?
    if number == 0, made.publicAddress != .none {
      let inlined =
        request.http.parameter("$expand")?.lowercased() == "ipconfigurations/publicipaddress"
      address = inlined ? addressJSON(machine) : ["id": .string(addressID(of: made))]
    }
    let configuration: JSON = [
      "name": "ipconfig1", "id": .string(id + "/ipConfigurations/ipconfig1"),
      "properties": [
        "provisioningState": "Succeeded",
        "privateIPAddress": .string(privateAddress(of: machine, number: number)),
        "privateIPAllocationMethod": "Dynamic", "publicIPAddress": address,
        "subnet": ["id": .string(subnetID(of: made))], "primary": true,
        "privateIPAddressVersion": "IPv4",
      ],
    ]
    return [
      "name": .string(lastSegment(id)), "id": .string(id),
      "type": "Microsoft.Network/networkInterfaces",
      "properties": [
        "provisioningState": "Succeeded", "ipConfigurations": [configuration],
        "enableIPForwarding": false,
        "networkSecurityGroup": interfaceGroupID(of: made).map { ["id": .string($0)] },
        "primary": .bool(number == 0), "virtualMachine": ["id": .string(made.id)],
        "vnetEncryptionSupported": false,
      ], "location": .string(made.location), "kind": "Regular",
    ]
  }

  func privateAddress(of machine: Machine, number: Int) -> String {
    guard number > 0, let first = IPv4(text: machine.privateAddress) else {
      return machine.privateAddress
    }
    return IPv4(first.value &+ UInt32(number) << 20).text
  }

  private func addressJSON(_ machine: Machine) -> JSON {
    var isDynamic = false
    if case .dynamic = machine.made.publicAddress { isDynamic = true }
    let interface = interfaceID(of: machine.made)
    return [
      "name": .string(machine.made.name + "-ip"), "id": .string(addressID(of: machine.made)),
      "location": .string(machine.made.location),
      "properties": [
        "provisioningState": "Succeeded", "ipAddress": JSON(toldAddress(of: machine)),
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": isDynamic ? "Dynamic" : "Static", "idleTimeoutInMinutes": 4,
        "dnsSettings": machine.made.fqdn.map { ["fqdn": .string($0)] },
        "ipConfiguration": ["id": .string(interface + "/ipConfigurations/ipconfig1")],
      ], "type": "Microsoft.Network/publicIPAddresses",
      "sku": ["name": isDynamic ? "Basic" : "Standard", "tier": "Regional"],
    ]
  }

  private func securityGroupJSON(_ group: SecurityGroup) -> JSON {
    func standard(_ name: String, _ priority: Int, _ allows: Bool, from source: String) -> JSON {
      var rule = SecurityRule(
        name, priority: priority, allows: allows, ports: ["*"], sources: [source])
      rule.destinations = [source == "VirtualNetwork" ? source : "*"]
      return ruleJSON(rule, in: group, kind: "defaultSecurityRules")
    }
    return [
      "name": .string(group.name), "id": .string(group.id),
      "type": "Microsoft.Network/networkSecurityGroups", "location": .string(group.location),
      "properties": [
        "provisioningState": "Succeeded",
        "securityRules": .array(group.rules.map { ruleJSON($0, in: group) }),
        "defaultSecurityRules": [
          standard("AllowVnetInBound", 65000, true, from: "VirtualNetwork"),
          standard("AllowAzureLoadBalancerInBound", 65001, true, from: "AzureLoadBalancer"),
          standard("DenyAllInBound", 65500, false, from: "*"),
        ],
      ],
    ]
  }

  private func ruleJSON(
    _ rule: SecurityRule, in group: SecurityGroup, kind: String = "securityRules"
  ) -> JSON {
    var properties: JSON = [
      "provisioningState": "Succeeded", "description": JSON(rule.description),
      "protocol": .string(rule.ruleProtocol), "sourcePortRange": "*",
    ]
    // One value is in the singular member, and the plural is an empty list.
    func add(_ singular: String, _ plural: String, _ values: [String]) {
      if values.count == 1 { properties[singular] = JSON(values.first) }
      properties[plural] = .array(values.count == 1 ? [] : values.map(JSON.string))
    }
    add("destinationPortRange", "destinationPortRanges", rule.ports)
    add("sourceAddressPrefix", "sourceAddressPrefixes", rule.sources)
    add("destinationAddressPrefix", "destinationAddressPrefixes", rule.destinations)
    properties["access"] = rule.allows ? "Allow" : "Deny"
    properties["priority"] = JSON(rule.priority)
    properties["direction"] = rule.inbound ? "Inbound" : "Outbound"
    properties["sourcePortRanges"] = []
    return [
      "name": .string(rule.name), "id": .string("\(group.id)/\(kind)/\(rule.name)"),
      "type": .string("Microsoft.Network/networkSecurityGroups/\(kind)"), "properties": properties,
    ]
  }

  private mutating func securityRules(
    _ request: ARMRequest, _ caller: Caller, missing: AzureError
  ) throws(AzureError) -> HTTPServerResponse {
    let groupID =
      request.scope + "/providers/Microsoft.Network/networkSecurityGroups/" + request.path[1]
    let key = groupID.lowercased()
    let action = "Microsoft.Network/networkSecurityGroups/securityRules/"
    let name = request.path.count == 4 ? request.path[3] : nil
    let id = groupID + "/securityRules" + (name.map { "/" + $0 } ?? "")
    switch request.method {
    case "GET":
      try caller.require(action + "read", on: id)
      guard let group = securityGroups[key] else { throw missing }
      guard let name else { return list(group.rules.map { ruleJSON($0, in: group) }, request) }
      guard let rule = group.rules.first(where: { $0.name.lowercased() == name.lowercased() })
      else {
        throw AzureError(404, "NotFound", "Resource \(id) not found.")
      }
      return HTTPServerResponse(200, ruleJSON(rule, in: group))
    case "PUT":
      guard let name else { throw notFound(request) }
      try caller.require(action + "write", on: id)
      guard let group = securityGroups[key] else { throw missing }
      let isNew = !group.rules.contains { $0.name.lowercased() == name.lowercased() }
      let rule = try securityRule(name, in: group, request.body())
      securityGroups[key]?.rules.removeAll { $0.name.lowercased() == name.lowercased() }
      securityGroups[key]?.rules.append(rule)
      return HTTPServerResponse(isNew ? 201 : 200, ruleJSON(rule, in: group))
    case "DELETE":
      guard let name else { throw notFound(request) }
      try caller.require(action + "delete", on: id)
      guard let group = securityGroups[key] else { throw missing }
      if behaviour.locksSecurityGroups {
        throw AzureError(
          409, "ScopeLocked",
          "The scope '\(id)' cannot perform delete operation because following scope(s) are locked: "
            + "'\(groupID)'. Please remove the lock and try again.")
      }
      guard let index = group.rules.firstIndex(where: { $0.name.lowercased() == name.lowercased() })
      else { return HTTPServerResponse(status: 204) }
      securityGroups[key]?.rules.remove(at: index)
      return HTTPServerResponse(status: 200)
    default: throw notFound(request)
    }
  }
}
