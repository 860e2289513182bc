import FoundationEssentials
import HTTP
import Platform
import Synchronization
import Testing

@testable import Identity

/// The identity that a machine, an app or a shell is given.
@Suite struct ManagedIdentityTests {
  private static let resource = "resource=https%3A%2F%2Fmanagement.core.windows.net%2F"
  private static let answer =
    #"{"access_token":"abc","expires_on":"1790003600","token_type":"Bearer","refresh_token":""}"#

  private func ok(_ body: String = answer) -> HTTPResponse {
    HTTPResponse(status: 200, body: Array(body.utf8))
  }

  private func expect(
    _ fixture: ChainFixture, _ url: String, _ response: HTTPResponse,
    method: HTTPRequest.Method = .get
  ) {
    fixture.login.expect(method, url) { _ in .success(response) }
  }

  private func headers(_ request: HTTPRequest?) -> [String: String] {
    Dictionary((request?.headers ?? []).map { ($0.name, $0.value) }) { first, _ in first }
  }

  @Test("App Service is asked with its header, and tells only when the token ends")
  func appService() async throws {
    let fixture = ChainFixture([
      "IDENTITY_ENDPOINT": "http://127.0.0.1:41741/msi/token", "IDENTITY_HEADER": "head",
      "AZURE_CLIENT_ID": testClient,
    ])
    expect(
      fixture,
      "http://127.0.0.1:41741/msi/token?api-version=2019-08-01&\(Self.resource)"
        + "&client_id=\(testClient)", ok())
    let token = try await fixture.chain().token(for: .arm)
    #expect(token.source == "ManagedIdentityCredential")
    #expect(token.account == testClient)
    #expect(token.expiresOn == Date(timeIntervalSince1970: 1_790_003_600))
    #expect(headers(fixture.login.requests.first)["X-IDENTITY-HEADER"] == "head")
    #expect(fixture.login.requests.first?.proxy == HTTPRequest.Proxy.none)
  }

