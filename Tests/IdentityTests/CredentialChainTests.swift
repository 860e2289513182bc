import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

@Suite struct CredentialChainTests {
  @Test("a stored token costs no call")
  func stored() async throws {
    let state = try ScratchFolder()
    let first = ChainFixture(secretVariables, state: state.path)
    first.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    _ = try await first.chain().token(for: .arm)
    let second = ChainFixture(secretVariables, state: state.path)
    #expect(try await second.chain().token(for: .arm).secret.exposedText == "abc")
    second.login.verify()
  }

  @Test(
    "a stored token never serves another secret, application or tenant",
    arguments: ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"])
  func changed(variable: String) async throws {
    let state = try ScratchFolder()
    let first = ChainFixture(secretVariables, state: state.path)
    first.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    _ = try await first.chain().token(for: .arm)
    var variables = secretVariables
    variables[variable] = tenantB
    let second = ChainFixture(variables, state: state.path)
    let tenant = variable == "AZURE_TENANT_ID" ? tenantB : tenantA
    second.login.expectToken(tokenURL(tenant), tokenBody("other"))
    #expect(try await second.chain().token(for: .arm).secret.exposedText == "other")
    second.login.verify()
  }

  @Test("the store's file holds no secret of the credential")
  func noSecretStored() async throws {
    let state = try ScratchFolder()
    let fixture = ChainFixture(secretVariables, state: state.path)
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    _ = try await fixture.chain().token(for: .arm)
    let text = String(decoding: try Files.read(state.path + "/tokens.json"), as: UTF8.self)
    #expect(!text.contains("s3cr"))
  }

  @Test("two tasks that want the same token make one request")
  func singleFlight() async throws {
    let gate = Gate()
    let arrived = Counter()
    let login = FakeLogin(before: {
      arrived.add()
      await gate.wait()
    })
    login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    let chain = try ChainFixture(secretVariables, login: login).chain()
    async let one = chain.token(for: .arm)
    await arrived.reached(1)
    async let two = chain.token(for: .arm)
    await Task.yield()
    await gate.open()
    let texts = try await [one.secret.exposedText, two.secret.exposedText]
    #expect(texts == ["abc", "abc"])
    login.verify()
  }

  @Test("requests side by side are one identity: all wait for the first one's choice")
  func oneIdentity() async throws {
    let gate = Gate()
    let arrived = Counter()
    let login = FakeLogin(before: {
      arrived.add()
      if arrived.count == 1 { await gate.wait() }
    })
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("az's"))
    // Nobody answers the first credential, and then there is one.
    let fixture = ChainFixture(
      az.variables.merging(["MSI_ENDPOINT": "http://localhost:1/x"]) { $1 }, login: login)
    login.expect(.post, "http://localhost:1/x") { _ in
      .success(HTTPResponse(status: 200, body: Array("<html>".utf8)))
    }
    let chain = try fixture.chain()
    async let one = chain.token(for: .arm)
    await arrived.reached(1)
    async let two = chain.token(for: TokenRequest(scope: Cloud.azureCloud.tokenScopes[1]))
    async let tenants = chain.tenants()
    for _ in 0..<100 { await Task.yield() }
    #expect(arrived.count == 1)
    await gate.open()
    #expect(try await [one.source, two.source] == ["AzureCLICredential", "AzureCLICredential"])
    #expect(try await tenants == [tenantA])
    login.verify()
  }

  @Test("the tenants are those of the credential that gives the tokens, not of the first in line")
  func tenantsOfTheRightOne() async throws {
    // az's files name a tenant, and az itself is not there to be asked; then azd serves.
    let az = try AzureCLIFixture()
    let folder = try ScratchFolder()
    try folder.write("auth.json", "{}")
    try folder.write(
      "bin/azd",
      """
      #!/bin/sh
      echo "$@" >> "${0%/*}/record"
      echo '{"token":"from-azd","expiresOn":"2026-09-21T15:13:20Z"}'

      """, mode: 0o755)
    let fixture = az.fixture(["AZD_CONFIG_DIR": folder.path, "PATH": folder.path + "/bin"])
    let chain = try fixture.chain()
    #expect(try await chain.tenants() == [])
    #expect(try await chain.token(for: .arm).source == "AzureDeveloperCLICredential")
    let asked = String(decoding: try Files.read(folder.path + "/bin/record"), as: UTF8.self)
    #expect(!asked.contains(tenantA))
    // The token that told is the one that serves.
    #expect(asked.split(separator: "\n").count == 1)
  }

