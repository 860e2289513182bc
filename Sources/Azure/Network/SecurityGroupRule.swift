/// A rule of a network security group.
package struct SecurityGroupRule: Sendable, Equatable {
  package enum Access: Sendable, Equatable { case allow, deny }

  /// Whether a rule is for a packet, as far as it can be told from here.
  package enum Match: Sendable, Equatable { case yes, no, maybe }

  package var name: String
  package var id: ResourceID?
  /// 100 to 4096 for a customer's rules, from 65000 on for Azure's; the lowest that matches decides.
  package var priority: Int
  package var access: Access
  package var isInbound: Bool
  package var `protocol`: PortProtocol
  package var sourcePorts: [PortRange]
  package var ports: [PortRange]
  /// Addresses, blocks, service tags, `*`.
  package var sources: [String]
  package var destinations: [String]
  /// Application security groups in the place of addresses.
  package var sourceGroups: [ResourceID]
  package var destinationGroups: [ResourceID]
  /// Whether an allow rule has destinations that could not be read.
  package var mayHaveMoreDestinations: Bool
  package var description: String?
  /// Whether it is one of the three that every group ends with.
  package var isDefault: Bool

  /// What just-in-time access made it for; nil for a customer's own.
  package var jit: JITRule? { JITRule(name: name, description: description) }

  /// - Returns: nil for what is no rule.
  ///
  /// What cannot be read counts as wide in an allow rule and as nothing in a deny rule: a port is
  /// rather taken for open than for shut.
  package init?(tree: JSONTree, isDefault: Bool = false) {
    let properties = tree["properties"] ?? .null
    guard let name = tree["name"]?.text, let priority = properties["priority"]?.integer,
      let access = Self.access(properties["access"]?.text)
    else { return nil }
    func values(_ singular: String, _ plural: String) -> [String] {
      let several = (properties[plural]?.elements ?? []).compactMap(\.text)
      return several.isEmpty ? properties[singular]?.text.map { [$0] } ?? [] : several
    }
    func ranges(_ singular: String, _ plural: String) -> [PortRange] {
      let texts = values(singular, plural)
      let read = texts.compactMap { PortRange(parsing: $0) }
      return access == .allow && (read.count < texts.count || texts.isEmpty) ? [.all] : read
    }
    func groups(_ member: String) -> [ResourceID] {
      (properties[member]?.elements ?? []).compactMap { ResourceID($0["id"]?.text) }
    }
    self.name = name
    id = ResourceID(tree["id"]?.text)
    self.priority = priority
    self.access = access
    isInbound = properties["direction"]?.text?.lowercased() != "outbound"
    let word = properties["protocol"]?.text ?? "*"
    // Effective rules say "All".
    `protocol` = word.lowercased() == "all" ? .any : PortProtocol(rawValue: word)
    sourcePorts = ranges("sourcePortRange", "sourcePortRanges")
    ports = ranges("destinationPortRange", "destinationPortRanges")
    sourceGroups = groups("sourceApplicationSecurityGroups")
    destinationGroups = groups("destinationApplicationSecurityGroups")
    func isUnread(_ singular: String, _ plural: String, _ groups: String, _ read: Int) -> Bool {
      let several = properties[plural]?.elements ?? []
      let named = properties[groups]?.elements ?? []
      return several.contains { $0.text == nil } || named.count > read
        || (values(singular, plural).isEmpty && named.isEmpty)
    }
    sources = values("sourceAddressPrefix", "sourceAddressPrefixes")
    if access == .allow,
      isUnread(
        "sourceAddressPrefix", "sourceAddressPrefixes", "sourceApplicationSecurityGroups",
        sourceGroups.count)
    {
      sources = ["*"]
    }
    destinations = values("destinationAddressPrefix", "destinationAddressPrefixes")
    mayHaveMoreDestinations =
      access == .allow
      && isUnread(
        "destinationAddressPrefix", "destinationAddressPrefixes",
        "destinationApplicationSecurityGroups", destinationGroups.count)
    description = properties["description"]?.text
    self.isDefault = isDefault
  }

  private static func access(_ text: String?) -> Access? {
    switch text?.lowercased() {
    case "allow": .allow
    case "deny": .deny
    default: nil
    }
  }

  /// The sources as a set.
  package var sourceSet: SourceSet { SourceSet(prefixes: sources, groups: sourceGroups) }
}

extension SecurityGroupRule {
  /// Whether the rule is for packets to that port of that machine, from wherever.
  package func match(
    port: Int, protocol: PortProtocol, destination: InboundPath.Destination
  ) -> Match {
    guard isInbound, ports.contains(where: { $0.contains(port) }),
      self.protocol == .any || `protocol` == .any || self.protocol == `protocol`
    else { return .no }
    let answers =
      destinations.map { destination.match($0) } + destinationGroups.map { destination.match($0) }
    if answers.contains(.yes) { return .yes }
    return mayHaveMoreDestinations || answers.contains(.maybe) ? .maybe : .no
  }

  /// Whether a packet from that address is one of the rule's.
  package func match(source: SourcePrefix) -> Match {
    guard let range = source.range else { return .maybe }
    let set = sourceSet
    let block = SourceSet(prefixes: [source.text])
    let rest = block.subtracting(SourceSet(prefixes: sources.filter { SourceSet.isListed($0) }))
    if rest.isEmpty { return .yes }
    let isPublic = block.reachesInternet
    let named = set.names.contains { name in
      // What is in the virtual network, or in one of its groups, has a private address.
      let isInside =
        name.lowercased() == "virtualnetwork" || sourceGroups.contains { $0.name == name }
      return !isInside || !isPublic
    }
    return named || set.ranges.contains(where: { $0.overlaps(range) }) ? .maybe : .no
  }

  /// Whether it decides on every packet of its sources, whatever port they come from.
  var coversAllSourcePorts: Bool { sourcePorts.contains(.all) }
}

extension SourceSet {
  /// Whether a prefix is one whose addresses are known.
  static func isListed(_ prefix: String) -> Bool {
    !SourceSet(prefixes: [prefix]).ranges.isEmpty
  }
}
