package import Identity
package import Platform
package import SSHConfig
import Terminal

/// Sign-ins as this run sees them: one cloud, what is kept, and the chain that gives tokens.
package struct SignInAccess: Sendable {
  package let cloud: Cloud
  package let context: CredentialContext
  package let accounts: AccountStore
  package let tokens: TokenStore
  package let chain: CredentialChain

  /// Finds the cloud and prepares the credentials; no token is asked for yet.
  package init(_ world: World, _ settings: JitSettings) async throws(Failure) {
    let warn: @Sendable (String) -> Void = { world.console.warn($0) }
    let environment = world.environment
    cloud = try await CloudDirectory(
      environment: environment, transport: world.http, clock: world.clock, warn: warn
    ).resolve(settings.cloud)
    let keyring = settings.tokenStore == .keyring ? try Keyring(environment) : nil
    accounts = AccountStore(
      directory: environment.stateDirectory, owner: environment.userID, keyring: keyring,
      warn: warn)
    tokens = TokenStore(
      directory: environment.stateDirectory, owner: environment.userID, clock: world.clock,
      keyring: keyring, warn: warn)
    context = CredentialContext(
      cloud: cloud, environment: environment, transport: world.http, clock: world.clock,
      warn: warn, subscription: settings.subscription, accounts: accounts)
    chain = try CredentialChain(context: context, store: tokens, identity: settings.identity)
  }
}
