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

  /// What the rule of a machine's address is called.
  ///
  /// An address alone may be another machine's: one that had it before, or one of another network
  /// behind the same group.
  private static func name(_ machine: ResourceID, _ address: String) -> String {
    // FNV-1a: the same in every run.
    let hash = machine.key.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let digits = String(hash, radix: 16)
    return "jitconnect-shut-\(address)-" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Whether a rule is one that this program made for that address of that machine.
  package static func isOwn(
    _ rule: SecurityGroupRule, of machine: ResourceID, address: String
  ) -> Bool {
    rule.name.lowercased() == name(machine, address) && rule.access == .deny
  }

  /// The rules that shut what is open on a path.
  ///
  /// - Parameter taken: the numbers that other paths' rules have taken, by their group.
  /// - Returns: one for each group that needs one; of two groups that both let something in, the
  ///   network interface's, which fewer machines share.
  /// - Throws: where no number is free between the windows and the rule.
  package static func plan(
    for exposures: [PortExposure], on path: InboundPath, of machine: ResourceID,
    taken: inout [ResourceID: Set<Int>]
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
        // What comes from inside is the network's own business, and so are Azure's default rules.
        let openings = exposure.holes.filter(\.reachesInternet).compactMap { hole in
          hole.openings.last { !$0.rule.isDefault }
        }
        for opening in openings where opening.group == group.id {
          ports.insert(exposure.port)
          if !outranked.contains(opening.rule) { outranked.append(opening.rule) }
        }
      }
      guard !ports.isEmpty else { continue }
      let own = group.rules.first { isOwn($0, of: machine, address: address) }
      for range in own?.ports ?? [] where range.first == range.last { ports.insert(range.first) }
      // A customer's numbers end at 4096.
      var first = min(outranked.map(\.priority).min() ?? 4097, 4097)
      if let own { first = min(first, own.priority + 1) }
      let used = Set(
        group.rules.filter { $0.isInbound && $0.name != own?.name }.map(\.priority)
      ).union(taken[group.id] ?? [])
      let lowest = Assumptions.windowPriorities.upperBound + 1
      guard lowest < first,
        let priority = (lowest..<first).last(where: { !used.contains($0) }),
        let id = ResourceID("\(group.id.text)/securityRules/\(name(machine, address))")
      else {
        throw Failure(
          .portStillOpen,
          what: "no number is free before the rule \(outranked.first?.name ?? "") of \(group.name)",
          why: "windows of just-in-time access take those up to \(lowest - 1)",
          next: "give that rule a higher number, or take it out: "
            + deleting(outranked.first?.name ?? "", of: group.id))
      }
      taken[group.id, default: []].insert(priority)
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
    shellLine([
      "az", "network", "nsg", "rule", "delete", "--subscription", group.subscription, "-g",
      group.resourceGroup ?? "", "--nsg-name", group.name, "-n", rule,
    ])
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

/// The rule that just-in-time access makes for a window.
package enum WindowRule {
  /// How long it may take to appear.
  package static let appearing = Assumptions.windowRuleAppearing
}
