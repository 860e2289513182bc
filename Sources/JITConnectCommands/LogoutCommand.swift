import ArgumentParser
import Identity
import JITConnect
import Platform
import SSHConfig
import Terminal

/// `jitconnect logout`: removes what is ours.
struct LogoutCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "logout",
    abstract: "Removes our sign-ins and all stored tokens from this machine.",
    usage: "jitconnect logout [options]",
    discussion: """
      With --identity ada@contoso.com that account alone. What az and others keep stays. The \
      sessions of your browser live on: https://mysignins.microsoft.com ends them.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  func run(in world: World) async throws -> Int32 {
    let settings = try common.settings(in: world.environment)
    let environment = world.environment
    let warn: @Sendable (String) -> Void = { world.console.warn($0) }
    let plain = AccountStore(
      directory: environment.stateDirectory, owner: environment.userID, warn: warn)
    // Signing out is not limited to the store that is set now.
    let usesKeyring = settings.tokenStore == .keyring || plain.usesKeyring
    let keyring = usesKeyring ? try Keyring(environment) : nil
    let accounts = AccountStore(
      directory: environment.stateDirectory, owner: environment.userID, keyring: keyring,
      warn: warn)
    let tokens = TokenStore(
      directory: environment.stateDirectory, owner: environment.userID, clock: world.clock,
      keyring: keyring, warn: warn)

    let leaving: [Account]
    if let name = common.identity {
      leaving = accounts.all.filter { $0.isNamed(name) }
      guard !leaving.isEmpty else {
        throw Failure(
          .notFound, what: "\(printable(name, limit: 100)) is not signed in here",
          why: accounts.all.isEmpty
            ? "nobody is" : "signed in: " + accounts.all.map(\.username).joined(separator: ", "),
          next: "jitconnect whoami")
      }
      for account in leaving { try await tokens.forgetAll(of: account) }
    } else {
      leaving = accounts.all
      try await tokens.forgetAll()
    }
    try await accounts.remove(leaving)
    if common.json {
      try JSONOutput.write(LogoutReport(signedOut: leaving.map(\.username)))
    } else if leaving.isEmpty {
      world.console.note("stored tokens are removed; nobody was signed in with jitconnect login")
    } else {
      world.console.note(
        "signed out: \(leaving.map(\.username).joined(separator: ", ")); the browser's session "
          + "lives on until https://mysignins.microsoft.com ends it")
    }
    return 0
  }
}

/// What `logout` tells, as its JSON has it.
struct LogoutReport: Encodable {
  var signedOut: [String]
}
