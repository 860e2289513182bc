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
    let stores = Stores(world, usesKeyring: settings.tokenStore == .keyring)
    let leaving: [Account]
    if let name = common.azure.identity {
      let all = stores.accounts.all
      leaving = all.filter { $0.isNamed(name) }
      guard !leaving.isEmpty else {
        throw Failure(
          .notFound, what: "\(printable(name, limit: 100)) is not signed in here",
          why: all.isEmpty
            ? "nobody is" : "signed in: " + all.map(\.username).joined(separator: ", "),
          next: "jitconnect whoami")
      }
    } else {
      leaving = stores.accounts.all
    }
    try await stores.clear(of: common.azure.identity == nil ? nil : leaving)
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

extension LogoutCommand {
  /// Everything of ours that holds sign-ins: signing out is not limited to the store that is set
  /// now.
  private struct Stores {
    let accounts: AccountStore
    let tokens: TokenStore
    private let keyring: Result<Keyring, Failure>
    private let usesKeyring: Bool
    private let console: Console

    init(_ world: World, usesKeyring: Bool) {
      let environment = world.environment
      console = world.console
      let warn: @Sendable (String) -> Void = { world.console.warn($0) }
      do throws(Failure) {
        keyring = .success(try Keyring(environment))
      } catch {
        keyring = .failure(error)
      }
      let reachable = try? keyring.get()
      accounts = AccountStore(
        directory: environment.stateDirectory, owner: environment.userID, keyring: reachable,
        warn: warn)
      tokens = TokenStore(
        directory: environment.stateDirectory, owner: environment.userID, clock: world.clock,
        keyring: reachable, warn: warn)
      // Asked before the file that tells it is gone.
      self.usesKeyring = usesKeyring || accounts.usesKeyring
    }

    /// Removes all that can be removed, and only then tells what could not be.
    ///
    /// - Parameter leaving: nil is everybody, and whatever a store holds that is no sign-in.
    func clear(of leaving: [Account]?) async throws(Failure) {
      var problems: [Failure] = []
      if case .failure(let failure) = keyring, usesKeyring { problems.append(failure) }
      // The accounts first: a token is kept only for one that is signed in.
      await attempt(&problems) { () async throws(Failure) in
        if let leaving {
          try await accounts.remove(leaving)
        } else {
          try await accounts.removeAll()
        }
      }
      if let leaving {
        for account in leaving {
          await attempt(&problems) { () async throws(Failure) in
            try await tokens.forgetAll(of: account)
          }
        }
      } else {
        await attempt(&problems) { () async throws(Failure) in try await tokens.forgetAll() }
      }
      // A keyring that nothing says was used may simply not run here.
      let doubts = problems.filter { $0.code == .tokenStoreUnavailable && !usesKeyring }
      if let doubt = doubts.first {
        console.warn("the keyring was not looked into: \(doubt.why ?? doubt.what)")
      }
      if let failure = problems.first(where: { usesKeyring || $0.code != .tokenStoreUnavailable }) {
        throw failure
      }
    }

    private func attempt(
      _ problems: inout [Failure], _ body: () async throws(Failure) -> Void
    ) async {
      do throws(Failure) { try await body() } catch { problems.append(error) }
    }
  }
}

/// What `logout` tells, as its JSON has it.
struct LogoutReport: Encodable {
  var signedOut: [String]
}
