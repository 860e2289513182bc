import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// Logins that only az itself can use, with a program `az` written by the test.
@Suite struct AzureCLIProcessTests {
  private static let answer =
    #"{"accessToken":"from-az","expires_on":1790003600,"expiresOn":"2020-01-01 00:00:00.000000","tenant":"\#(tenantB)","tokenType":"Bearer"}"#

  private func token(
    _ script: String, user: String = #"{"name":"app-1","type":"servicePrincipal"}"#,
    environment: [String: String] = [:], request: TokenRequest = .arm
  ) async throws -> AccessToken {
    let az = try AzureCLIFixture()
    try az.writeProfile([AzureCLIFixture.account(user: user)])
    try az.writeCache(.account())
    let fixture = az.fixture(
      try az.writeAz(script).merging(environment) { $1 })
    defer { fixture.login.verify() }
    return try await fixture.chain().token(for: request)
  }

  @Test(
    "az is asked for logins that its files do not give",
    arguments: [
      #"{"name":"app-1","type":"servicePrincipal"}"#,
      #"{"name":"systemAssignedIdentity","type":"servicePrincipal","assignedIdentityInfo":"MSI"}"#,
      #"{"name":"ada@example.com","type":"user","cloudShellID":true}"#,
      #"{"name":"ada@example.com","type":"user"}"#,
    ])
  func asked(user: String) async throws {
    let token = try await token("echo '\(Self.answer)'", user: user)
    #expect(token.secret.exposedText == "from-az")
    #expect(token.expiresOn == Date(timeIntervalSince1970: 1_790_003_600))
    #expect(token.tenant == tenantB)
  }

  @Test("az gets the secret of a managed identity's endpoint, and none else of ours")
  func environment() async throws {
    let token = try await token(
      """
      test "$IDENTITY_HEADER$MSI_SECRET" = headsecret || exit 3
      test -z "$AZURE_CLIENT_SECRET$ARM_OIDC_TOKEN$ARM_OIDC_REQUEST_TOKEN" || exit 4
      echo '\(Self.answer)'
      """,
      environment: [
        "IDENTITY_HEADER": "head", "MSI_SECRET": "secret", "AZURE_CLIENT_SECRET": "x",
        "ARM_OIDC_TOKEN": "x", "ARM_OIDC_REQUEST_TOKEN": "x",
      ])
    #expect(token.secret.exposedText == "from-az")
  }

