import ArgumentParser
import FoundationEssentials
import Identity
import JITConnect
import Platform
import SSHConfig
import Terminal

/// `jitconnect login`: signs a person in and keeps it.
struct LoginCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "login",
    abstract: "Signs in to Azure, without az.",
    usage: "jitconnect login [options]",
    discussion: """
      Opens the browser; where there is none to see (over ssh, without a display), a code is shown \
      that is typed in a browser elsewhere. Several accounts can be signed in: the last one serves, \
      and --identity ada@contoso.com chooses another.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(help: ArgumentHelp("The tenant to sign in to.", valueName: "id or domain"))
  var tenant: String?

  @Flag(help: "Show a code to type elsewhere, and open no browser.")
  var deviceCode = false

  @Option(
    help: ArgumentHelp(
      "What Azure asks of the sign-in, as a message of ours gave it.", valueName: "base64"))
  var claimsChallenge: String?

  @Option(
    help: ArgumentHelp(
      "The application that signs in. (default: Azure CLI's)", valueName: "id"))
  var clientID: String?

  func run(in world: World) async throws -> Int32 {
    let settings = try common.settings(in: world.environment)
    let access = try await SignInAccess(world, settings)
    let wish = InteractiveSignIn.Wish(
      tenant: tenant, username: try username(settings.identity), claims: try claims(),
      clientID: clientID)
    let signIn = InteractiveSignIn(
      context: access.context, accounts: access.accounts, tokens: access.tokens)
    let console = world.console
    let account: Account
    let token: AccessToken
    if !wantsDeviceCode, let browser = Browser.find(in: world.environment) {
      console.note("the browser opens for the sign-in; without one: jitconnect login --device-code")
      (account, token) = try await signIn.signInWithBrowser(wish, browser)
    } else {
      // To be seen even with -q, and where stderr is no terminal: nothing goes on without it.
      (account, token) = try await signIn.signInWithDeviceCode(wish) { console.insist($0) }
    }
    if common.json {
      try JSONOutput.write(SignInReport(token, cloud: access.cloud, now: world.clock.now()))
    } else {
      console.note("signed in as \(account.username), tenant \(account.tenant)")
    }
    try await warnOfOther(access, account, console)
    return 0
  }

  private var wantsDeviceCode: Bool { deviceCode || isNamed("DeviceCodeCredential") }

  /// `--identity` names the account that is meant, or one of the two ways.
  private func username(_ identity: String?) throws(Failure) -> String? {
    guard let identity else { return nil }
    if identity.contains("@") { return identity }
    // What a file says is for other commands.
    guard common.azure.identity != nil, !isNamed("DeviceCodeCredential"),
      !isNamed("InteractiveBrowserCredential")
    else { return nil }
    throw Failure(
      .usage, what: "\(printable(identity, limit: 60)) needs no login here",
      why: "--identity takes the account that shall sign in, InteractiveBrowserCredential or "
        + "DeviceCodeCredential", next: "jitconnect whoami --identity \(printable(identity))")
  }

  private func isNamed(_ name: String) -> Bool {
    guard let identity = common.azure.identity?.lowercased() else { return false }
    return [name.lowercased(), String(name.lowercased().dropLast("credential".count))]
      .contains(identity)
  }

  private func claims() throws(Failure) -> String? {
    guard let claimsChallenge else { return nil }
    guard let data = Data(base64Encoded: claimsChallenge),
      let text = String(validating: data, as: UTF8.self)
    else {
      throw Failure(
        .usage, what: "--claims-challenge is not base64",
        next: "copy it whole from the message that showed it")
    }
    return text
  }

  /// The next command would act as somebody else: told now, not wondered about later.
  private func warnOfOther(
    _ access: SignInAccess, _ account: Account, _ console: Console
  ) async throws(Failure) {
    let first: String?
    do {
      first = try await access.chain.credentialName()
    } catch {
      first = nil
    }
    guard let first, first != account.credentialName else { return }
    console.warn(
      "\(first) is set up here and goes first; this sign-in is used with "
        + "--identity \(account.username)")
  }
}
