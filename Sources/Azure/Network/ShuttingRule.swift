package import Platform

/// A rule of ours that shuts ports of one machine before a customer's rule that outranks the one of
/// just-in-time access. Windows still open them: theirs come first.
///
/// The customer's rule stays as it is, since it may serve other machines and other ports.
package struct ShuttingRule: Sendable, Equatable {
  package var group: ResourceID
  package var id: ResourceID
  package var ports: [Int]
  package var address: String
  package var priority: Int
  /// The rules that it goes before.
  package var outranked: [String]

  private static let prefix = "jitconnect-shut-"

  /// Whether a rule is one that this program made for that address.
  package static func isOwn(_ rule: SecurityGroupRule, address: String) -> Bool {
    rule.name.lowercased() == prefix + address
  }

  /// The rules that shut what is open on a path.
  ///
  /// - Returns: one for each group that needs one; of two groups that both let something in, the
  ///   network interface's, which fewer machines share.
  /// - Throws: where no number is free between the windows and the rule.
  package static func plan(
    for exposures: [PortExposure], on path: InboundPath
  ) throws(Failure) -> [ShuttingRule] {
    guard let address = path.destination.privateAddress?.text else {
      throw Failure(
        .vmUnsupported, what: "no rule can be written for a machine without a private address")
    }
    var rules: [ShuttingRule] = []
    for group in path.groups {
      var ports: Set<Int> = []
      var outranked: [SecurityGroupRule] = []
      for exposure in exposures {
        for opening in exposure.holes.compactMap(\.openings.last) where opening.group == group.id {
          ports.insert(exposure.port)
          if !outranked.contains(opening.rule) { outranked.append(opening.rule) }
        }
      }
      guard !ports.isEmpty else { continue }
      let own = group.rules.first { isOwn($0, address: address) }
      for range in own?.ports ?? [] where range.first == range.last { ports.insert(range.first) }
      var first = outranked.map(\.priority).min() ?? 4096
      if let own { first = min(first, own.priority + 1) }
      let taken = Set(
        group.rules.filter { $0.isInbound && $0.name != own?.name }.map(\.priority))
      let lowest = Assumptions.windowPriorities.upperBound + 1
      guard lowest < first,
        let priority = (lowest..<first).last(where: { !taken.contains($0) }),
        let id = ResourceID("\(group.id.text)/securityRules/\(prefix)\(address)")
      else {
        throw Failure(
          .portStillOpen,
          what: "no number is free before the rule \(outranked.first?.name ?? "") of \(group.name)",
          why: "windows of just-in-time access take those up to \(lowest - 1)",
          next: "give that rule a higher number, or take it out: "
            + deleting(outranked.first?.name ?? "", of: group.id))
      }
      rules.append(
        ShuttingRule(
          group: group.id, id: id, ports: ports.sorted(), address: address, priority: priority,
          outranked: outranked.map(\.name)))
    }
    return rules
  }

  /// The rule's members, as they are sent.
  package var properties: JSONTree {
    var properties: JSONTree = [
      "protocol": "*", "sourcePortRange": "*", "sourceAddressPrefix": "*",
      "destinationAddressPrefix": .string(address),
    ]
    if let only = ports.first, ports.count == 1 {
      properties.set("destinationPortRange", to: .string(String(only)))
    } else {
      properties.set("destinationPortRanges", to: .array(ports.map { .string(String($0)) }))
    }
    properties.set("access", to: "Deny")
    properties.set("priority", to: .number(String(priority)))
    properties.set("direction", to: "Inbound")
    properties.set(
      "description",
      to: .string(
        String(
          "Made by jitconnect: shuts what \(outranked.joined(separator: ", ")) would let in."
            .prefix(140))))
    return properties
  }

  /// What az takes to delete a rule.
  package static func deleting(_ rule: String, of group: ResourceID) -> String {
    "az network nsg rule delete --subscription \(group.subscription) -g \(group.resourceGroup ?? "") "
      + "--nsg-name \(group.name) -n \(rule)"
  }

  /// The same for the id of a rule.
  package static func deleting(_ rule: ResourceID) -> String {
    let parts = rule.text.split(separator: "/")
    return ResourceID("/" + parts.dropLast(2).joined(separator: "/"))
      .map { deleting(rule.name, of: $0) } ?? ""
  }
}

/// The deny rule that just-in-time access itself makes.
package enum DenyRule {
  /// How long it may take to appear.
  package static let appearing = Assumptions.denyRuleAppearing
}
