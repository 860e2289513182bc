import AzureSimulator
import FoundationEssentials
import Platform

extension Stage {
  static let ada = "ada@contoso.example"
  static let bob = "bob@contoso.example"

  /// A machine `web1` that greets, and two people who can sign in.
  static func people(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    try await greeting { configuration in
      for (name, token) in [(ada, "0.Asim-refresh-ada"), (bob, "0.Asim-refresh-bob")] {
        configuration.identities.append(SimulatedIdentity(person: name, refreshToken: token))
      }
      change(&configuration)
    }
  }

  /// Signs in with the browser.
  @discardableResult
  func login(
    _ arguments: [String] = [], environment changes: [String: String?] = [:]
  ) async throws -> Run {
    let browser = try FakeBrowser(self)
    let running = try start(
      ["login"] + arguments, environment: browser.environment.merging(changes) { $1 })
    try await browser.signIn(running)
    return try await running.finish()
  }

  /// Runs `whoami --json` with no other sign-in than a person's.
  func whoami(
    _ arguments: [String] = [], environment changes: [String: String?] = [:]
  ) async throws -> Run {
    try await run(
      ["whoami", "--json"] + arguments,
      environment: FlowSignInTests.noPrincipal.merging(changes) { $1 })
  }

  /// Lets the stored access tokens be gone, as they are after an hour.
  func dropAccessTokens() throws {
    try FileManager.default.removeItem(atPath: folder + "/state/jitconnect/tokens.json")
  }
}

extension Run {
  /// stdout as JSON.
  var json: JSON { (try? JSON(parsing: output)) ?? .null }
}
