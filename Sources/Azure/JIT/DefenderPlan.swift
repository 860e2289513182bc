package import Platform

/// Whether Microsoft Defender for Servers Plan 2, which just-in-time access is part of, is on.
package enum DefenderPlan: Sendable, Equatable {
  case on
  /// Off for the subscription and on for some of its machines.
  case partly
  case off

  init(tree: JSONTree) {
    let properties = tree["properties"] ?? .null
    let subPlan = properties["subPlan"]?.text?.lowercased()
    if properties["pricingTier"]?.text?.lowercased() == "standard",
      subPlan == nil || subPlan == "p2"
    {
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
    return DefenderPlan(tree: try answer.json())
  }
}
