import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// An az login used from its files.
///
/// No test here has an `az` on PATH.
@Suite struct AzureCLIFilesTests {
  @Test(
    "az's access token is used without any call",
    arguments: [
      [:], ["environment": "login.windows.net"], ["token_type": "bearer"],
      ["target": "https://management.azure.com//.default"],
      ["target": "HTTPS://MANAGEMENT.AZURE.COM/.DEFAULT x"],
      ["realm": tenantA.uppercased()], ["expires_on": "1790000300"],
      ["home_account_id": AzureCLIFixture.home.uppercased()],
    ] as [[String: String?]])
  func cachedAccessToken(changes: [String: String?]) async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached", changes))
    let fixture = az.fixture()
    let token = try await fixture.chain().token(for: .arm)
    #expect(token.secret.exposedText == "cached")
    #expect(token.source == "AzureCLICredential")
    #expect(token.account == "ada@example.com")
    #expect(token.tenant == tenantA)
    fixture.login.verify()
  }

  @Test(
    "an access token that is not for this, or not long enough, is passed over for the refresh token",
    arguments: [
      ["expires_on": "1790000299"], ["expires_on": "soon"], ["expires_on": "99999999999"],
      ["cached_at": "1790000001"], ["realm": tenantB], ["environment": "login.microsoftonline.us"],
      ["client_id": "other"], ["token_type": "ssh-cert"], ["key_id": "k"], ["keyid": "k"],
      ["ext_cache_key": "k"], ["target": "https://graph.microsoft.com/.default"],
      ["home_account_id": "someone.else"], ["home_account_id": nil], ["secret": "a\\nb"],
      ["target": nil],
    ] as [[String: String?]])
  func refreshInstead(changes: [String: String?]) async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(
      .account(), .access("cached", changes),
      .refresh("old", ["last_modification_time": "1000"]), .refresh("newest"),
      .refresh("other client", ["client_id": "x", "last_modification_time": "1789999999"]))
    let before = try Files.read(az.folder.path + "/msal_token_cache.json")
    let fixture = az.fixture()
    fixture.login.expectToken(
      tokenURL(tenantA),
      #"{"token_type":"Bearer","expires_in":3599,"access_token":"new","refresh_token":"rt2"}"#)
    let token = try await fixture.chain().token(for: .arm)
    #expect(token.secret.exposedText == "new")
    #expect(
      form(of: fixture.login.requests.first) == [
        "grant_type": "refresh_token", "client_id": AzureCLITokenCache.clientID,
        "refresh_token": "newest", "client_info": "1",
        "scope": "https://management.core.windows.net//.default offline_access openid profile",
        "claims": #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
      ])
    #expect(try Files.read(az.folder.path + "/msal_token_cache.json") == before)
    fixture.login.verify()
  }

  @Test("nothing is written in az's folder, not even a lock, and the refresh token is not kept")
  func readOnly() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .refresh("rt"))
    let state = try ScratchFolder()
    let names = try FileManager.default.contentsOfDirectory(atPath: az.folder.path).sorted()
    let fixture = az.fixture(state: state.path)
    fixture.login.expectToken(
      tokenURL(tenantA),
      #"{"token_type":"Bearer","expires_in":"3599","access_token":"new","refresh_token":"rt2"}"#)
    _ = try await fixture.chain().token(for: .arm)
    #expect(try FileManager.default.contentsOfDirectory(atPath: az.folder.path).sorted() == names)
    let stored = String(decoding: try Files.read(state.path + "/tokens.json"), as: UTF8.self)
    #expect(stored.contains("\"new\""))
    #expect(!stored.contains("rt2"))
    // The next process needs no call.
    let second = az.fixture(state: state.path)
    #expect(try await second.chain().token(for: .arm).secret.exposedText == "new")
  }

  @Test("after az logout a stored token is not used any more")
  func loggedOut() async throws {
    let az = try AzureCLIFixture()
    let state = try ScratchFolder()
    try az.writeCache(.account(), .access("cached"))
    _ = try await az.fixture(state: state.path).chain().token(for: .arm)
    try az.writeProfile([])
    let fixture = az.fixture(state: state.path)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
  }

  @Test("a guest's token is found by the tenant of the subscription")
  func guest() async throws {
    let az = try AzureCLIFixture()
    try az.writeProfile([AzureCLIFixture.account(tenant: tenantB)])
    try az.writeCache(.account(), .access("home"), .access("guest", ["realm": tenantB]))
    #expect(try await az.fixture().chain().token(for: .arm).secret.exposedText == "guest")
  }

  @Test("the tenant of a request decides, with the user who is signed in there")
  func requestedTenant() async throws {
    let az = try AzureCLIFixture()
    try az.writeProfile([
      AzureCLIFixture.account(),
      AzureCLIFixture.account(
        id: tenantB, tenant: tenantB, user: #"{"name":"bob@example.com","type":"user"}"#,
        isDefault: false),
    ])
    try az.writeCache(
      .account(), .account(["username": "bob@example.com"], home: "bob.home"),
      .access("ada's", ["realm": tenantB]),
      .access("bob's", ["realm": tenantB, "home_account_id": "bob.home"]))
    let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, tenant: tenantB)
    #expect(try await az.fixture().chain().token(for: request).secret.exposedText == "bob's")
  }

  @Test("the subscription that was named chooses the tenant", arguments: ["Staging", "BBBB-2"])
  func namedSubscription(name: String) async throws {
    let az = try AzureCLIFixture()
    try az.writeProfile([
      AzureCLIFixture.account(),
      AzureCLIFixture.account(id: "bbbb-2", name: "staging", tenant: tenantB, isDefault: false),
    ])
    try az.writeCache(.account(), .access("a"), .access("b", ["realm": tenantB]))
    let byOption = az.fixture(subscription: name)
    #expect(try await byOption.chain().token(for: .arm).secret.exposedText == "b")
    let byVariable = az.fixture(["AZURE_SUBSCRIPTION_ID": name])
    #expect(try await byVariable.chain().token(for: .arm).secret.exposedText == "b")
  }

  @Test("two accounts of one name are not guessed between")
  func twoAccounts() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .account(home: "other.home"), .access("cached"))
    let failure = await failure { _ = try await az.fixture().chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.next?.hasPrefix("az account clear") == true)
  }

  @Test("a sovereign cloud's login is found under its own name and hosts")
  func sovereign() async throws {
    let cloud = try #require(Cloud.builtIn.first { $0.name == "AzureChinaCloud" })
    let az = try AzureCLIFixture()
    try az.writeProfile([
      AzureCLIFixture.account(),
      AzureCLIFixture.account(id: "cc", tenant: tenantB, isDefault: false, cloud: cloud.name),
    ])
    let environment = ["environment": "login.partner.microsoftonline.cn"]
    try az.writeCache(
      .account(), .account(environment, home: "china.home"),
      .access(
        "china",
        [
          "environment": "login.chinacloudapi.cn", "realm": tenantB,
          "home_account_id": "china.home",
          "target": "https://management.core.chinacloudapi.cn//.default",
        ]))
    let fixture = az.fixture(cloud: cloud)
    let request = TokenRequest(scope: cloud.tokenScope)
    #expect(try await fixture.chain().token(for: request).secret.exposedText == "china")
  }

  @Test("a cloud of another login server never sees the public cloud's refresh token")
  func otherLoginServer() async throws {
    var cloud = Cloud.azureCloud
    cloud.loginEndpoint = "https://login.example"
    cloud.metadataURL = "https://login.example/metadata"
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"), .refresh("rt"))
    let path = try az.writeAz("echo '{\"accessToken\":\"az\",\"expires_on\":1790003600}'")
    let fixture = az.fixture(path, cloud: cloud)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why?.contains("az is set to AzureCloud") == true)
    fixture.login.verify()
  }

  @Test("a half-written file is read again a moment later")
  func halfWritten() async throws {
    let az = try AzureCLIFixture()
    let good = CacheEntry.document([.account(), .access("cached")])
    let path = try az.folder.write("msal_token_cache.json", String(good.prefix(good.count / 2)))
    let attempts = Counter()
    let environment = Environment(variables: az.variables, home: nil, userID: testUserID)
    let context = CredentialContext(
      cloud: .azureCloud, environment: environment, transport: FakeLogin(), clock: testClock,
      sleep: { _ in
        attempts.add()
        if attempts.count == 2 { try? Files.replace(path, with: Array(good.utf8)) }
      })
    let chain = try CredentialChain(
      context: context, store: TokenStore(directory: nil, owner: testUserID, clock: testClock))
    #expect(try await chain.token(for: .arm).secret.exposedText == "cached")
    #expect(attempts.count == 2)
  }

  @Test("a cache that others can read is used with a word about it")
  func readable() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"), mode: 0o644)
    let fixture = az.fixture()
    let chain = try fixture.chain()
    #expect(try await chain.token(for: .arm).secret.exposedText == "cached")
    let other = TokenRequest(scope: "https://management.azure.com/.default")
    #expect(try await chain.token(for: other).secret.exposedText == "cached")
    #expect(fixture.warnings.all.count == 1)
    #expect(fixture.warnings.all.first?.contains("chmod 600") == true)
  }

  @Test("a cache that others can write is not used")
  func writable() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"), mode: 0o666)
    let failure = await failure {
      _ = try await az.fixture(["PATH": "/nowhere"]).chain().token(for: .arm)
    }
    #expect(failure?.code == .signInNeeded)
  }

  @Test("without files the failure says where was looked and what to do")
  func nothing() async throws {
    let fixture = try AzureCLIFixture(profile: false).fixture()
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why?.contains("nobody has signed in to AzureCloud") == true)
    #expect(failure?.next == "jitconnect login, or: az login")
    let chosen = await IdentityTests.failure {
      _ = try await fixture.chain(identity: "azurecli").token(for: .arm)
    }
    #expect(chosen?.why?.contains("az is not signed in to AzureCloud (looked in ") == true)
    #expect(chosen?.next == "az login")
  }

  @Test(
    "a refused refresh token says what az has to do",
    arguments: [
      ("invalid_grant", 50076, "multi-factor"), ("invalid_grant", 70043, "sign-in frequency"),
      ("invalid_grant", 700082, "expired"), ("invalid_grant", 50173, "revoked"),
      ("interaction_required", 50079, "second sign-in factor"), ("invalid_grant", 1, "AADSTS1"),
    ])
  func refusedRefresh(error: String, code: Int, words: String) async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .refresh("rt"))
    let fixture = az.fixture()
    fixture.login.expectToken(
      tokenURL(tenantA), status: 400,
      #"{"error":"\#(error)","error_description":"AADSTS\#(code): x","error_codes":[\#(code)]}"#)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why?.contains(words) == true)
    #expect(failure?.what.contains("ada@example.com") == true)
    #expect(failure?.next == "az login --tenant \(tenantA)")
    fixture.login.verify()
  }

  @Test("claims pass every cache by, and reach the login server merged with the capability")
  func claims() async throws {
    let az = try AzureCLIFixture()
    let state = try ScratchFolder()
    try az.writeCache(.account(), .access("cached"), .refresh("rt"))
    let fixture = az.fixture(state: state.path)
    let chain = try fixture.chain()
    #expect(try await chain.token(for: .arm).secret.exposedText == "cached")
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("fresh"))
    let request = TokenRequest(
      scope: Cloud.azureCloud.tokenScope,
      claims: #"{"access_token":{"nbf":{"essential":true,"value":"1790000000"}}}"#)
    #expect(try await chain.token(for: request).secret.exposedText == "fresh")
    #expect(
      form(of: fixture.login.requests.first)["claims"]
        == #"{"access_token":{"nbf":{"essential":true,"value":"1790000000"},"xms_cc":{"values":["CP1"]}}}"#
    )
    // What the claims brought is what everybody gets from now on.
    #expect(try await chain.token(for: .arm).secret.exposedText == "fresh")
    #expect(
      try await az.fixture(state: state.path).chain().token(for: .arm).secret.exposedText == "fresh"
    )
    fixture.login.verify()
  }

  @Test("claims that only a person can meet end in az's own command")
  func claimsNeedPerson() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"), .refresh("rt"))
    let claims = #"{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}"#
    let fixture = az.fixture()
    fixture.login.expectToken(
      tokenURL(tenantA), status: 400,
      #"{"error":"interaction_required","error_description":"AADSTS50076: x","error_codes":[50076]}"#
    )
    let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, claims: claims)
    let failure = await failure { _ = try await fixture.chain().token(for: request) }
    #expect(failure?.code == .signInNeeded)
    #expect(
      failure?.next == "az login --tenant \(tenantA) "
        + "--scope https://management.core.windows.net//.default "
        + "--claims-challenge \(Data(claims.utf8).base64EncodedString())")
  }
}
