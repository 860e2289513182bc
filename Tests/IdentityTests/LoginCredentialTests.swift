import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// Our own sign-ins, after they were made.
@Suite struct LoginCredentialTests {
  private let bob = "bob@example.com"

  @Test("the refresh token is redeemed at the tenant wanted, and the next one takes its place")
  func redeemed() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    fixture.chain.login.expectToken(tokenURL(tenantB), personAnswer("abc", tenant: tenantB))
    let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, tenant: tenantB)
    let token = try await fixture.chain.chain().token(for: request)
    #expect(token.source == "InteractiveBrowserCredential")
    #expect(token.account == "ada@example.com")
    #expect(
      form(of: fixture.chain.login.requests.first) == [
        "grant_type": "refresh_token", "client_id": AzureCLITokenCache.clientID,
        "refresh_token": "rt-0", "client_info": "1",
        "scope": "https://management.core.windows.net//.default offline_access openid profile",
        "claims": #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
      ])
    let kept = try await fixture.accounts.refreshToken(of: fixture.account())
    #expect(kept?.exposedText == "rt-1")
    let path = fixture.state.path + "/accounts.json"
    #expect(Files.kind(of: path)?.mode == 0o600)
  }

  @Test("of several accounts the last one serves, the one signed in to a tenant goes before it")
  func several() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account("oid-2", name: bob, tenants: [tenantB]), refresh: "rt-b")
    try await fixture.add(fixture.account(), refresh: "rt-a")
    for (tenant, refresh) in [(nil, "rt-a"), (tenantA, "rt-a"), (tenantB, "rt-b")] {
      fixture.chain.login.expectToken(tokenURL(tenant ?? tenantA), tokenBody("t-\(refresh)"))
      let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, tenant: tenant)
      _ = try await fixture.chain.chain().token(for: request)
      if tenant == nil { await forget(fixture) }
    }
    #expect(
      fixture.chain.login.requests.map { form(of: $0)["refresh_token"] } == [
        "rt-a", "rt-a", "rt-b",
      ]
    )
    #expect(try await fixture.chain.chain().tenants() == [tenantA, tenantB])
  }

  private func forget(_ fixture: LoginFixture) async {
    try? await fixture.chain.store.forgetAll()
  }

  @Test("--identity takes an account, whose token is never another's")
  func chosen() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account("oid-2", name: bob), refresh: "rt-b")
    try await fixture.add(fixture.account(), refresh: "rt-a")
    for (name, refresh) in [("ADA@example.com", "rt-a"), (bob, "rt-b")] {
      fixture.chain.login.expectToken(tokenURL(tenantA), tokenBody("token-" + refresh))
      let token = try await fixture.chain.chain(identity: name).token(for: .arm)
      #expect(token.secret.exposedText == "token-" + refresh)
      // And again from the store.
      let again = try await fixture.chain.chain(identity: name).token(for: .arm)
      #expect(again.secret.exposedText == "token-" + refresh)
    }
    fixture.chain.login.verify()
    let failure = await failure {
      _ = try await fixture.chain.chain(identity: "eve@example.com").token(for: .arm)
    }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why == "signed in: ada@example.com, \(bob)")
    #expect(failure?.next == "jitconnect login")
  }

  @Test("a sign-in of another cloud does not count")
  func otherCloud() async throws {
    let fixture = try LoginFixture()
    let gov = try #require(Cloud.builtIn.first { $0.name == "AzureUSGovernment" })
    try await fixture.add(fixture.account(cloud: gov))
    let failure = await failure { _ = try await fixture.chain.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
  }

  @Test("a refused refresh says how to sign in again, with the claims that are asked for")
  func refused() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    fixture.chain.login.expectToken(
      tokenURL(tenantA), status: 400,
      #"{"error":"invalid_grant","error_description":"AADSTS50076: x","error_codes":[50076],"claims":"{\"access_token\":{}}"}"#
    )
    let failure = await failure { _ = try await fixture.chain.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    let claims = Data(#"{"access_token":{}}"#.utf8).base64EncodedString()
    #expect(
      failure?.next == "jitconnect login --tenant \(tenantA) --claims-challenge \(claims)")
    // It may be good for another tenant.
    #expect(try await fixture.accounts.refreshToken(of: fixture.account()) != nil)
  }

  @Test("who signed out meanwhile is not signed in again by a refresh")
  func signedOut() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    try await fixture.accounts.remove([fixture.account()])
    await fixture.accounts.renew(
      fixture.account(), replacing: SecretBytes(Array("rt-0".utf8)),
      with: SecretBytes(Array("rt-9".utf8)))
    #expect(fixture.accounts.all.isEmpty)
  }

  @Test("a refresh never overwrites a sign-in that was made meanwhile")
  func renewedMeanwhile() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account(), refresh: "rt-new")
    for (used, kept) in [("rt-0", "rt-new"), ("rt-new", "rt-9")] {
      await fixture.accounts.renew(
        fixture.account(), replacing: SecretBytes(Array(used.utf8)),
        with: SecretBytes(Array("rt-9".utf8)))
      #expect(
        try await fixture.accounts.refreshToken(of: fixture.account())?.exposedText == kept)
    }
  }

  @Test("a token that comes after the account signed out is not stored")
  func tokenAfterLogout() async throws {
    let state = try ScratchFolder()
    let gate = Gate()
    let arrived = Counter()
    let login = FakeLogin(before: {
      arrived.add()
      await gate.wait()
    })
    var fixture = try LoginFixture(state: state)
    fixture.chain = ChainFixture([:], login: login, state: state.path)
    fixture.chain.context.accounts = fixture.accounts
    try await fixture.add(fixture.account())
    login.expectToken(tokenURL(tenantA), personAnswer("late"))
    let chain = try fixture.chain.chain()
    async let token = chain.token(for: .arm)
    await arrived.reached(1)
    try await fixture.accounts.removeAll()
    try await fixture.chain.store.forgetAll()
    await gate.open()
    #expect(try await token.secret.exposedText == "late")
    #expect(Files.kind(of: state.path + "/tokens.json") == nil)
    #expect(Files.kind(of: state.path + "/accounts.json") == nil)
  }

  @Test(
    "signing everybody out removes the files whatever is in them, and what killed writers left",
    arguments: ["{", #"{"version":2,"entries":[{"refreshToken":"rt"}]}"#, ""], [0o600, 0o644])
  func removedWhole(content: String, mode: Int) async throws {
    let fixture = try LoginFixture()
    for name in ["accounts.json", "tokens.json"] {
      try fixture.state.write(name, content, mode: UInt32(mode))
      try fixture.state.write(name + ".aB3xY_", content)
      try fixture.state.write(name + ".other-file", content)
    }
    try await fixture.accounts.removeAll()
    try await fixture.chain.store.forgetAll()
    #expect(
      Set(try Files.names(in: fixture.state.path)) == [
        "accounts.json.lock", "accounts.json.other-file", "tokens.json.lock",
        "tokens.json.other-file",
      ])
  }

  @Test("what cannot be removed is a failure, for one account and for all")
  func notRemoved() async throws {
    let fixture = try LoginFixture()
    for name in ["accounts.json", "tokens.json"] {
      try Files.makeDirectory(fixture.state.path + "/" + name)
    }
    let failures = [
      await failure { try await fixture.accounts.removeAll() },
      await failure { try await fixture.accounts.remove([fixture.account()]) },
      await failure { try await fixture.chain.store.forgetAll() },
      await failure { try await fixture.chain.store.forgetAll(of: fixture.account()) },
    ]
    #expect(failures.map { $0?.code } == Array(repeating: .fileUnwritable, count: 4))
  }

  @Test("a file that others may read is not used", arguments: [0o640, 0o604] as [UInt32])
  func openFile(mode: UInt32) async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    let path = fixture.state.path + "/accounts.json"
    try Files.replace(path, with: try Files.read(path), mode: mode)
    #expect(fixture.accounts.all.isEmpty)
  }

  // MARK: SSH certificates

  private static let key = SSHCertificateKey(
    modulus: [0, 0xC1, 2, 3], exponent: [1, 0, 1])
  private static let certificate = SSHCertificateKey.certificateStart + "AAAA"

  @Test("the key is described in the minimal form, and its id is the digest of its texts")
  func key() throws {
    #expect(Self.key.id == hexadecimal(sha256(Array("wQIDAQAB".utf8))))
    let json = try JSONDecoder().decode(
      [String: String].self, from: Data(Self.key.confirmation.utf8))
    #expect(json == ["kty": "RSA", "n": "wQID", "e": "AQAB", "kid": Self.key.id])
  }

  @Test("a person and an application get an SSH certificate, which is never stored")
  func certificates() async throws {
    let scope = try #require(Cloud.azureCloud.sshCertificateScope)
    let request = TokenRequest(scope: scope, tenant: tenantB, sshKey: Self.key)
    let body = #"{"token_type":"ssh-cert","expires_in":3599,"access_token":"\#(Self.certificate)"}"#
    let person = try LoginFixture()
    try await person.add(person.account())
    let application = try LoginFixture(secretVariables)
    for fixture in [person, application] {
      for _ in 0..<2 {
        fixture.chain.login.expectToken(tokenURL(tenantB), body)
        let token = try await fixture.chain.chain().token(for: request)
        #expect(token.secret.exposedText == Self.certificate)
        let sent = form(of: fixture.chain.login.requests.last)
        #expect(sent["token_type"] == "ssh-cert")
        #expect(sent["req_cnf"] == Self.key.confirmation)
        #expect(sent["key_id"] == Self.key.id)
        #expect(sent["scope"]?.hasPrefix(scope) == true)
      }
      #expect(Files.kind(of: fixture.state.path + "/tokens.json") == nil)
    }
  }

  @Test("a bearer token, or something else in a certificate's place, is no certificate")
  func noCertificate() async throws {
    let scope = try #require(Cloud.azureCloud.sshCertificateScope)
    for body in [
      tokenBody("abc"), #"{"token_type":"ssh-cert","expires_in":9,"access_token":"eyJ.x.y"}"#,
    ] {
      let fixture = ChainFixture(secretVariables)
      fixture.login.expectToken(tokenURL(tenantA), body)
      let failure = await failure {
        _ = try await fixture.chain().token(for: TokenRequest(scope: scope, sshKey: Self.key))
      }
      #expect(failure?.code == .azureAnswerInvalid)
    }
    let managed = ChainFixture(["IDENTITY_ENDPOINT": "http://localhost/x", "IDENTITY_HEADER": "h"])
    let failure = await failure {
      _ = try await managed.chain().token(for: TokenRequest(scope: scope, sshKey: Self.key))
    }
    #expect(failure?.what.contains("ManagedIdentityCredential cannot get") == true)
  }

  @Test("az's refresh token gives a certificate too")
  func azCertificate() async throws {
    let az = try AzureCLIFixture()
    try az.writeCache(.account(), .access("cached"), .refresh("rt-az"))
    let fixture = az.fixture()
    fixture.login.expectToken(
      tokenURL(tenantA),
      #"{"token_type":"ssh-cert","expires_in":3599,"access_token":"\#(Self.certificate)"}"#)
    let request = TokenRequest(
      scope: try #require(Cloud.azureCloud.sshCertificateScope), sshKey: Self.key)
    _ = try await fixture.chain().token(for: request)
    #expect(form(of: fixture.login.requests.first)["refresh_token"] == "rt-az")
  }
}
