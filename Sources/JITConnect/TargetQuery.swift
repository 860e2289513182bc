package import Azure
package import Platform
package import SSHConfig

/// Which machine is meant: the name as typed or `JitVM`, and what narrows the search.
package struct TargetQuery: Sendable, Hashable {
  package var name: TargetName
  package var resourceGroup: String?
  package var subscription: String?

  package init(_ options: SSHOptions) throws(Failure) {
    name = try TargetName(parsing: options.jit.vm ?? options.originalHost)
    resourceGroup = options.jit.resourceGroup
    subscription = options.jit.subscription
    if case .inGroup(let group, _) = name { resourceGroup = group }
  }

  /// This machine and no other.
  init(_ id: ResourceID) { name = .id(id) }

  /// What Azure is asked.
  var directoryQuery: VirtualMachineDirectory.Query {
    VirtualMachineDirectory.Query(
      name: name.name, resourceGroup: resourceGroup, subscription: subscription)
  }
}
