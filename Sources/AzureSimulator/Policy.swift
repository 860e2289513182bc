/// A just-in-time policy as it is kept: entries as they were sent.
struct Policy: Sendable {
  var id: String
  var name: String
  var subscription: String
  var group: String
  var location: String
  /// `virtualMachines`, member by member as written.
  var entries: [JSON]
  var unknownMembers: [JSON.Member] = []
  var provisioningState = "Succeeded"
  /// Counts the PUTs.
  var change = 0
  var requests: [AccessRequest] = []
  /// Where a firewall maps a port to, by lower-cased machine id and port.
  var mappedPorts: [String: [Int: Int]] = [:]

  /// The policy as Azure shows it; PUT answers without the requests.
  func json(withRequests: Bool = true) -> JSON {
    var properties: JSON = [
      "virtualMachines": .array(entries),
      "requests": .array(withRequests ? requests.map(\.json) : []),
      "provisioningState": .string(provisioningState), "appendMode": false,
    ]
    for member in unknownMembers { properties[member.name] = member.value }
    return [
      "id": .string(id), "name": .string(name),
      "type": "Microsoft.Security/locations/jitNetworkAccessPolicies", "kind": "Basic",
      "location": .string(location), "properties": properties,
    ]
  }

  func entry(for machineKey: String) -> JSON? {
    entries.first { $0["id"]?.text?.lowercased() == machineKey }
  }

  /// What an entry allows on a port; several rules may name one port.
  func limits(for machineKey: String, port: Int) -> [PortLimit] {
    (entry(for: machineKey)?["ports"]?.elements ?? []).compactMap(PortLimit.init)
      .filter { $0.number == port }
  }
}

/// A port rule of a policy, read.
struct PortLimit: Sendable {
  var number: Int
  var sources: [String]
  var maximum: Duration

  init?(_ json: JSON) {
    guard let number = json["number"]?.integer ?? json["number"]?.text.flatMap({ Int($0) }),
      let maximum = json["maxRequestAccessDuration"]?.text.flatMap({ Duration(iso8601: $0) })
    else { return nil }
    self.number = number
    self.maximum = maximum
    let plural = json["allowedSourceAddressPrefixes"]?.elements?.compactMap(\.text)
    let single = json["allowedSourceAddressPrefix"]?.text
    sources = plural ?? single.map { [$0] } ?? ["*"]
  }
}

/// A request for access, and what became of it.
struct AccessRequest: Sendable {
  struct Port: Sendable {
    var number: Int
    var sources: [String]
    /// The sources were sent in the plural member.
    var isPlural: Bool
    var end: Instant
    var status = "Initiating"
    var reason = "UserRequested"
    var mappedPort: Int?

    var json: JSON {
      var json: JSON = ["number": JSON(number)]
      if isPlural {
        json["allowedSourceAddressPrefixes"] = .array(sources.map(JSON.string))
      } else {
        json["allowedSourceAddressPrefix"] = JSON(sources.first)
      }
      json["endTimeUtc"] = .string(end.text)
      json["status"] = .string(status)
      json["statusReason"] = .string(reason)
      json["mappedPort"] = mappedPort.map { JSON($0) }
      return json
    }
  }

  var number: Int
  var start: Instant
  var requestor: String
  var justification: String?
  var machines: [(id: String, ports: [Port])]

  var json: JSON {
    [
      "virtualMachines": .array(
        machines.map { machine in
          [
            "id": .string(machine.id),
            "ports": .array(machine.ports.map(\.json)),
          ]
        }), "startTimeUtc": .string(start.text), "requestor": .string(requestor),
      "justification": JSON(justification),
    ]
  }

  mutating func changePorts(_ change: (inout Port) -> Void) {
    for machine in machines.indices {
      for port in machines[machine].ports.indices { change(&machines[machine].ports[port]) }
    }
  }
}
