/// `PUT` of a policy: what is taken, and what is refused.
extension World {
  mutating func putPolicy(
    _ id: String, _ request: ARMRequest, _ caller: Caller, _ subscription: SimulatedSubscription
  ) throws(AzureError) -> HTTPServerResponse {
    let body = try request.body()
    try checkMembers(
      of: body, required: ["properties"], allowed: ["kind", "id", "name", "type", "location"])
    if let kind = body["kind"], kind != "Basic" {
      throw .badRequest("The kind of the policy is not supported.")
    }
    let properties = body["properties"] ?? .null
    let key = id.lowercased()
    let unknown = policies[key]?.unknownMembers.map(\.name) ?? []
    try checkMembers(
      of: properties, required: ["virtualMachines"],
      allowed: ["requests", "provisioningState", "appendMode"] + unknown)
    guard let entries = properties["virtualMachines"]?.elements else {
      throw .missingMember("virtualMachines")
    }
    let name = lastSegment(id)
    let known = policies[key]?.entries.compactMap { $0["id"]?.text?.lowercased() } ?? []
    var keys: [String] = []
    for entry in entries {
      let machineKey = try checkEntry(entry, policyName: name)
      guard !keys.contains(machineKey) else {
        throw .badRequest("The virtual machine '\(machineKey)' is named twice.")
      }
      keys.append(machineKey)
      guard let machine = machines[machineKey] else {
        let segments = (entry["id"]?.text ?? "").split(separator: "/")
        // Entries of machines that are gone stay in policies.
        if known.contains(machineKey), !behaviour.refusesDeletedMachines { continue }
        throw .resourceNotFound(
          type: "Microsoft.Compute/virtualMachines", name: String(segments.last ?? ""),
          group: segments.count > 3 ? String(segments[3]) : "")
      }
      try caller.require("Microsoft.Compute/virtualMachines/write", on: machine.made.id)
    }
    try checkPlan(name, machines: keys, subscription)

    let dropped = known.filter { !keys.contains($0) }
    if policies[key] == nil {
      policyOrder.append(key)
      policies[key] = Policy(
        id: id, name: name, subscription: subscription.id, group: request.group ?? "",
        location: request.path[1], entries: [])
    }
    policies[key]?.entries = entries
    policies[key]?.unknownMembers = properties.members?.filter { unknown.contains($0.name) } ?? []
    policies[key]?.provisioningState = "Updating"
    policies[key]?.change += 1
    if let policy = policies[key] {
      schedule(.policyReady(policy: key, change: policy.change), at: now + behaviour.policyDelay)
    }
    if behaviour.denyRuleDelay == .zero {
      renewDenyRules(of: key, alsoFor: dropped)
    } else {
      schedule(.denyRules(policy: key, dropped: dropped), at: now + behaviour.denyRuleDelay)
    }
    record(
      "Microsoft.Security/locations/jitNetworkAccessPolicies/write", id, request, caller,
      properties: [])
    return HTTPServerResponse(200, policies[key]?.json(withRequests: false) ?? .null)
  }

  func checkMembers(
    of json: JSON, required: [String], allowed: [String]
  ) throws(AzureError) {
    guard let members = json.members else {
      throw AzureError(
        400, "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: an object was expected.")
    }
    if let odd = members.first(where: { !required.contains($0.name) && !allowed.contains($0.name) })
    {
      throw .unknownMember(odd.name)
    }
    for name in required where json[name] == nil { throw .missingMember(name) }
  }

  /// Checks the shape of a machine's id; the lower-cased id.
  func machineKey(_ json: JSON?) throws(AzureError) -> String {
    guard let id = json?.text else { throw .missingMember("id") }
    let segments = id.split(separator: "/", omittingEmptySubsequences: false).map {
      $0.lowercased()
    }
    guard segments.count == 9, segments[0].isEmpty, segments[1] == "subscriptions",
      segments[3] == "resourcegroups", segments[5] == "providers",
      segments[6] == "microsoft.compute", segments[7] == "virtualmachines",
      segments.dropFirst().allSatisfy({ !$0.isEmpty })
    else {
      throw AzureError(
        403, "LinkedAuthorizationFailed",
        "The client has permission to perform action 'Microsoft.Compute/virtualMachines/write' on "
          + "scope '\(id)', however the linked subscription 'subscriptions' was not found.")
    }
    return id.lowercased()
  }

  private func checkEntry(_ entry: JSON, policyName: String) throws(AzureError) -> String {
    try checkMembers(of: entry, required: ["id", "ports"], allowed: ["publicIpAddress"])
    let key = try machineKey(entry["id"])
    guard policyName.count + lastSegment(key).count <= 56 else {
      throw .badRequest(
        "The policy name and the virtual machine name must not exceed 56 characters together.")
    }
    guard let ports = entry["ports"]?.elements, !ports.isEmpty else {
      throw .missingMember("ports")
    }
    for port in ports {
      try checkMembers(
        of: port, required: ["number", "protocol", "maxRequestAccessDuration"],
        allowed: ["allowedSourceAddressPrefix", "allowedSourceAddressPrefixes"])
      let number = port["number"]?.integer ?? port["number"]?.text.flatMap { Int($0) }
      guard let number, (0...65535).contains(number) else {
        throw .badRequest("The port number is not valid.")
      }
      switch port["protocol"]?.text {
      case "": throw AzureError(500, "InternalServerError", "Internal server error")
      case "TCP", "UDP", "*", "All": break
      default: throw .badRequest("The protocol of port \(number) is not valid.")
      }
      guard let limit = PortLimit(port), limit.maximum >= .seconds(300),
        limit.maximum <= .seconds(86_400)
      else {
        throw .badRequest(
          "The maximum request access duration of port \(number) must be between 5 minutes and 1 day."
        )
      }
      _ = try sources(of: port)
    }
    return key
  }

  /// The sources of a port: one member of the two, each an IPv4 address or block.
  func sources(of port: JSON) throws(AzureError) -> (prefixes: [String], isPlural: Bool)? {
    let single = port["allowedSourceAddressPrefix"].flatMap { $0.isNull ? nil : $0 }
    let plural = port["allowedSourceAddressPrefixes"].flatMap { $0.isNull ? nil : $0 }
    guard single == nil || plural == nil else {
      throw .badRequest(
        "Only one of fields 'AllowedSourceAddressPrefix' and 'AllowedSourceAddressPrefixes' can be "
          + "set.")
    }
    let prefixes: [String]
    if let single {
      guard let text = single.text else { throw .badRequest("The source must be a text.") }
      prefixes = [text]
    } else if let plural {
      guard let texts = plural.elements?.map(\.text), !texts.isEmpty,
        texts.allSatisfy({ $0 != nil })
      else { throw .badRequest("The sources must be a list of texts.") }
      prefixes = texts.compactMap { $0 }
    } else {
      return nil
    }
    for prefix in prefixes {
      if prefix.contains(":") {
        throw .badRequest(
          "The provided access request contains a source IP address in IPv6 format, which is "
            + "unsupported by Just-In-Time Network Access.")
      }
      guard IPv4Block(text: prefix) != nil || prefix == "Internet" else {
        throw .badRequest("The source '\(prefix)' is not a valid IP address or CIDR.")
      }
    }
    return (prefixes, single == nil)
  }
}
