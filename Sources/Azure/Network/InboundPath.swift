package import Platform

/// What a packet to one address of a machine passes: the security group of the subnet, then that of
/// the network interface. Both must allow it.
package struct InboundPath: Sendable, Equatable {
  /// The machine's side of a packet.
  package struct Destination: Sendable, Equatable {
    /// Rules compare with the private address: inbound packets are translated first.
    package var privateAddress: SourcePrefix?
    /// The application security groups of the address; nil where they were not read.
    package var groups: [ResourceID]?

    package init(privateAddress: String?, groups: [ResourceID]? = nil) {
      self.privateAddress = privateAddress.flatMap { SourcePrefix(parsing: $0) }
      self.groups = groups
    }

    func match(_ prefix: String) -> SecurityGroupRule.Match {
      if prefix.lowercased() == "virtualnetwork" { return .yes }
      let block = SourcePrefix(wire: prefix)
      // Service tags and IPv6 name no private IPv4 address.
      guard block.prefixLength != nil, prefix.lowercased() != "internet" else { return .no }
      if block.isAny { return .yes }
      guard let privateAddress else { return .maybe }
      return block.contains(privateAddress) ? .yes : .no
    }

    func match(_ group: ResourceID) -> SecurityGroupRule.Match {
      guard let groups else { return .maybe }
      return groups.contains(group) ? .yes : .no
    }
  }

  package var destination: Destination
  /// Subnet first. Empty where neither has a group.
  package var groups: [NetworkSecurityGroup]
  /// Groups that belong here and could not be read, each with its reason, for the user.
  package var unread: [String]
  /// The failures of those groups that Azure did not show.
  package var refusals: [Failure] = []

  package init(destination: Destination, groups: [NetworkSecurityGroup], unread: [String] = []) {
    self.destination = destination
    self.groups = groups
    self.unread = unread
  }

  /// The rules of just-in-time access that shut a port here, by their group.
  package func denyRules(port: Int) -> [(group: NetworkSecurityGroup, rule: SecurityGroupRule)] {
    groups.flatMap { group in
      group.rules.filter {
        $0.jit?.kind == .deny
          && $0.match(port: port, protocol: .any, destination: destination) == .yes
      }.map { (group, $0) }
    }
  }

  /// The rules of just-in-time access that open a port here, by their group.
  package func windowRules(port: Int) -> [(group: NetworkSecurityGroup, rule: SecurityGroupRule)] {
    groups.flatMap { group in
      group.rules.filter {
        $0.jit?.kind == .window
          && $0.match(port: port, protocol: .any, destination: destination) == .yes
      }.map { (group, $0) }
    }
  }

  /// Who reaches a port although no window is open.
  ///
  /// - Parameters:
  ///   - protocol: `any` looks at TCP and at UDP.
  ///   - isWindow: rules that are meant to be open; by default those of just-in-time access.
  package func exposure(
    port: Int, protocol: PortProtocol = .tcp,
    isWindow: (SecurityGroupRule) -> Bool = { $0.jit?.kind == .window }
  ) -> PortExposure {
    var holes: [PortExposure.Hole] = []
    for word in `protocol` == .any ? [PortProtocol.tcp, .udp] : [`protocol`] {
      for hole in self.holes(port, word, isWindow) where !holes.contains(hole) {
        holes.append(hole)
      }
    }
    return PortExposure(port: port, holes: holes, isGuarded: !groups.isEmpty, unread: unread)
  }

  private func holes(
    _ port: Int, _ protocol: PortProtocol, _ isWindow: (SecurityGroupRule) -> Bool
  ) -> [PortExposure.Hole] {
    guard let first = groups.first else { return [] }
    func openings(_ group: NetworkSecurityGroup) -> [NetworkSecurityGroup.Opening] {
      group.openings(
        port: port, protocol: `protocol`, destination: destination, isWindow: isWindow)
    }
    var holes = openings(first).map { PortExposure.Hole(openings: [$0], sources: $0.sources) }
    for group in groups.dropFirst() {
      let further = openings(group)
      holes = holes.flatMap { hole in
        further.compactMap { opening in
          let sources = hole.sources.intersection(opening.sources)
          return sources.isEmpty
            ? nil : PortExposure.Hole(openings: hole.openings + [opening], sources: sources)
        }
      }
    }
    return holes
  }

  /// What becomes of a packet: what each group says, in the order in which it passes them.
  package func decisions(
    from source: SourcePrefix, port: Int, protocol: PortProtocol = .tcp
  ) -> [(group: NetworkSecurityGroup, decision: NetworkSecurityGroup.Decision)] {
    groups.map { group in
      (
        group,
        group.decision(
          from: source, port: port, protocol: `protocol`, destination: destination)
      )
    }
  }

  /// Whether a packet gets through; nil where a group could not be read or a rule not evaluated.
  package func allows(
    _ source: SourcePrefix, port: Int, protocol: PortProtocol = .tcp
  ) -> Bool? {
    let answers = decisions(from: source, port: port, protocol: `protocol`).map(\.decision.access)
    if answers.contains(.deny) { return false }
    return unread.isEmpty && !answers.contains(nil) && !groups.isEmpty ? true : nil
  }
}
