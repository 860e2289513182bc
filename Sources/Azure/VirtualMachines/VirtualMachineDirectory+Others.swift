package import Platform

extension VirtualMachineDirectory {
  /// What has that name and is no virtual machine: an Arc machine, a scale set or an instance of
  /// one, a classic machine.
  ///
  /// - Returns: what to tell the user, who named something that just-in-time access is not for.
  package func lookalike(_ query: Query) async throws(Failure) -> Failure? {
    // Instances of a uniform scale set are in no list of machines: they are named SET_NUMBER.
    let set = query.name.lastIndex(of: "_").map { String(query.name[..<$0]) }
    let names = [query.name, set].compactMap(\.self).filter { !$0.isEmpty }
      .map { "name =~ \(ResourceGraph.literal($0))" }
    let text = """
      Resources
      | where type in~ ('microsoft.hybridcompute/machines', \
      'microsoft.compute/virtualmachinescalesets', 'microsoft.classiccompute/virtualmachines')
      | where \(names.joined(separator: " or "))
      | project id, name
      | order by id asc
      """
    let rows = try await overTenants { directory throws(Failure) in
      try await ResourceGraph(client: directory.client).rows(
        text, subscriptions: query.subscription.flatMap { Self.isGUID($0) ? [$0] : nil } ?? [],
        rowLimit: 100, purpose: "look for what else is named \(printable(query.name, limit: 100))")
    }
    let ids = rows.compactMap { ResourceID($0["id"]?.text) }.filter { id in
      query.resourceGroup.map { $0.lowercased() == id.resourceGroup?.lowercased() } ?? true
    }
    if let id = ids.first(where: { $0.name.lowercased() == query.name.lowercased() }) {
      return Self.unsupported(id)
    }
    guard let id = ids.first(where: { $0.isType(Self.scaleSetType) }) else { return nil }
    var failure = Self.unsupported(id)
    failure.what = "\(query.name) is an instance of the scale set \(id.name)"
    return failure
  }

  static let scaleSetType = "Microsoft.Compute/virtualMachineScaleSets"
}
