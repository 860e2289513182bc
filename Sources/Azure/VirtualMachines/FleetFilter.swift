package import Platform

/// Which machines of all in sight are meant.
package struct FleetFilter: Sendable, Equatable {
  /// A tag, and its value where only one counts.
  package struct Tag: Sendable, Equatable {
    package var name: String
    package var value: String?

    package init(name: String, value: String?) {
      self.name = name
      self.value = value
    }

    /// Reads `role=web` or `role`; Azure's tag names hold no `=`.
    package init(parsing text: String) throws(Failure) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first, !name.isEmpty else {
        throw Failure(
          .usage, what: "'\(printable(text, limit: 200))' is no tag",
          next: "write it as name=value, or name for any value")
      }
      self.init(name: String(name), value: parts.count == 2 ? String(parts[1]) : nil)
    }

    /// Names of tags know no letter case, their values do.
    func holds(_ tags: [String: String]) -> Bool {
      tags.contains { entry in
        entry.key.lowercased() == name.lowercased() && (value.map { $0 == entry.value } ?? true)
      }
    }
  }

  /// Names of machines, in any case; empty is every machine.
  package var names: [String]
  /// An id or a display name; nil is every subscription.
  package var subscription: String?
  package var resourceGroup: String?
  package var operatingSystem: OperatingSystem?
  /// All of them must be there.
  package var tags: [Tag]

  package init(
    names: [String] = [], subscription: String? = nil, resourceGroup: String? = nil,
    operatingSystem: OperatingSystem? = nil, tags: [Tag] = []
  ) {
    self.names = names
    self.subscription = subscription
    self.resourceGroup = resourceGroup
    self.operatingSystem = operatingSystem
    self.tags = tags
  }

  package func holds(_ machine: VirtualMachine) -> Bool {
    tags.allSatisfy { $0.holds(machine.tags) }
      && (names.isEmpty || names.contains { $0.lowercased() == machine.name.lowercased() })
      && (operatingSystem.map { $0 == machine.operatingSystem } ?? true)
      && (resourceGroup.map { $0.lowercased() == machine.resourceGroup.lowercased() } ?? true)
  }

  /// What Resource Graph can sift by itself. Tags are not: their names know no letter case in Azure,
  /// and do in its queries.
  var conditions: [String] {
    var conditions: [String] = []
    if !names.isEmpty {
      let list = names.map(ResourceGraph.literal).joined(separator: ", ")
      conditions.append("name in~ (\(list))")
    }
    if let resourceGroup { conditions.append(VirtualMachineQuery.inGroup(resourceGroup)) }
    if let operatingSystem {
      conditions.append(
        "tostring(properties.storageProfile.osDisk.osType) =~ "
          + ResourceGraph.literal(operatingSystem.rawValue))
    }
    return conditions
  }
}
