import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// A service principal, and an existing az login.
@Suite(.limited) struct FlowSignInTests {
  // MARK: A service principal

  @Test("the token is kept 0600, and the second run makes no sign-in")
  func kept() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    #expect(stage.simulator.report.count(.login) == 1)
    let stores = stage.writtenFiles.filter { $0.contains("token") && $0.hasSuffix(".json") }
    #expect(!stores.isEmpty)
    #expect(stage.fileProblems.isEmpty)
    for name in stage.writtenFiles {
      #expect(stage.read(name)?.contains("sim~Secret") == false, "\(name) holds the secret")
    }
    stage.simulator.resetReport()
    #expect(try await stage.connect().status == 0)
    try stage.write("state/jitconnect/windows.json", "[]")
    #expect(try await stage.connect().status == 0)
    #expect(stage.simulator.report.count(.login) == 0)
  }

  @Test(
    "a wrong secret gives Entra ID's own words, once, and never the secret",
    arguments: [true, false])
  func wrongSecret(isExpired: Bool) async throws {
    let stage = try await Stage.greeting { $0.identities[0].secretExpired = isExpired }
    let run = try await stage.run(
      ["-vvv", "web1", "true"],
      environment: isExpired ? [:] : ["AZURE_CLIENT_SECRET": "wrong~Secret~1"])
    #expect(run.status == 255)
    #expect(run.code == "sign-in-refused", "\(run.error)")
    #expect(run.error.contains(isExpired ? "AADSTS7000222" : "AADSTS7000215"), "\(run.error)")
    #expect(!run.error.contains("~Secret"))
    #expect(stage.simulator.report.count(.login) == 1)
    #expect(stage.simulator.report.count(.graph, .arm) == 0)
  }

  @Test("secrets and tokens are in no word of -vvv")
  func noSecretInLog() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect("web1", ["-vvv"])
    #expect(run.status == 0)
    #expect(!run.error.contains("sim~Secret"))
    let store = try #require(
      stage.writtenFiles.first { $0.contains("token") && $0.hasSuffix(".json") })
    let text = try #require(stage.read(store))
    // Any long word of the store that could be the token.
    for word in text.split(whereSeparator: { !$0.isLetter && !$0.isNumber && !"-_.".contains($0) })
    where word.count > 40 {
      #expect(!run.error.contains(word))
    }
  }

  @Test("a token that Azure revoked with a claims challenge is fetched anew with it")
  func challenged() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    try stage.write("state/jitconnect/windows.json", "[]")
    stage.simulator.revokeTokens(claims: #"{"access_token":{"nbf":{"essential":true}}}"#)
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.login) == 2)
  }

  @Test("nobody is signed in: how to sign in")
  func nobody() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["web1", "true"], environment: Self.noPrincipal)
    #expect(run.status == 255)
    #expect(run.code == "sign-in-needed", "\(run.error)")
    #expect(run.error.contains("next: "))
    #expect(run.error.contains("az login"))
  }

  static let noPrincipal: [String: String?] = [
    "AZURE_CLIENT_ID": nil, "AZURE_CLIENT_SECRET": nil, "AZURE_TENANT_ID": nil,
    "PATH": "/nonexistent",
  ]

  // MARK: An az login

  private static let refreshToken = "0.AXsim-refresh-token-of-ada"

  private func stageWithAda() async throws -> Stage {
    try await Stage.ssh { configuration in
      configuration.identities.append(
        SimulatedIdentity(person: "ada@contoso.example", refreshToken: Self.refreshToken))
    }
  }

  @Test("the access token in az's cache is used: no sign-in at all")
  func cachedToken() async throws {
    let stage = try await stageWithAda()
    let token = try #require(stage.simulator.issueToken(to: "ada@contoso.example"))
    try stage.writeAzureLogin(accessToken: token, refreshToken: nil)
    let run = try await stage.connect(environment: Self.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.login) == 0)
    #expect(
      stage.simulator.report.calls.filter { $0.kind == .arm }
        .allSatisfy { $0.identity == "ada@contoso.example" })
  }

  @Test("its refresh token gives one, and az's files stay as they were")
  func refreshed() async throws {
    let stage = try await stageWithAda()
    try stage.writeAzureLogin(accessToken: nil, refreshToken: Self.refreshToken)
    let before = stage.read("azure/msal_token_cache.json")
    let run = try await stage.connect(environment: Self.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.login) == 1)
    #expect(stage.read("azure/msal_token_cache.json") == before)

    stage.simulator.resetReport()
    try stage.write("state/jitconnect/windows.json", "[]")
    #expect(try await stage.connect(environment: Self.noPrincipal).status == 0)
    #expect(stage.simulator.report.count(.login) == 0)
  }

  @Test("a refresh token that is not taken any more: sign in again")
  func refusedRefresh() async throws {
    let stage = try await stageWithAda()
    try stage.writeAzureLogin(accessToken: nil, refreshToken: "0.Arevoked")
    let run = try await stage.connect(environment: Self.noPrincipal)
    #expect(run.status == 255)
    #expect(["sign-in-refused", "sign-in-needed"].contains(run.code), "\(run.error)")
    #expect(run.error.contains("az login"))
    #expect(!run.error.contains("0.Arevoked"))
  }

  @Test("without files that can be read the program az is asked")
  func program() async throws {
    let stage = try await stageWithAda()
    let token = try #require(stage.simulator.issueToken(to: "ada@contoso.example"))
    try stage.writeAzureLogin(accessToken: nil, refreshToken: nil)
    try stage.write("azure/config", "[cloud]\nname = AzureSimulator\n")
    let expires = Int(Date().timeIntervalSince1970) + 3000
    try Files.replace(
      stage.folder + "/work/bin/az",
      with: """
        #!/bin/sh
        echo "$@" >> '\(stage.folder)/work/az.log'
        echo '{"accessToken":"\(token)","expiresOn":"2099-01-01 00:00:00.000000",\
        "expires_on":\(expires),"subscription":"s","tenant":"\(SimulatedTenant().id)",\
        "tokenType":"Bearer"}'

        """.utf8, mode: 0o755)
    var environment = Self.noPrincipal
    environment["PATH"] = stage.folder + "/work/bin:/usr/bin:/bin"
    let run = try await stage.connect(environment: environment)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.read("work/az.log")?.contains("account get-access-token") == true)
  }
}
