/// What decides on a packet: IP flow verify, and the effective rules of an interface.
extension World {
  func networkWatchers(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    try caller.require("Microsoft.Network/networkWatchers/read", on: request.scope)
    let subscription = request.subscription ?? ""
    var locations: [String] = []
    for machine in machines.values
    where machine.made.subscription == subscription && !locations.contains(machine.made.location) {
      locations.append(machine.made.location)
    }
    return list(
      locations.sorted().map { location in
        let id =
          "/subscriptions/\(subscription)/resourceGroups/NetworkWatcherRG/providers/"
          + "Microsoft.Network/networkWatchers/NetworkWatcher_\(location)"
        return [
          "name": .string(lastSegment(id)), "id": .string(id), "location": .string(location),
          "type": "Microsoft.Network/networkWatchers",
          "properties": ["provisioningState": "Succeeded"],
        ]
      }, request)
  }

  /// `POST …/ipFlowVerify`: every member of the body is a text, and a needless `Location` comes
  /// with the 200.
  mutating func verifyFlow(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    try caller.require("Microsoft.Network/networkWatchers/ipFlowVerify/action", on: request.scope)
    let body = try request.body()
    try checkMembers(
      of: body,
      required: [
        "targetResourceId", "direction", "protocol", "localPort", "localIPAddress",
        "remoteIPAddress",
      ], allowed: ["remotePort", "targetNicResourceId"])
    let location = request.lowerPath[1].replacing("networkwatcher_", with: "")
    guard let machine = machines[try machineKey(body["targetResourceId"])],
      machine.made.location == location
    else {
      throw .badRequest("The target resource was not found in the region of the network watcher.")
    }
    guard machine.power == .running else {
      throw AzureError(
        400, "TargetResourceNotRunning", "The virtual machine \(machine.made.name) must be running."
      )
    }
    guard body["direction"] == "Inbound",
      ["tcp", "udp"].contains(body["protocol"]?.text?.lowercased()),
      let port = body["localPort"]?.text.flatMap({ Int($0) }), (0...65535).contains(port),
      let source = body["remoteIPAddress"]?.text, IPv4(text: source) != nil
    else { throw .badRequest("The flow is not valid.") }
    var decision: (id: String, name: String, allows: Bool)?
    for id in securityGroupIDs(of: machine.made) {
      guard let group = securityGroups[id.lowercased()] else { continue }
      let rule = rule(in: group, port: port, source: source, destination: machine.privateAddress)
      let name = rule.map { "securityRules/\($0.name)" } ?? "defaultSecurityRules/DenyAllInBound"
      decision = ("\(id)/\(name)", name, rule?.allows ?? false)
      if decision?.allows == false { break }
    }
    let allows = decision?.allows ?? behaviour.openWithoutSecurityGroup
    return HTTPServerResponse(
      200,
      [
        "access": allows ? "Allow" : "Deny", "ruleName": JSON(decision?.name),
        "ruleId": JSON(decision?.id),
      ]
    ).adding("Location", operationURL(result: .null, request))
  }

  /// `POST …/effectiveNetworkSecurityGroups`: 202, then the rules.
  mutating func effectiveRules(
    _ machine: Machine, _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    let action = "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action"
    try caller.require(action, on: request.scope)
    guard machine.power == .running else {
      throw AzureError(
        400, "NetworkInterfaceNotAttachedToRunningVm",
        "The network interface must be attached to a running virtual machine.")
    }
    let interfaceGroup = interfaceGroupID(of: machine.made)
    let groups = securityGroupIDs(of: machine.made).compactMap { securityGroups[$0.lowercased()] }
    let value = groups.map { group -> JSON in
      let isInterface = group.id == interfaceGroup
      let target =
        isInterface ? interfaceID(of: machine.made) : subnetID(of: machine.made)
      return [
        "networkSecurityGroup": ["id": .string(group.id)],
        "association": [(isInterface ? "networkInterface" : "subnet"): ["id": .string(target)]],
        "effectiveSecurityRules": .array(group.rules.map(effectiveRule)),
      ]
    }
    return HTTPServerResponse(status: 202)
      .adding("Location", operationURL(result: ["value": .array(value)], request))
  }