  @Test("Cloud Shell is posted to, Azure ML is asked with its secret")
  func others() async throws {
    let shell = ChainFixture(["MSI_ENDPOINT": "http://localhost:50342/oauth2/token"])
    expect(shell, "http://localhost:50342/oauth2/token", ok(), method: .post)
    _ = try await shell.chain().token(for: .arm)
    #expect(
      form(of: shell.login.requests.first) == ["resource": "https://management.core.windows.net/"])
    #expect(headers(shell.login.requests.first)["Metadata"] == "true")
    let learning = ChainFixture([
      "MSI_ENDPOINT": "http://localhost:1/x", "MSI_SECRET": "s", "AZURE_CLIENT_ID": "c",
    ])
    expect(
      learning, "http://localhost:1/x?api-version=2017-09-01&\(Self.resource)&clientid=c", ok())
    _ = try await learning.chain().token(for: .arm)
    #expect(headers(learning.login.requests.first)["secret"] == "s")
  }

  @Test(
    "an endpoint that is neither this machine's nor link-local gets nothing",
    arguments: ["http://evil.example/x", "http://169.254.1.1.evil.example/", "ftp://localhost/"])
  func foreignEndpoint(url: String) async throws {
    let fixture = ChainFixture(["IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": "head"])
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .settingInvalid)
    fixture.login.verify()
  }

  // MARK: Azure Arc

  private func arc(
    _ realm: String, folder: ScratchFolder, key: String? = nil
  ) async throws -> (token: AccessToken?, failure: Failure?, requests: [HTTPRequest]) {
    var fixture = ChainFixture([
      "IDENTITY_ENDPOINT": "http://localhost:40342/token",
      "IMDS_ENDPOINT": "http://localhost:40342",
    ])
    fixture.context.arcKeyFolder = folder.path
    let url = "http://localhost:40342/token?api-version=2020-06-01&\(Self.resource)"
    expect(
      fixture, url,
      HTTPResponse(
        status: 401, headers: HTTPHeaders([("WWW-Authenticate", "Basic realm=\(realm)")])))
    if key != nil { expect(fixture, url, ok()) }
    do {
      let token = try await fixture.chain().token(for: .arm)
      return (token, nil, fixture.login.requests)
    } catch {
      return (nil, error, fixture.login.requests)
    }
  }

  @Test("Azure Arc gets the content of its key file as it is")
  func arcKey() async throws {
    let folder = try ScratchFolder()
    let path = try folder.write("a.key", "the key")
    let result = try await arc(path, folder: folder, key: "the key")
    #expect(result.token?.secret.exposedText == "abc")
    #expect(headers(result.requests.first)["Authorization"] == nil)
    #expect(headers(result.requests.last)["Authorization"] == "Basic the key")
  }

  @Test("no other file is ever sent to whoever stands in the agent's place")
  func arcRules() async throws {
    let folder = try ScratchFolder()
    let elsewhere = try ScratchFolder()
    let secret = try elsewhere.write("b.key", "someone's secret")
    try folder.write("c.txt", "x")
    try folder.write("long.key", String(repeating: "k", count: 4097))
    try folder.write("lines.key", "a\r\nX-Header: b")
    try folder.write("sub/d.key", "x")
    try folder.write("empty.key", "")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/link.key", withDestinationPath: secret)
    for realm in [
      secret, "\(folder.path)/c.txt", "\(folder.path)/long.key", "\(folder.path)/lines.key",
      "\(folder.path)/sub/d.key", "\(folder.path)/link.key", "\(folder.path)/absent.key",
      "\(folder.path)/../\(secret.split(separator: "/").suffix(2).joined(separator: "/"))",
      "\(folder.path)/empty.key", "\(folder.path)/.key", folder.path, "", "a.key",
    ] {
      let result = try await arc(realm, folder: folder)
      #expect(result.failure?.code == .signInRefused, "\(realm)")
      #expect(result.requests.count == 1, "\(realm)")
    }
  }

  @Test("on a machine that only looks like Azure Arc's, an agent that gives nothing is passed over")
  func arcGuess() async throws {
    let url =
      "http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01&\(Self.resource)"
    let silent = machine(.arc)
    silent.login.expect(.get, url) { _ in .failure(HTTPError(.connectFailed, "refused")) }
    let closed = machine(.arc)
    expect(
      closed, url,
      HTTPResponse(
        status: 401,
        headers: HTTPHeaders([("WWW-Authenticate", "Basic realm=/var/opt/azcmagent/tokens/x.key")]))
    )
    for fixture in [silent, closed] {
      let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
      #expect(failure?.code == .signInNeeded)
      #expect(failure?.why?.contains("Azure Arc") == true)
      fixture.login.verify()
    }
  }

  // MARK: The metadata service

  private static let imds =
    "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"

  private func machine(
    _ kind: MachineKind, _ variables: [String: String] = [:]
  ) -> ChainFixture {
    var fixture = ChainFixture(variables)
    fixture.context.machine = { kind }
    return fixture
  }

  @Test("a machine that is none of Azure's asks nobody")
  func notAzure() async throws {
    let fixture = machine(.other)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    fixture.login.verify()
  }

  @Test("an Azure machine is probed once without the header, then asked with it")
  func probed() async throws {
    let fixture = machine(.azure)
    expect(fixture, Self.imds, HTTPResponse(status: 400))
    expect(fixture, "\(Self.imds)&\(Self.resource)", ok())
    #expect(try await fixture.chain().token(for: .arm).source == "ManagedIdentityCredential")
    let probe = try #require(fixture.login.requests.first)
    #expect(headers(probe)["Metadata"] == nil)
    #expect(probe.timeout == .seconds(1))
    #expect(probe.proxy == HTTPRequest.Proxy.none)
    #expect(headers(fixture.login.requests.last)["Metadata"] == "true")
    fixture.login.verify()
  }

  @Test("a probe that nobody answers is no credential; chosen by name there is no probe")
  func silent() async throws {
    let fixture = machine(.azure)
    fixture.login.expect(.get, Self.imds) { _ in .failure(HTTPError(.timedOut, "timed out")) }
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    let chosen = machine(.other)
    expect(chosen, "\(Self.imds)&\(Self.resource)", ok())
    let chain = try chosen.chain(identity: "ManagedIdentityCredential")
    #expect(try await chain.token(for: .arm).secret.exposedText == "abc")
    chosen.login.verify()
  }

  @Test(
    "a machine without an identity is no credential; a named identity that is not there is a failure"
  )
  func unassigned() async throws {
    let body = Array(#"{"error":"invalid_request","error_description":"Identity not found"}"#.utf8)
    for clientID in [nil, testClient] {
      let fixture = machine(.azure, clientID.map { ["AZURE_CLIENT_ID": $0] } ?? [:])
      expect(fixture, Self.imds, HTTPResponse(status: 400))
      expect(
        fixture,
        "\(Self.imds)&\(Self.resource)" + (clientID.map { "&client_id=\($0)" } ?? ""),
        HTTPResponse(status: 400, body: body))
      let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
      #expect(failure?.code == (clientID == nil ? .signInNeeded : .signInRefused))
      #expect((failure?.next?.contains("AZURE_CLIENT_ID") == true) == (clientID != nil))
    }
  }

  @Test("Docker's proxy and a page of a portal are no metadata service")
  func impostors() async throws {
    for response in [
      HTTPResponse(status: 403, body: Array("connecting: network is unreachable".utf8)),
      HTTPResponse(status: 200, body: Array("<html>".utf8)),
    ] {
      let fixture = machine(.azure)
      expect(fixture, Self.imds, HTTPResponse(status: 200))
      expect(fixture, "\(Self.imds)&\(Self.resource)", response)
      let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
      #expect(failure?.code == .signInNeeded)
    }
  }

  @Test("a service that is busy is waited for, each status as long as it takes")
  func waits() async throws {
    for (status, pauses) in [
      (404, [2, 4, 8, 16]), (429, [2, 4, 8, 16]), (500, [2, 4, 8, 16]),
      (410, [10, 10, 10, 10, 10, 10, 10]), (403, []),
    ] as [(Int, [Int])] {
      let slept = Mutex<[Duration]>([])
      let base = machine(.other)
      var context = base.context
      context.machine = { .other }
      context.sleep = { pause in slept.withLock { $0.append(pause) } }
      for _ in 0...pauses.count {
        expect(base, "\(Self.imds)&\(Self.resource)", HTTPResponse(status: status))
      }
      let chain = try CredentialChain(
        context: context, store: base.store, identity: "ManagedIdentityCredential")
      let failure = await failure { _ = try await chain.token(for: .arm) }
      #expect(failure?.code == .signInRefused)
      #expect(slept.withLock { $0 } == pauses.map { .seconds($0) }, "\(status)")
      base.login.verify()
    }
  }

  @Test(
    "a description with Azure's audience and a server of its own never gets an identity's token")
  func foreignManager() async throws {
    var cloud = Cloud.azureCloud
    cloud.name = "Own"
    cloud.loginEndpoint = "https://login.own.example"
    for (manager, audience, isGiven) in [
      ("https://arm.own.example", "https://management.core.windows.net/", false),
      ("http://127.0.0.1:9", "https://management.core.windows.net/", false),
      ("https://management.azure.com", "https://management.core.windows.net/", true),
      ("https://arm.own.example", "https://management.own.example/", false),
      ("https://arm.own.example", "https://arm.own.example/", true),
    ] {
      cloud.resourceManager = manager
      cloud.audiences = [audience]
      var fixture = ChainFixture([:], cloud: cloud)
      fixture.context.machine = { .azure }
      if isGiven {
        expect(fixture, Self.imds, HTTPResponse(status: 400))
        let resource = "resource=" + percentEncoded(audience)
        expect(fixture, "\(Self.imds)&\(resource)", ok())
      }
      let token = try? await fixture.chain().token(for: TokenRequest(scope: cloud.tokenScope))
      #expect((token != nil) == isGiven, "\(manager)")
      fixture.login.verify()
    }
  }

  @Test("its tokens stay in memory: the state folder may be another machine's too")
  func notStored() async throws {
    let state = try ScratchFolder()
    let fixture = ChainFixture(
      ["IDENTITY_ENDPOINT": "http://127.0.0.1:1/t", "IDENTITY_HEADER": "h"], state: state.path)
    expect(fixture, "http://127.0.0.1:1/t?api-version=2019-08-01&\(Self.resource)", ok())
    let chain = try fixture.chain()
    _ = try await chain.token(for: .arm)
    _ = try await chain.token(for: .arm)
    fixture.login.verify()
    #expect(Files.kind(of: state.path + "/tokens.json") == nil)
  }

  @Test("an answer for another identity than was asked for is not used")
  func otherIdentity() async throws {
    let fixture = ChainFixture([
      "IDENTITY_ENDPOINT": "http://127.0.0.1:1/t", "IDENTITY_HEADER": "h",
      "AZURE_CLIENT_ID": testClient,
    ])
    expect(
      fixture,
      "http://127.0.0.1:1/t?api-version=2019-08-01&\(Self.resource)&client_id=\(testClient)",
      ok(
        #"{"access_token":"abc","expires_on":"1790003600","token_type":"Bearer","client_id":"x"}"#)
    )
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInRefused)
  }
}

extension ManagedIdentityTests {
  @Test("any success is one, and an answer that is no known refusal is not shown")
  func answers() async throws {
    let variables = ["MSI_ENDPOINT": "http://localhost:1/x"]
    let created = ChainFixture(variables)
    created.login.expect(.post, "http://localhost:1/x") { _ in
      .success(HTTPResponse(status: 201, body: Array(tokenBody("abc").utf8)))
    }
    #expect(try await created.chain().token(for: .arm).secret.exposedText == "abc")
    let odd = ChainFixture(variables)
    odd.login.expect(.post, "http://localhost:1/x") { _ in
      .success(HTTPResponse(status: 418, body: Array(#"{"access_token":"s3cr3t"}"#.utf8)))
    }
    let failure = await failure { _ = try await odd.chain().token(for: .arm) }
    #expect(failure?.code == .signInRefused)
    #expect(failure?.why == "HTTP 418, its answer is not readable")
  }
}
