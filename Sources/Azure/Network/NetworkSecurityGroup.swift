/// A network security group: rules in the order in which they count.
package struct NetworkSecurityGroup: Sendable, Equatable, Identifiable {
  package var id: ResourceID
  /// Azure's default rules too; the lowest priority number first.
  package var rules: [SecurityGroupRule]
  /// How many interfaces and subnets it guards; nil where Azure does not say.
  package var attachments: Int?

  package var name: String { id.name }

  /// - Parameter id: as it was asked for.
  package init(id: ResourceID, tree: JSONTree) {
    self.id = id
    let properties = tree["properties"] ?? .null
    let own = (properties["securityRules"]?.elements ?? []).compactMap {
      SecurityGroupRule(tree: $0)
    }
    let standard = (properties["defaultSecurityRules"]?.elements ?? []).compactMap {
      SecurityGroupRule(tree: $0, isDefault: true)
    }
    rules = (own + standard).sorted { ($0.priority, $0.name) < ($1.priority, $1.name) }
    let lists = [properties["networkInterfaces"], properties["subnets"]].compactMap { $0 }
    attachments = lists.isEmpty ? nil : lists.map(\.elements.count).reduce(0, +)
  }

  /// The rules for that port of that machine, in the order in which they count.
  package func rules(
    port: Int, protocol: PortProtocol, destination: InboundPath.Destination
  ) -> [SecurityGroupRule] {
    rules.filter { $0.match(port: port, protocol: `protocol`, destination: destination) != .no }
  }

  /// What decides on a packet.
  package struct Decision: Sendable, Equatable {
    /// Nil where an earlier rule may say otherwise and cannot be evaluated from here.
    package var access: SecurityGroupRule.Access?
    /// The first rule that is certainly for the packet; nil where none is, which denies.
    package var rule: SecurityGroupRule?
    /// Rules before it that may be for the packet: service tags, application security groups.
    package var doubtful: [SecurityGroupRule]
  }

  package func decision(
    from source: SourcePrefix, port: Int, protocol: PortProtocol,
    destination: InboundPath.Destination
  ) -> Decision {
    var doubtful: [SecurityGroupRule] = []
    for rule in rules {
      let matches = [
        rule.match(port: port, protocol: `protocol`, destination: destination),
        rule.match(source: source), rule.coversAllSourcePorts ? .yes : .maybe,
      ]
      if matches.contains(.no) { continue }
      guard !matches.contains(.maybe) else {
        doubtful.append(rule)
        continue
      }
      let isClear = doubtful.allSatisfy { $0.access == rule.access }
      return Decision(access: isClear ? rule.access : nil, rule: rule, doubtful: doubtful)
    }
    let isClear = doubtful.allSatisfy { $0.access == .deny }
    return Decision(access: isClear ? .deny : nil, rule: nil, doubtful: doubtful)
  }

  /// Which sources reach a port, and by which rule: what is left of each allow rule when the rules
  /// before it are taken out.
  ///
  /// - Parameter isWindow: rules that are passed over, since they are windows of just-in-time
  ///   access and meant to be open.
  func openings(
    port: Int, protocol: PortProtocol, destination: InboundPath.Destination,
    isWindow: (SecurityGroupRule) -> Bool
  ) -> [Opening] {
    var decided = SourceSet.empty
    var openings: [Opening] = []
    for rule in rules where !isWindow(rule) {
      let match = rule.match(port: port, protocol: `protocol`, destination: destination)
      guard match != .no else { continue }
      let isCertain = match == .yes && rule.coversAllSourcePorts
      let fresh = rule.sourceSet.subtracting(decided)
      switch rule.access {
      case .allow where !fresh.isEmpty && !fresh.isHealthProbe:
        openings.append(Opening(group: id, rule: rule, sources: fresh, isCertain: match == .yes))
      default: break
      }
      // A rule that may not be for every packet settles nothing.
      if isCertain { decided.formUnion(rule.sourceSet) }
    }
    return openings
  }

  /// A rule that lets sources in.
  package struct Opening: Sendable, Equatable {
    package var group: ResourceID
    package var rule: SecurityGroupRule
    /// Those that no earlier rule decides on.
    package var sources: SourceSet
    /// False where it cannot be told from here whether the rule is for this machine.
    package var isCertain: Bool
  }
}

extension SourceSet {
  /// Only Azure's own health probes, which are no way in.
  fileprivate var isHealthProbe: Bool {
    names.isEmpty && ranges == [Self.healthProbe...Self.healthProbe]
  }
}
