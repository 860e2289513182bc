import Platform

/// A change to one port of a machine's entry: only the fields that are given.
package struct PortChange: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// Makes the port where it is missing, with the portal's values for what is not given.
    case set
    /// Changes a port that must be there.
    case change
    case remove
  }

  package var kind: Kind
  package var number: Int
  package var `protocol`: PortProtocol?
  /// In the place of those that were allowed.
  package var sources: [SourcePrefix]?
  /// Beside those that are allowed.
  package var addedSources: [SourcePrefix]
  package var maximum: Duration?

  package init(
    _ kind: Kind, number: Int, protocol: PortProtocol? = nil, sources: [SourcePrefix]? = nil,
    addedSources: [SourcePrefix] = [], maximum: Duration? = nil
  ) {
    self.kind = kind
    self.number = number
    self.protocol = `protocol`
    self.sources = sources
    self.addedSources = addedSources
    self.maximum = maximum
  }

  /// Applies it to the ports of an entry.
  ///
  /// Applied twice it gives the same.
  func apply(to ports: inout [JSONTree], of machine: ResourceID) throws(Failure) {
    let places = ports.indices.filter { ports[$0]["number"]?.integer == number }
    switch kind {
    case .remove:
      ports.removeAll { $0["number"]?.integer == number }
    case .set where places.isEmpty:
      var port: JSONTree = ["number": .number(String(number))]
      PortRule(
        number: number, protocol: `protocol` ?? .any,
        allowedSources: (sources ?? (addedSources.isEmpty ? [.any] : [])) + addedSources,
        maximumDuration: maximum ?? .seconds(3 * 3600)
      ).write(to: &port)
      ports.append(port)
    case .set, .change:
      guard !places.isEmpty else {
        throw Failure(
          .notFound, what: "the policy of \(machine.name) has no port \(number)",
          next: "add it: jitconnect edit \(machine.name) --add-port \(number)")
      }
      // The same port may have a rule for each protocol; one that is named is meant alone.
      let named = places.filter {
        ports[$0]["protocol"]?.text?.uppercased() == `protocol`?.rawValue
      }
      for place in places.count > 1 && !named.isEmpty ? named : places {
        apply(to: &ports[place])
      }
    }
  }

  private func apply(to port: inout JSONTree) {
    if let `protocol`, port["protocol"]?.text?.uppercased() != `protocol`.rawValue {
      port.set("protocol", to: .string(`protocol`.rawValue))
    }
    var allowed = SourcePrefix.list(port)
    let before = allowed
    if let sources, Set(sources) != Set(allowed) { allowed = sources }
    for source in addedSources where !allowed.contains(where: { $0.contains(source) }) {
      allowed.append(source)
    }
    // Beside everybody nobody else is to be named.
    if let any = allowed.first(where: \.isAny), allowed.count > 1 { allowed = [any] }
    if allowed != before { SourcePrefix.write(allowed, to: &port) }
    let written = port["maxRequestAccessDuration"]?.text.flatMap { Duration(iso8601: $0) }
    if let maximum, maximum != written {
      port.set("maxRequestAccessDuration", to: .string(maximum.iso8601))
    }
  }
}
