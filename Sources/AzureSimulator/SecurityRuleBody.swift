/// `PUT` of one rule of a network security group: what is taken, and what is refused.
extension World {
  func securityRule(
    _ name: String, in group: SecurityGroup, _ body: JSON
  ) throws(AzureError) -> SecurityRule {
    if behaviour.locksSecurityGroups {
      throw AzureError(
        409, "ScopeLocked",
        "The scope '\(group.id)/securityRules/\(name)' cannot perform write operation because "
          + "following scope(s) are locked: '\(group.id)'. Please remove the lock and try again.")
    }
    let properties = body["properties"] ?? .null
    func text(_ member: String) throws(AzureError) -> String {
      guard let text = properties[member]?.text else { throw .missingMember(member) }
      return text
    }
    /// One value or several; the two members exclude each other.
    func values(_ singular: String, _ plural: String) throws(AzureError) -> [String] {
      let several = properties[plural]?.elements?.compactMap(\.text) ?? []
      let one = properties[singular]?.text
      guard one == nil || several.isEmpty else {
        throw .badRequest("Only one of '\(singular)' and '\(plural)' can be set.")
      }
      guard one != nil || !several.isEmpty else { throw .missingMember(singular) }
      return one.map { [$0] } ?? several
    }
    guard let priority = properties["priority"]?.integer, (100...4096).contains(priority) else {
      throw AzureError(
        400, "SecurityRuleInvalidPriority",
        "Security rule has invalid Priority. The value must be between 100 and 4096.")
    }
    let isInbound = try text("direction").lowercased() == "inbound"
    let other = group.rules.first {
      $0.priority == priority && $0.inbound == isInbound
        && $0.name.lowercased() != name.lowercased()
    }
    if let other {
      throw AzureError(
        400, "SecurityRuleConflict",
        "Security rule \(other.name) conflicts with rule \(name). Rules cannot have the same Priority "
          + "and Direction.")
    }
    let access = try text("access").lowercased()
    guard ["allow", "deny"].contains(access) else {
      throw .badRequest("The access of the rule is not valid.")
    }
    _ = try values("sourcePortRange", "sourcePortRanges")
    var rule = SecurityRule(
      name, priority: priority, allows: access == "allow",
      ports: try values("destinationPortRange", "destinationPortRanges"),
      sources: try values("sourceAddressPrefix", "sourceAddressPrefixes"))
    rule.destinations = try values("destinationAddressPrefix", "destinationAddressPrefixes")
    rule.ruleProtocol = try text("protocol")
    rule.inbound = isInbound
    rule.description = properties["description"]?.text
    guard (rule.description?.count ?? 0) <= 140 else {
      throw .badRequest("The description of the rule is longer than 140 characters.")
    }
    return rule
  }
}