  @Test(
    "a token of the machine's own identity is not kept on disk, and is for known clouds only",
    arguments: [
      #"{"name":"systemAssignedIdentity","type":"servicePrincipal","assignedIdentityInfo":"MSI"}"#,
      #"{"name":"ada@example.com","type":"user","cloudShellID":true}"#,
    ])
  func machine(user: String) async throws {
    let az = try AzureCLIFixture()
    try az.writeProfile([AzureCLIFixture.account(user: user)])
    let fixture = az.fixture()
    guard case .ready(let credential) = await AzureCLICredential.find(in: fixture.context) else {
      Issue.record("az is signed in")
      return
    }
    #expect(try await credential.storeIdentity(for: .arm)?.outlivesProcess == false)
    var context = fixture.context
    context.cloud.resourceManager = "https://arm.example"
    guard case .ready(let other) = await AzureCLICredential.find(in: context) else { return }
    let outcome: Result<AccessToken, CredentialError>
    do throws(CredentialError) {
      outcome = .success(try await other.token(for: .arm))
    } catch {
      outcome = .failure(error)
    }
    guard case .failure(.unavailable(let reason)) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reason.contains("must not go to https://arm.example"))
  }

  @Test("an application's token in az's cache is used without az, while it lasts")
  func cachedApplication() async throws {
    for (end, expected) in [("1790003600", "cached"), ("1790000100", "from-az")] {
      let az = try AzureCLIFixture()
      try az.writeProfile([
        AzureCLIFixture.account(user: #"{"name":"app-1","type":"servicePrincipal"}"#)
      ])
      try az.writeCache(
        .access(
          "cached",
          ["home_account_id": nil, "client_id": "APP-1", "expires_on": end]),
        .access("another's", ["home_account_id": nil, "client_id": "app-2"]))
      let fixture = az.fixture(try az.writeAz("echo '\(Self.answer)'"))
      #expect(try await fixture.chain().token(for: .arm).secret.exposedText == expected)
    }
  }

  @Test("az gets the resource and the subscription, no secret, no terminal and no current folder")
  func hygiene() async throws {
    let az = try AzureCLIFixture()
    try az.writeProfile([
      AzureCLIFixture.account(user: #"{"name":"app-1","type":"servicePrincipal"}"#)
    ])
    let record = az.folder.path + "/record"
    let path = try az.writeAz(
      """
      { echo "$@"; pwd; readlink /proc/self/fd/0; env; } > '\(record)'
      echo '\(Self.answer)'
      """)
    let fixture = az.fixture(path.merging(["AZURE_CLIENT_SECRET": "leak-me"]) { $1 })
    _ = try await fixture.chain().token(for: .arm)
    let lines = String(decoding: try Files.read(record), as: UTF8.self).split(separator: "\n")
    #expect(
      lines.first
        == "account get-access-token --output json --resource https://management.core.windows.net/ --subscription \(AzureCLIFixture.subscription)"
    )
    #expect(lines.dropFirst().first == "/")
    #expect(lines.contains("AZURE_CORE_NO_COLOR=true"))
    #expect(!lines.contains { $0.contains("leak-me") })
  }

  @Test("a tenant that az's profile does not know is given by its name")
  func tenant() async throws {
    let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, tenant: tenantB)
    let token = try await token(
      "case \"$*\" in *'--tenant \(tenantB)'*) echo '\(Self.answer)';; *) exit 1;; esac",
      request: request)
    #expect(token.secret.exposedText == "from-az")
  }

  @Test("warnings before the answer do not spoil it")
  func noise() async throws {
    let token = try await token(
      "echo 'WARNING: {new} version'; echo '\(Self.answer)'; echo 'a note' >&2")
    #expect(token.secret.exposedText == "from-az")
  }

  @Test("an encrypted cache is never read", arguments: ["true", "1", "Yes"])
  func encrypted(value: String) async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"))
    try az.folder.write("config", "[core]\nencrypt_token_cache = \(value)\n")
    let fixture = az.fixture(try az.writeAz("echo '\(Self.answer)'"))
    #expect(try await fixture.chain().token(for: .arm).secret.exposedText == "from-az")
  }

  @Test("a cache under .bin alone leads to az")
  func binary() async throws {
    let az = try AzureCLIFixture()
    try az.folder.write("msal_token_cache.bin", "\u{1}\u{2}")
    let fixture = az.fixture(try az.writeAz("echo '\(Self.answer)'"))
    #expect(try await fixture.chain().token(for: .arm).secret.exposedText == "from-az")
  }

  @Test(
    "what az says is told in words, and stops the chain or lets it go on",
    arguments: [
      (
        "echo 'ERROR: AADSTS50076: Due to a change Trace ID: 1' >&2; exit 1", "sign-in-needed",
        "multi-factor"
      ),
      (
        "echo 'ERROR: AADSTS7000222: expired' >&2; exit 1", "sign-in-refused",
        "has expired"
      ),
      (
        "echo \"Please run 'az login' to setup account.\" >&2; exit 1", "sign-in-needed",
        "not signed in"
      ),
      ("exit 127", "sign-in-needed", "does not run"),
      ("echo 'Traceback: boom' >&2; exit 1", "program-failed", "boom"),
      (
        "echo 'ERROR: \"accessToken\": \"eyJhbGciOi\" x' >&2; exit 1", "program-failed", "(removed)"
      ),
      ("echo 'no json'", "program-failed", "not readable"),
      ("echo '{\"accessToken\":\"\"}'", "program-failed", "not readable"),
      ("kill -9 $$", "program-failed", ""),
    ])
  func failing(script: String, code: String, words: String) async throws {
    let failure = await failure { _ = try await token(script) }
    #expect(failure?.code.rawValue == code)
    #expect(failure?.why?.contains(words) ?? words.isEmpty)
    #expect(failure?.why?.contains("eyJ") != true)
    #expect(failure?.next != nil)
  }

  @Test("az that does not answer is ended")
  func slow() async throws {
    let az = try AzureCLIFixture()
    let path = try az.writeAz("exec sleep 60")
    let fixture = az.fixture(path)
    let folder = AzureCLIFolder(fixture.context.environment)
    var process = AzureCLIProcess(context: fixture.context, folder: folder)
    process.timeout = .milliseconds(50)
    let login = AzureCLICredential.Login(
      user: .init(kind: .person, name: "ada", assignedIdentity: nil), tenant: tenantA,
      subscription: nil)
    do {
      _ = try await process.token(scope: "https://x/.default", login: login)
      Issue.record("a token came")
    } catch .failed(let failure) {
      #expect(failure.code == .programFailed)
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("an answer without epoch seconds is read as local time")
  func localTime() throws {
    for text in ["2026-09-21 15:33:20.000000", "2026-01-10 00:00:00.1", "2026-07-01 12:00:00"] {
      let date = try #require(AzureCLIProcess.localTime(text))
      let shown = localTimeText(date, now: date)
      #expect(text.contains(" \(shown):"))
    }
    for text in ["", "soon", "2026-09", "2026-13-45 99:99:99", "99999999999-1-1 0:0:0"] {
      #expect(AzureCLIProcess.localTime(text) == nil)
    }
  }

  @Test("az is not asked for a cloud that it is not set to")
  func otherCloud() async throws {
    let gov = try #require(Cloud.builtIn.first { $0.name == "AzureUSGovernment" })
    let az = try AzureCLIFixture()
    try az.writeProfile([AzureCLIFixture.account(cloud: gov.name)])
    let path = try az.writeAz("echo '\(Self.answer)'")
    let fixture = az.fixture(path, cloud: gov)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.why?.contains("az is set to AzureCloud") == true)
    try az.folder.write("config", "[cloud]\nname = \(gov.name)\n")
    #expect(
      try await az.fixture(path, cloud: gov).chain().token(for: .arm).secret.exposedText
        == "from-az")
  }
}
