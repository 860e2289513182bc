package import Platform

/// Asks Azure what the caller may do.
package struct Permissions: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  /// What the caller may do at a scope: a subscription, a group, or a resource.
  ///
  /// - Throws: `not-permitted` where even that may not be read, which is "unknown", never "no".
  package func at(_ scope: ResourceID) async throws(Failure) -> PermissionSet {
    PermissionSet(
      items: try await client.list(
        scope.text + "/providers/Microsoft.Authorization/permissions", .permissions,
        purpose: "read what this account may do on \(scope.name)"))
  }
}