  @Test("where nobody is signed in, or is refused, asking for the tenants tells why")
  func noTenants() async throws {
    let nobody = try ChainFixture([:]).chain()
    #expect(await failure { _ = try await nobody.tenants() }?.code == .signInNeeded)
    let refused = ChainFixture(secretVariables)
    refused.login.expectToken(
      tokenURL(tenantA), status: 401, #"{"error":"invalid_client","error_description":"x"}"#)
    let chain = try refused.chain()
    #expect(await failure { _ = try await chain.tenants() }?.code == .signInRefused)
    refused.login.verify()
  }

  @Test("a tenant that refuses does not hide the others")
  func refusingTenant() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account(tenants: [tenantA, tenantB]), refresh: "rt")
    fixture.chain.login.expectToken(
      tokenURL(tenantA), status: 400,
      #"{"error":"invalid_grant","error_description":"AADSTS50076: x","error_codes":[50076]}"#)
    #expect(try await fixture.chain.chain().tenants() == [tenantA, tenantB])
    fixture.chain.login.verify()
  }

  @Test("a credential that was refused once stays the run's identity")
  func refusedStays() async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(
      tokenURL(tenantA), status: 401, #"{"error":"invalid_client","error_description":"x"}"#)
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    let chain = try fixture.chain()
    let failure = await failure { _ = try await chain.token(for: .arm) }
    #expect(failure?.code == .signInRefused)
    #expect(try await chain.token(for: .arm).source == "EnvironmentCredential")
    fixture.login.verify()
  }

  @Test("a refused credential stops the chain although az is signed in")
  func stops() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"))
    let fixture = az.fixture(secretVariables)
    fixture.login.expectToken(
      tokenURL(tenantA), status: 401,
      #"{"error":"invalid_client","error_description":"AADSTS7000215: x","error_codes":[7000215]}"#)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInRefused)
    #expect(failure?.what.hasPrefix("EnvironmentCredential") == true)
  }

  @Test("half a service principal is passed over")
  func incomplete() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"))
    let fixture = az.fixture(["AZURE_CLIENT_ID": "x", "AZURE_CLIENT_SECRET": "y"])
    #expect(try await fixture.chain().token(for: .arm).source == "AzureCLICredential")
  }

  @Test(
    "one credential can be chosen, by the SDKs' name in any case, or a group",
    arguments: [
      ("AzureCLICredential", "AzureCLICredential"), ("azurecli", "AzureCLICredential"),
      (" DEV ", "AzureCLICredential"), ("EnvironmentCredential", "EnvironmentCredential"),
      ("prod", "EnvironmentCredential"),
    ])
  func chosen(name: String, source: String) async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"))
    for byOption in [true, false] {
      let fixture = az.fixture(
        secretVariables.merging(byOption ? [:] : ["AZURE_TOKEN_CREDENTIALS": name]) { $1 })
      if source == "EnvironmentCredential" {
        fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
      }
      let chain = try fixture.chain(identity: byOption ? name : nil)
      #expect(try await chain.token(for: .arm).source == source)
      fixture.login.verify()
    }
  }

  @Test("--identity goes before AZURE_TOKEN_CREDENTIALS")
  func optionFirst() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"))
    let fixture = az.fixture(["AZURE_TOKEN_CREDENTIALS": "nonsense"])
    let chain = try fixture.chain(identity: "AzureCLICredential")
    #expect(try await chain.token(for: .arm).secret.exposedText == "cached")
  }

  @Test("an unknown name is an error that lists the known ones, never ignored")
  func unknownName() async throws {
    let fixture = ChainFixture(["AZURE_TOKEN_CREDENTIALS": "AzureCliCredentials"])
    let failure = await failure { _ = try fixture.chain() }
    #expect(failure?.code == .settingInvalid)
    #expect(failure?.why?.contains("EnvironmentCredential, WorkloadIdentityCredential") == true)
  }

  @Test("a known credential that is not built in says so")
  func notBuilt() async throws {
    let failure = await failure {
      _ = try ChainFixture([:]).chain(identity: "VisualStudioCodeCredential")
    }
    #expect(failure?.code == .notBuiltIn)
  }

  private func refusal(of variables: [String: String]) async -> Failure? {
    await failure { _ = try await ChainFixture(variables).chain().token(for: .arm) }
  }

  @Test("a chosen credential that is not set up names the choice and what is missing")
  func chosenAbsent() async throws {
    let failure = await refusal(of: ["AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"])
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.what.contains("AZURE_TOKEN_CREDENTIALS EnvironmentCredential") == true)
    #expect(
      failure?.why
        == "EnvironmentCredential: neither AZURE_CLIENT_SECRET nor "
        + "AZURE_CLIENT_CERTIFICATE_PATH is set")
  }
}
