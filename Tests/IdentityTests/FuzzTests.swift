import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// Damaged input of every reader of foreign text: any result is right, a trap is not.
@Suite struct FuzzTests {
  /// A generator with a seed, so that a failure comes again.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  private func damaged(_ text: String, _ generator: inout Generator) -> [UInt8] {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let index = Int.random(in: 0..<max(bytes.count, 1), using: &generator)
      guard bytes.indices.contains(index) else { break }
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes.removeSubrange(index...)
      case 2: bytes.insert(contentsOf: Array("\"-1e999[{,:".utf8), at: index)
      case 3: bytes.insert(contentsOf: bytes[index...].prefix(40), at: index)
      default: bytes.replaceSubrange(index..<min(index + 6, bytes.count), with: [])
      }
    }
    return bytes
  }

  @Test("token answers and refusals", arguments: 1...4)
  func answers(seed: UInt64) async throws {
    var generator = Generator(state: seed)
    let samples = [
      (200, tokenBody("abc")),
      (
        400,
        #"{"error":"x","error_description":"AADSTS7000215: y Trace ID: z","error_codes":[7000215],"claims":"{}"}"#
      ),
    ]
    for _ in 0..<150 {
      for (status, body) in samples {
        let fixture = ChainFixture(secretVariables)
        let bytes = damaged(body, &generator)
        fixture.login.expect(.post, tokenURL(tenantA)) { _ in
          .success(HTTPResponse(status: status, body: bytes))
        }
        let token = try? await fixture.chain().token(for: .arm)
        #expect(token.map { TokenAnswer.isToken($0.secret.exposedText) } ?? true)
      }
    }
  }

  @Test("az's files", arguments: 1...4)
  func azFiles(seed: UInt64) throws {
    var generator = Generator(state: seed)
    let cache = CacheEntry.document([.account(), .access("cached"), .refresh("rt")])
    let profile = "{\"subscriptions\":[\(AzureCLIFixture.account())]}"
    for _ in 0..<300 {
      let decoded = try? JSONDecoder().decode(
        AzureCLITokenCache.self, from: Data(damaged(cache, &generator)))
      _ = decoded?.accessToken(
        homeAccountID: AzureCLIFixture.home, tenant: tenantA,
        aliases: Cloud.azureCloud.environmentAliases, scopes: Cloud.azureCloud.tokenScopes,
        now: testNow)
      _ = AzureCLIProcess.answer(in: damaged(profile, &generator))
      let ini = String(decoding: damaged("[cloud]\nname = x\n; y\n", &generator), as: UTF8.self)
      _ = INIFile(ini)["cloud", "name"]
      _ = AzureCLIProcess.localTime(
        String(decoding: damaged("2026-10-25 02:30:00.000000", &generator), as: UTF8.self))
    }
  }

  @Test("metadata documents and addresses", arguments: 1...4)
  func metadata(seed: UInt64) throws {
    var generator = Generator(state: seed)
    let document = """
      [{"name":"A","portal":"https://p/","resourceManager":"https://arm.example/",
      "authentication":{"loginEndpoint":"https://login.example/","audiences":["https://a/"]}}]
      """
    for _ in 0..<300 {
      let metadata = try? CloudMetadata(damaged(document, &generator), url: "https://m.example/")
      for cloud in metadata?.clouds ?? [] {
        #expect(Endpoint(cloud.loginEndpoint)?.isSafe == true)
        #expect(Endpoint(cloud.resourceManager)?.isSafe == true)
      }
      let address = String(
        decoding: damaged("https://login.example:8443/x", &generator), as: UTF8.self)
      if let endpoint = Endpoint(address) { #expect(Endpoint(endpoint.text) == endpoint) }
    }
  }

  @Test("the token store's file", arguments: 1...4)
  func store(seed: UInt64) async throws {
    var generator = Generator(state: seed)
    let folder = try ScratchFolder()
    let path = folder.path + "/tokens.json"
    let key = TokenStore.Key(cloud: .azureCloud, tenant: tenantA, credential: "c", scope: "s")
    let token = AccessToken(
      secret: SecretBytes(Array("abc".utf8)), expiresOn: testNow.addingTimeInterval(3600),
      source: "x")
    try await TokenStore(directory: folder.path, owner: testUserID, clock: testClock)
      .keep(token, for: key)
    let good = String(decoding: try Files.read(path), as: UTF8.self)
    for _ in 0..<100 {
      try Files.replace(path, with: damaged(good, &generator))
      let store = TokenStore(directory: folder.path, owner: testUserID, clock: testClock)
      if let token = try await store.token(for: key) {
        #expect(TokenAnswer.isToken(token.secret.exposedText))
      }
    }
  }

  @Test("sign-ins: device codes, who signed in, and what a browser posts", arguments: 1...4)
  func signIns(seed: UInt64) async throws {
    var generator = Generator(state: seed)
    let code =
      #"{"user_code":"A","device_code":"d","expires_in":"900","interval":5,"message":"go \u001b"}"#
    let request =
      "POST / HTTP/1.1\r\nHost: localhost:7\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      + "Content-Length: 19\r\n\r\ncode=c&state=right%"
    for _ in 0..<60 {
      let fixture = try LoginFixture()
      let (first, second) = (
        damaged(code, &generator), damaged(personAnswer("abc", nonce: "n"), &generator)
      )
      fixture.chain.login.expect(
        .post, tokenURL("organizations").replacing("/token", with: "/devicecode")
      ) { _ in .success(HTTPResponse(status: 200, body: first)) }
      fixture.chain.login.expect(.post, tokenURL("organizations")) { _ in
        .success(HTTPResponse(status: 200, body: second))
      }
      if let (account, token) = try? await fixture.signIn.signInWithDeviceCode(
        .init(), tell: { _ in })
      {
        #expect(TokenAnswer.isToken(token.secret.exposedText))
        #expect(account.tenants.allSatisfy(TenantName.isValid))
      }
      _ = TokenClaims(token: String(decoding: second, as: UTF8.self))?.federationText

      let bytes = damaged(request, &generator)
      let ends = try makePipe()
      let reader = FileDescriptor(owning: ends.read)
      let writer = FileDescriptor(owning: ends.write)
      try writeAll(writer.number, bytes)
      _ = consume writer
      let read = LoopbackRequest.read(from: reader.number)
      _ = LoopbackPage.reply(to: read, port: 7, state: "right")
    }
  }

  @Test("answers of machines, pipelines and azd, and Azure Arc's challenge", arguments: 1...4)
  func machines(seed: UInt64) async throws {
    var generator = Generator(state: seed)
    let url =
      "http://127.0.0.1:1/t?api-version=2019-08-01"
      + "&resource=https%3A%2F%2Fmanagement.core.windows.net%2F"
    for _ in 0..<100 {
      let body = damaged(
        #"{"access_token":"abc","expires_on":"1790003600","token_type":"Bearer"}"#, &generator)
      let fixture = ChainFixture([
        "IDENTITY_ENDPOINT": "http://127.0.0.1:1/t", "IDENTITY_HEADER": "h",
      ])
      fixture.login.expect(.get, url) { _ in .success(HTTPResponse(status: 200, body: body)) }
      let token = try? await fixture.chain().token(for: .arm)
      #expect(token.map { TokenAnswer.isToken($0.secret.exposedText) } ?? true)
      _ = AzureDeveloperCLICredential.answer(
        in: damaged(#"{"token":"x","expiresOn":"2026-09-21T15:13:20Z"}"#, &generator))
      let field = String(decoding: damaged("Basic realm=/a/b.key", &generator), as: UTF8.self)
      let challenge = try? ArcChallenge(HTTPHeaders([("WWW-Authenticate", field)]))
      #expect((try? challenge?.key(in: "/nowhere")) == nil)
    }
  }

  @Test("the file of our own sign-ins", arguments: 1...4)
  func accounts(seed: UInt64) async throws {
    var generator = Generator(state: seed)
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    let path = fixture.state.path + "/accounts.json"
    let good = String(decoding: try Files.read(path), as: UTF8.self)
    for _ in 0..<100 {
      try Files.replace(path, with: damaged(good, &generator))
      for account in fixture.accounts.all {
        #expect(account.tenants.allSatisfy(TenantName.isValid))
      }
    }
  }
}
