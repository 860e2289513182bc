import ArgumentParser
import FoundationEssentials
import Identity
import JITConnect
import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect whoami`: as whom Azure sees us, and where the token for that comes from.
struct WhoamiCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami",
    abstract: "The account that acts: tenant, cloud, source and life of its token.",
    usage: "jitconnect whoami [options]", helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(help: ArgumentHelp("The tenant to ask for a token.", valueName: "id or domain"))
  var tenant: String?

  func run(in world: World) async throws -> Int32 {
    let access = try await SignInAccess(world, try common.settings(in: world.environment))
    let token = try await access.chain.token(
      for: TokenRequest(scope: access.cloud.tokenScope, tenant: tenant))
    let now = world.clock.now()
    var report = SignInReport(token, cloud: access.cloud, now: now)
    report.accounts = access.accounts.accounts(in: access.cloud).map {
      SignInReport.Entry(account: $0.username, tenants: $0.tenants)
    }
    if common.json {
      try JSONOutput.write(report)
    } else {
      try writeAll(STDOUT_FILENO, report.text(for: world.console, now: now).utf8)
    }
    return 0
  }
}
