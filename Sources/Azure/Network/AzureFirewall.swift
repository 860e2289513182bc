package import Platform

/// An Azure Firewall, as far as it leads to machines.
///
/// Just-in-time access works with classic rules alone, not with a firewall policy.
package struct AzureFirewall: Sendable, Equatable {
  /// A rule that leads from a port of the firewall's public address to a machine.
  package struct DNATRule: Sendable, Equatable {
    package var name: String
    package var sources: [SourcePrefix]
    /// Public addresses of the firewall.
    package var destinations: [String]
    package var ports: [String]
    package var translatedAddress: String
    package var translatedPort: Int?

    /// Whether it leads from an address and a port of the firewall.
    package func leads(from address: String, port: Int) -> Bool {
      destinations.contains(address) && ports.contains { Self.range($0)?.contains(port) == true }
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
      if text == "*" { return 0...65535 }
      let ends = text.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, ends.count <= 2, first <= last else {
        return nil
      }
      return first...last
    }
  }

  package var id: ResourceID
  package var name: String
  package var hasFirewallPolicy: Bool
  package var rules: [DNATRule]

  init?(tree: JSONTree) {
    guard let id = ResourceID(tree["id"]?.text) else { return nil }
    self.id = id
    name = tree["name"]?.text ?? id.name
    let properties = tree["properties"] ?? .null
    hasFirewallPolicy = properties["firewallPolicy", "id"]?.text != nil
    rules = (properties["natRuleCollections"]?.elements ?? []).flatMap { collection in
      (collection["properties", "rules"]?.elements ?? []).map(Self.rule)
    }
  }

  private static func rule(_ tree: JSONTree) -> DNATRule {
    func texts(_ name: String) -> [String] { (tree[name]?.elements ?? []).compactMap(\.text) }
    return DNATRule(
      name: tree["name"]?.text ?? "",
      sources: texts("sourceAddresses").map(SourcePrefix.init(wire:)),
      destinations: texts("destinationAddresses"), ports: texts("destinationPorts"),
      translatedAddress: tree["translatedAddress"]?.text ?? "",
      translatedPort: tree["translatedPort"]?.text.flatMap { Int($0) })
  }
}

/// Reads the firewalls of a subscription.
package struct AzureFirewalls: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  package func list(subscription: String) async throws(Failure) -> [AzureFirewall] {
    try await client.list(
      "/subscriptions/\(subscription)/providers/Microsoft.Network/azureFirewalls", .network,
      purpose: "list the Azure Firewalls of the subscription"
    ).compactMap { AzureFirewall(tree: $0) }
  }
}
