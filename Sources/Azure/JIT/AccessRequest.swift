package import Platform

/// What is asked for with one initiate: ports of one or several machines of one policy.
package struct AccessRequest: Sendable, Equatable {
  package struct Port: Sendable, Equatable {
    package var number: Int
    /// At least one IPv4 address or block.
    ///
    /// Never left to Azure, which would take the address that it sees, perhaps not the one that the
    /// machine will see.
    package var sources: [SourcePrefix]
    package var duration: Duration

    package init(number: Int, sources: [SourcePrefix], duration: Duration) {
      self.number = number
      self.sources = sources
      self.duration = duration
    }
  }

  package struct Machine: Sendable, Equatable {
    package var id: ResourceID
    package var ports: [Port]

    package init(id: ResourceID, ports: [Port]) {
      self.id = id
      self.ports = ports
    }
  }

  package var machines: [Machine]
  package var justification: String?

  package init(machines: [Machine], justification: String? = nil) {
    self.machines = machines
    self.justification = justification
  }

  /// The body as it is sent, with `duration` and never `endTimeUtc`: exactly one may be there.
  package func body() throws(Failure) -> JSONTree {
    guard !machines.isEmpty, machines.allSatisfy({ !$0.ports.isEmpty }) else {
      throw Failure(.usage, what: "a request for access names no port")
    }
    var list: [JSONTree] = []
    for machine in machines {
      var ports: [JSONTree] = []
      for port in machine.ports {
        guard (0...65535).contains(port.number), !port.sources.isEmpty else {
          throw Failure(.usage, what: "a request for access needs a port and a source address")
        }
        guard port.sources.allSatisfy({ $0.prefixLength != nil }) else {
          throw Failure(
            .addressNotIPv4, what: "just-in-time access takes IPv4 addresses alone",
            why: port.sources.map(\.text).joined(separator: ", "),
            next: "name an IPv4 address with --source")
        }
        var tree: JSONTree = ["number": .number(String(port.number))]
        SourcePrefix.write(port.sources, to: &tree)
        tree.set("duration", to: .string(port.duration.iso8601))
        ports.append(tree)
      }
      list.append(["id": .string(machine.id.text), "ports": .array(ports)])
    }
    var body: JSONTree = ["virtualMachines": .array(list)]
    if let justification, !justification.isEmpty {
      body.set("justification", to: .string(justification))
    }
    return body
  }
}
