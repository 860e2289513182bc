package import Platform

extension VirtualMachineDirectory {
  /// A machine's name and where it is: what completion offers.
  package struct Named: Sendable, Equatable {
    package var name: String
    package var resourceGroup: String
    package var subscription: String

    package init(name: String, resourceGroup: String, subscription: String) {
      self.name = name
      self.resourceGroup = resourceGroup
      self.subscription = subscription
    }
  }

  /// The names of all machines in sight, by Resource Graph; a thousand to a call.
  package func names() async throws(Failure) -> [Named] {
    let rows = try await overTenants { directory throws(Failure) in
      try await ResourceGraph(client: directory.client).rows(
        """
        Resources
        | where type =~ 'microsoft.compute/virtualmachines'
        | project id, name
        | order by id asc
        """, purpose: "list the names of the virtual machines")
    }
    return rows.compactMap { row in
      guard let id = ResourceID(row["id"]?.text), id.isType(ResourceID.virtualMachineType) else {
        return nil
      }
      return Named(
        name: row["name"]?.text ?? id.name, resourceGroup: id.resourceGroup ?? "",
        subscription: id.subscription)
    }
  }
}
