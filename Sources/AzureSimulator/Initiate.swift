/// `POST …/initiate`: a request for access. Order of checks: body, policy, subset.
extension World {
  private struct Asked {
    var machineKey: String
    var machineID: String
    var ports: [AccessRequest.Port]
    var durations: [Duration]
  }

  mutating func initiate(
    _ id: String, _ request: ARMRequest, _ caller: Caller, _ subscription: SimulatedSubscription
  ) throws(AzureError) -> HTTPServerResponse {
    let start = now
    let body = try request.body()
    try checkMembers(of: body, required: ["virtualMachines"], allowed: ["justification"])
    guard let entries = body["virtualMachines"]?.elements, !entries.isEmpty else {
      throw .missingMember("virtualMachines")
    }
    if let justification = body["justification"], justification.text == nil {
      throw .badRequest("The justification must be a text.")
    }
    var asked: [Asked] = []
    for entry in entries {
      asked.append(try read(entry, start: start, peer: request.http.peer))
    }

    let key = id.lowercased()
    guard let policy = policies[key] else { throw policyNotFound(lastSegment(id)) }
    for machine in asked {
      for (port, duration) in zip(machine.ports, machine.durations) {
        guard
          isSubset(port, duration, of: policy.limits(for: machine.machineKey, port: port.number))
        else {
          throw .badRequest(
            "The given access request is not a subset of policy '\(policy.id)'. Please make sure "
              + "that the access request is within the allowed policy properties.")
        }
      }
    }
    try checkPlan(policy.name, machines: asked.map(\.machineKey), subscription)

    var made = AccessRequest(
      number: number(), start: start,
      requestor: behaviour.namesRequestor ? caller.identity.name : "",
      justification: body["justification"]?.text,
      machines: asked.map { machine in
        let mapped = policy.mappedPorts[machine.machineKey] ?? [:]
        return (
          machine.machineID,
          machine.ports.map { port in
            var port = port
            port.mappedPort = mapped[port.number]
            return port
          }
        )
      })
    if behaviour.newerRequestEndsOlder { endOlder(than: asked, in: key) }
    policies[key]?.requests.append(made)
    schedule(key, made)
    recordInitiate(id, made, request, caller)
    // The answer does not repeat the justification.
    made.justification = nil
    return HTTPServerResponse(202, made.json)
  }

  private func read(_ entry: JSON, start: Instant, peer: String) throws(AzureError) -> Asked {
    try checkMembers(of: entry, required: ["id", "ports"], allowed: [])
    let key = try machineKey(entry["id"])
    guard let ports = entry["ports"]?.elements, !ports.isEmpty else {
      throw .missingMember("ports")
    }
    var asked = Asked(machineKey: key, machineID: entry["id"]?.text ?? "", ports: [], durations: [])
    for port in ports {
      try checkMembers(
        of: port, required: ["number"],
        allowed: [
          "allowedSourceAddressPrefix", "allowedSourceAddressPrefixes", "duration", "endTimeUtc",
        ])
      guard let number = port["number"]?.integer, (0...65535).contains(number) else {
        throw invalid("The port number is not valid.")
      }
      let (duration, end) = try readEnd(port, start: start)
      guard duration >= behaviour.minimumDuration, duration <= .seconds(86_400) else {
        let minutes = behaviour.minimumDuration.components.seconds / 60
        throw invalid("The duration of the request must be between \(minutes) minutes and 1 day.")
      }
      let (prefixes, isPlural) =
        try sources(of: port) ?? ([networkAddress(of: peer)], false)
      asked.ports.append(
        AccessRequest.Port(number: number, sources: prefixes, isPlural: isPlural, end: end))
      asked.durations.append(duration)
    }
    return asked
  }

  private func readEnd(_ port: JSON, start: Instant) throws(AzureError) -> (Duration, Instant) {
    guard (port["duration"] == nil) != (port["endTimeUtc"] == nil) else {
      throw invalid("Only one of fields 'EndTimeUtc' and 'Duration' can be set.")
    }
    if let text = port["duration"] {
      guard let duration = text.text.flatMap({ Duration(iso8601: $0) }) else {
        throw invalid("The duration is not valid.")
      }
      return (duration, start + duration)
    }
    guard let end = port["endTimeUtc"]?.text.flatMap({ Instant(text: $0) }) else {
      throw invalid("The end time is not valid.")
    }
    // The two clocks may differ by a moment.
    return (max(end - start, .zero) + .seconds(2), end)
  }

  private func invalid(_ message: String) -> AzureError {
    AzureError(400, "InvalidInitiateInput", message)
  }

  private func isSubset(
    _ port: AccessRequest.Port, _ duration: Duration, of limits: [PortLimit]
  ) -> Bool {
    limits.contains { limit in
      // The moment that readEnd added is given here too.
      duration <= limit.maximum + .seconds(2)
        && port.sources.allSatisfy { source in
          if behaviour.missingSourcesMeanAny, limit.sources.allSatisfy(\.isEmpty) { return true }
          return limit.sources.contains { allowed in
            if source == allowed || allowed == "*" { return true }
            guard let asked = IPv4Block(text: source), let block = IPv4Block(text: allowed) else {
              return false
            }
            if asked == block { return true }
            return behaviour.loneAddressInBlockIsAllowed && block.contains(asked)
          }
        }
    }
  }

  private mutating func endOlder(than asked: [Asked], in key: String) {
    let sameSourceOnly = !behaviour.newerRequestEndsOtherSources
    let newer = asked.flatMap { machine in
      machine.ports.map { (machine.machineKey, $0.number, $0.sources) }
    }
    for index in (policies[key]?.requests ?? []).indices {
      guard var request = policies[key]?.requests[index] else { continue }
      for machine in request.machines.indices {
        let machineKey = request.machines[machine].id.lowercased()
        for port in request.machines[machine].ports.indices {
          let old = request.machines[machine].ports[port]
          let isReplaced = newer.contains {
            $0.0 == machineKey && $0.1 == old.number && (!sameSourceOnly || $0.2 == old.sources)
          }
          guard isReplaced, old.status.hasPrefix("Initiat") else { continue }
          request.machines[machine].ports[port].status = "Revoked"
          request.machines[machine].ports[port].reason = "NewerRequestInitiated"
        }
      }
      policies[key]?.requests[index] = request
      removeAllowRules(policy: key, request: request.number)
    }
  }

  private mutating func schedule(_ key: String, _ request: AccessRequest) {
    if !behaviour.initiateDoesNothing {
      schedule(
        .requestInitiated(policy: key, request: request.number),
        at: request.start + behaviour.initiatedDelay)
      if behaviour.requestsEndAs == nil || behaviour.requestsEndAs?.status == "Initiated" {
        schedule(
          .rulesAppear(policy: key, request: request.number),
          at: request.start + behaviour.openingDelay)
      }
    }
    var ends: [Instant] = []
    for port in request.machines.flatMap(\.ports) where !ends.contains(port.end) {
      ends.append(port.end)
    }
    for end in ends { schedule(.windowEnds(policy: key, request: request.number), at: end) }
  }
}
