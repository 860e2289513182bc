package import Platform

/// Whether a machine is covered by the plan that just-in-time access is part of.
package struct DefenderPlan: Sendable, Equatable {
  /// `Free` or `Standard`, as Azure writes it.
  package var tier: String
  /// `P1` or `P2`; nil with `Standard` is the full plan.
  package var subPlan: String?

  /// Whether just-in-time access is part of it.
  package var includesJIT: Bool {
    tier.lowercased() == "standard" && (subPlan == nil || subPlan?.lowercased() == "p2")
  }

  init(tree: JSONTree) {
    tier = tree["properties", "pricingTier"]?.text ?? "unknown"
    subPlan = tree["properties", "subPlan"]?.text
  }
}

/// Reads plans of Microsoft Defender for Cloud.
package struct DefenderPlans: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  /// The plan for servers that counts for a machine, which may differ from its subscription's.
  package func plan(of machine: ResourceID) async throws(Failure) -> DefenderPlan {
    DefenderPlan(
      tree: try await client.get(
        machine.text + "/providers/Microsoft.Security/pricings/VirtualMachines", .pricings,
        purpose: "read the Defender plan of \(machine.name)"
      ).json())
  }
}
