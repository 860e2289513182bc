package import Platform

/// Whether Microsoft Defender for Servers Plan 2, which just-in-time access is part of, is on.
package enum DefenderPlan: Sendable, Equatable {
  case on
  /// Off for the subscription and on for some of its machines.
  case partly
  case off

  /// Nil where the answer does not say it.
  init?(tree: JSONTree) {
    let properties = tree["properties"] ?? .null
    let subPlan = properties["subPlan"]?.text.flatMap { $0.isEmpty ? nil : $0.lowercased() }
    guard let tier = properties["pricingTier"]?.text?.lowercased(), !tier.isEmpty else {
      return nil
    }
    if tier == "standard", subPlan == nil || subPlan == "p2" {
      self = .on
    } else {
      let coverage = properties["resourcesCoverageStatus"]?.text?.lowercased()
      self = coverage == "partiallycovered" ? .partly : .off
    }
  }
}

extension JITPolicies {
  /// The plan of a subscription or a machine.
  package func plan(of scope: ResourceID) async throws(Failure) -> DefenderPlan {
    let answer = try await client.get(
      scope.text + "/providers/Microsoft.Security/pricings/VirtualMachines", .pricings,
      purpose: "read the Defender plan of \(scope.name)")
    guard let plan = DefenderPlan(tree: try answer.json()) else {
      throw answer.invalid("the answer does not say which plan it is")
    }
    return plan
  }
}
