package import Azure
package import Identity
package import Platform
package import SSHConfig

/// Azure as this run sees it: one cloud, one identity, and what can be asked of them.
package struct AzureAccess: Sendable {
  package let cloud: Cloud
  package let directory: VirtualMachineDirectory
  package let policies: JITPolicies
  package let securityGroups: NetworkSecurityGroups
  package let permissions: Permissions
  package let activityLog: ActivityLog
  package let firewalls: AzureFirewalls
  let tokens: CredentialChain

  /// Finds the cloud and prepares the credentials; no token is asked for yet.
  package init(_ world: World, _ settings: JitSettings) async throws(Failure) {
    let signIn = try await SignInAccess(world, settings)
    cloud = signIn.cloud
    let chain = signIn.chain
    tokens = chain
    var pacing = Pacing.system
    pacing.clock = world.clock
    let client = ARMClient(
      cloud: cloud, tokens: chain, transport: world.http, version: world.version,
      pacing: pacing, serverTime: world.azureTime,
      onCall: { world.debug("\($0)") })
    directory = VirtualMachineDirectory(client: client) { () async throws(Failure) in
      try await chain.tenants()
    }
    policies = JITPolicies(client: client)
    securityGroups = NetworkSecurityGroups(client: client)
    permissions = Permissions(client: client)
    activityLog = ActivityLog(client: client)
    firewalls = AzureFirewalls(client: client)
  }
}