  /// `POST …/effectiveRouteTable`: 202, then the routes.
  mutating func effectiveRoutes(
    _ machine: Machine, _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    let action = "Microsoft.Network/networkInterfaces/effectiveRouteTable/action"
    try caller.require(action, on: request.scope)
    guard machine.power == .running else {
      throw AzureError(
        400, "NetworkInterfaceNotAttachedToRunningVm",
        "The network interface must be attached to a running virtual machine.")
    }
    func route(_ prefix: String, _ hop: String, _ address: String?) -> JSON {
      [
        "source": address == nil ? "Default" : "User", "state": "Active",
        "addressPrefix": [.string(prefix)], "nextHopType": .string(hop),
        "nextHopIpAddress": .array([address].compactMap { $0 }.map(JSON.string)),
      ]
    }
    let hop = behaviour.defaultNextHop
    let value: JSON = [
      route("10.0.0.0/8", "VnetLocal", nil), route("0.0.0.0/0", hop.type, hop.address),
    ]
    return HTTPServerResponse(status: 202)
      .adding("Location", operationURL(result: ["value": value], request))
  }

  /// The firewalls that the policies' entries speak of, one for each address.
  func firewalls(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    try caller.require("Microsoft.Network/azureFirewalls/read", on: request.scope)
    var rules: [String: [JSON]] = [:]
    for key in policyOrder {
      guard let policy = policies[key], policy.subscription == request.subscription else {
        continue
      }
      for entry in policy.entries {
        guard let address = entry["publicIpAddress"]?.text,
          let machine = entry["id"]?.text.flatMap({ machines[$0.lowercased()] })
        else { continue }
        for (port, mapped) in policy.mappedPorts[machine.key] ?? [:] {
          rules[address, default: []].append([
            "name": .string("MDC-JITRule-\(machine.made.name)-\(port)"), "protocols": ["TCP"],
            "sourceAddresses": ["*"], "destinationAddresses": [.string(address)],
            "destinationPorts": [.string(String(mapped))],
            "translatedAddress": .string(machine.privateAddress),
            "translatedPort": .string(String(port)),
          ])
        }
      }
    }
    let prefix =
      "/subscriptions/\(request.subscription ?? "")/resourceGroups/rg-hub/providers/"
      + "Microsoft.Network/azureFirewalls/"
    return list(
      rules.sorted { $0.key < $1.key }.enumerated().map { index, entry in
        [
          "name": .string("fw-\(index + 1)"), "id": .string("\(prefix)fw-\(index + 1)"),
          "type": "Microsoft.Network/azureFirewalls", "location": "westeurope",
          "properties": [
            "provisioningState": "Succeeded",
            "firewallPolicy": behaviour.firewallsHavePolicies
              ? ["id": .string("\(prefix)fw-\(index + 1)-policy")] : nil,
            "natRuleCollections": [
              [
                "name": "MDC-JITRuleCollection",
                "properties": [
                  "priority": 100, "action": ["type": "Dnat"], "rules": .array(entry.value),
                ],
              ]
            ],
          ],
        ]
      }, request)
  }

  private func effectiveRule(_ rule: SecurityRule) -> JSON {
    // Ports are always ranges here, and names carry their kind.
    let ports = rule.ports.map { port -> String in
      port == "*" ? "0-65535" : port.contains("-") ? port : "\(port)-\(port)"
    }
    return [
      "name": .string("securityRules/\(rule.name)"),
      "protocol": .string(rule.ruleProtocol == "*" ? "All" : rule.ruleProtocol),
      "sourcePortRange": "0-65535", "destinationPortRange": JSON(ports.first),
      "destinationPortRanges": .array(ports.map(JSON.string)),
      "sourceAddressPrefix": JSON(rule.sources.first),
      "sourceAddressPrefixes": .array(rule.sources.map(JSON.string)),
      "destinationAddressPrefix": JSON(rule.destinations.first),
      "access": rule.allows ? "Allow" : "Deny", "priority": JSON(rule.priority),
      "direction": rule.inbound ? "Inbound" : "Outbound",
    ]
  }

  private mutating func operationURL(result: JSON, _ request: ARMRequest) -> String {
    let name = Identifiers.guid("operation \(number())")
    operations[name] = Operation(
      started: now, due: now + behaviour.powerDelay, failure: nil, result: result)
    return
      "\(armURL)subscriptions/\(request.subscription ?? "")/providers/Microsoft.Network/locations/"
      + "westeurope/operationResults/\(name)?api-version="
      + (request.http.parameter("api-version") ?? "")
  }

  func operationResult(_ name: String) throws(AzureError) -> HTTPServerResponse {
    guard let operation = operations[name] else {
      throw AzureError(404, "NotFound", "The entity was not found.")
    }
    guard operation.due <= now, let result = operation.result else {
      return HTTPServerResponse(status: 202)
    }
    return HTTPServerResponse(200, result)
  }
}
