package import Platform

/// The routes that count for a network interface.
package struct EffectiveRoutes: Sendable, Equatable {
  package struct Route: Sendable, Equatable {
    package var prefixes: [SourcePrefix]
    /// `VnetLocal`, `Internet`, `VirtualAppliance`, `VirtualNetworkGateway`, `None`, or another word.
    package var nextHopType: String
    package var nextHopAddress: String?
    package var isActive: Bool
  }

  package var routes: [Route]

  init(tree: JSONTree) {
    routes = (tree["value"]?.elements ?? []).map { item in
      Route(
        prefixes: (item["addressPrefix"]?.elements ?? []).compactMap(\.text)
          .map(SourcePrefix.init(wire:)),
        nextHopType: item["nextHopType"]?.text ?? "unknown",
        nextHopAddress: item["nextHopIpAddress"]?.elements.first?.text,
        isActive: (item["state"]?.text ?? "Active").lowercased() == "active")
    }
  }

  /// The route that an answer to that address takes: the longest prefix decides.
  package func route(to address: SourcePrefix) -> Route? {
    var best: (length: Int, route: Route)?
    for route in routes where route.isActive {
      for prefix in route.prefixes where prefix.contains(address) {
        let length = prefix.prefixLength ?? 0
        if length >= best?.length ?? -1 { best = (length, route) }
      }
    }
    return best?.route
  }
}

extension VirtualMachineDirectory {
  /// The routes of a network interface; Azure tells them only while the machine runs.
  package func effectiveRoutes(
    of networkInterface: ResourceID, deadline: Duration = .seconds(60)
  ) async throws(Failure) -> EffectiveRoutes {
    let answer = try await client.post(
      networkInterface.text + "/effectiveRouteTable", .network, isRepeatable: true,
      purpose: "read the effective routes of \(networkInterface.name)")
    return EffectiveRoutes(tree: try await client.wait(for: answer, deadline: deadline).json())
  }
}
