package import Azure
package import Identity
package import Platform
package import SSHConfig
import Terminal

/// Azure as this run sees it: one cloud, one identity, and what can be asked of them.
package struct AzureAccess: Sendable {
  package let cloud: Cloud
  package let directory: VirtualMachineDirectory
  package let policies: JITPolicies
  package let securityGroups: NetworkSecurityGroups
  package let permissions: Permissions
  package let activityLog: ActivityLog
  package let firewalls: AzureFirewalls

  /// Finds the cloud and prepares the credentials; no token is asked for yet.
  package init(_ world: World, _ settings: JitSettings) async throws(Failure) {
    let warn: @Sendable (String) -> Void = { world.console.warn($0) }
    cloud = try await CloudDirectory(
      environment: world.environment, transport: world.http, clock: world.clock, warn: warn
    ).resolve(settings.cloud)
    let chain = try CredentialChain(
      context: CredentialContext(
        cloud: cloud, environment: world.environment, transport: world.http, clock: world.clock,
        warn: warn, subscription: settings.subscription),
      store: TokenStore(
        directory: world.environment.stateDirectory, owner: world.environment.userID,
        clock: world.clock, warn: warn))
    var pacing = Pacing.system
    pacing.clock = world.clock
    let client = ARMClient(
      cloud: cloud, tokens: chain, transport: world.http, version: world.version, pacing: pacing,
      onCall: { world.debug("\($0)") })
    directory = VirtualMachineDirectory(client: client)
    policies = JITPolicies(client: client)
    securityGroups = NetworkSecurityGroups(client: client)
    permissions = Permissions(client: client)
    activityLog = ActivityLog(client: client)
    firewalls = AzureFirewalls(client: client)
  }
}
