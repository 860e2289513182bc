import FoundationEssentials
import HTTP
import Identity
import Platform
import Testing

@testable import Azure

@Suite struct ARMClientTests {
  private func get(
    _ world: World, _ path: String = "/x", query: [(name: String, value: String)] = []
  ) async throws -> ARMAnswer {
    try await world.client.get(path, .network, query: query, purpose: "read x")
  }

  @Test("a call carries the headers of the contract and its api-version")
  func headers() async throws {
    let world = World()
    world.azure.expect("GET /subscriptions/s/x%20y/%C3%A4", .json("{}"))
    _ = try await get(world, "/subscriptions/s/x y/ä", query: [("$expand", "a b&c=d/ü")])
    let call = try #require(world.azure.calls.first)
    #expect(call.query == "$expand=a%20b%26c%3Dd%2F%C3%BC&api-version=2024-05-01")
    #expect(call.header("authorization") == "Bearer token-1")
    #expect(call.header("Accept") == "application/json")
    #expect(call.header("User-Agent") == "jitconnect/9.9")
    #expect(UUID(uuidString: call.header("x-ms-client-request-id") ?? "") != nil)
    #expect(call.header("Content-Type") == nil)
    #expect(call.request.body == nil)
    // The double slash is right: the audience ends with one.
    #expect(
      world.tokens.requests.map(\.scope) == ["https://management.core.windows.net//.default"])
    #expect(world.log.text == ["GET /subscriptions/s/x%20y/%C3%A4 200 0 ms"])
    world.azure.finish()
  }

  @Test("a body is JSON, and says so")
  func body() async throws {
    let world = World()
    world.azure.expect("PUT /x", .json("{}"))
    world.azure.expect("POST /x", .json("{}"))
    _ = try await world.client.put("/x", .network, body: ["a": 1], purpose: "p")
    _ = try await world.client.post("/x", .network, purpose: "p")
    #expect(world.azure.calls[0].header("Content-Type") == "application/json")
    #expect(world.azure.calls[0].json == ["a": 1])
    #expect(world.azure.calls[1].request.body == [])
  }

  // MARK: Retries

  @Test(
    "what may pass by itself is tried four times in all, with a growing wait",
    arguments: [408, 429, 500, 502, 503, 504])
  func retried(status: Int) async {
    let world = World()
    let reply = FakeAzure.Reply.error(status, "Busy")
    world.azure.expect("GET /x", reply, reply, reply, reply)
    let failure = await failure { try await get(world) }
    #expect(failure?.code == (status == 429 ? .azureThrottled : .azureUnavailable))
    #expect(world.time.sleeps == [.milliseconds(500), .seconds(1), .seconds(2)])
    world.azure.finish()
  }

  @Test("an answer after a failure is the answer")
  func recovered() async throws {
    let world = World()
    world.azure.expect(
      "GET /x", .broken(.interrupted), .error(503, "Busy"), .broken(.timedOut), .json("{}"))
    #expect(try await get(world).status == 200)
    world.azure.finish()
  }

  @Test(
    "what does not pass by itself is not tried again", arguments: [400, 403, 404, 405, 409, 501])
  func notRetried(status: Int) async {
    let world = World()
    world.azure.expect("GET /x", .error(status, "No"))
    _ = await failure { try await get(world) }
    #expect(world.time.sleeps.isEmpty)
    world.azure.finish()
  }

  @Test("a lock that goes away by itself is waited for")
  func conflict() async throws {
    let world = World()
    world.azure.expect(
      "PUT /x", .error(409, "AnotherOperationInProgress"),
      .error(429, "RetryableErrorDueToAnotherOperation"), .json("{}"))
    _ = try await world.client.put("/x", .network, body: [:], purpose: "p")
    world.azure.finish()
  }

  @Test(
    "Retry-After is obeyed, with a little added",
    arguments: [
      (("Retry-After", "7"), 7250), (("retry-after", "0"), 250),
      (("Retry-After", "Tue, 24 Nov 2026 12:00:12 GMT"), 12250),
      (("x-ms-user-quota-resets-after", "00:00:05"), 5250),
    ])
  func retryAfter(header: (String, String), milliseconds: Int) async throws {
    let world = World()
    world.azure.expect("GET /x", .json("", status: 429, [header]), .json("{}"))
    _ = try await get(world)
    #expect(world.time.sleeps == [.milliseconds(milliseconds)])
  }

  @Test("a long wait is told and not taken", arguments: [429, 503])
  func longWait(status: Int) async {
    let world = World()
    world.azure.expect("GET /x", .json("", status: status, [("Retry-After", "600")]))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == (status == 429 ? .azureThrottled : .azureUnavailable))
    #expect(failure?.next == "try again in 600 seconds")
    #expect(world.time.sleeps.isEmpty)
  }

  @Test("a call that may not be made twice is repeated only if it was never made")
  func notRepeatable() async throws {
    for reply in [
      FakeAzure.Reply.error(500, "X"), .error(429, "X"), .broken(.interrupted), .broken(.timedOut),
    ] {
      let world = World()
      world.azure.expect("POST /x", reply)
      _ = await failure { try await world.client.post("/x", .network, purpose: "p") }
      #expect(world.azure.calls.count == 1)
    }
    let world = World()
    world.azure.expect("POST /x", .broken(.connectFailed), .broken(.nameNotFound), .json("{}"))
    _ = try await world.client.post("/x", .network, purpose: "p")
    world.azure.finish()
  }

  @Test("failures of the network say what and where, and carry curl's number")
  func network() async {
    for (kind, code) in [
      (HTTPError.Kind.tlsFailed, Failure.Code.networkFailed), (.cancelled, .interrupted),
      (.bodyTooLarge, .azureAnswerInvalid), (.answerInvalid, .azureAnswerInvalid),
    ] {
      let world = World()
      world.azure.expect("GET /x", .broken(kind))
      let failure = await failure { try await get(world) }
      #expect(failure?.code == code)
      #expect(failure?.why == "https://management.azure.com: it broke")
      #expect(failure?.cause == .curl(56))
    }
  }

  // MARK: Sign-in

  @Test("a token that Azure does not take is renewed once, past every store")
  func renewed() async throws {
    let world = World()
    world.azure.expect("GET /x", .error(401, "ExpiredAuthenticationToken"), .json("{}"))
    _ = try await get(world)
    #expect(
      world.azure.calls.map { $0.header("Authorization") } == ["Bearer token-1", "Bearer token-2"])
    #expect(world.tokens.requests[1].claims?.contains("nbf") == true)
    world.azure.finish()
  }

  @Test("a second refusal of the token ends it")
  func refusedTwice() async {
    let world = World()
    let reply = FakeAzure.Reply.error(
      401, "InvalidAuthenticationToken", "The access token is invalid.")
    world.azure.expect("GET /x", reply, reply)
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .signInRefused)
    #expect(failure?.why?.contains("The access token is invalid.") == true)
    world.azure.finish()
  }

  private static let claims = #"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#
  private static let encoded =
    "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="

  @Test(
    "a claims challenge in each of its forms is answered with those claims",
    arguments: [
      #"Bearer authorization_uri="https://login", error="invalid_token", error_description="User session has been revoked", claims="\#(encoded)""#,
      #"Bearer realm="", error="insufficient_claims", claims="\#(encoded.replacing("=", with: ""))""#,
      "Bearer claims=\(encoded)",
      #"PoP nonce="x", Bearer xclaims="no", claims="\#(encoded)", more="y""#,
    ])
  func challenged(header: String) async throws {
    let world = World()
    world.azure.expect(
      "GET /x",
      .json("", status: 401, [("www-authenticate", "Basic"), ("WWW-Authenticate", header)]),
      .json("{}"))
    _ = try await get(world)
    #expect(world.tokens.requests.map(\.claims) == [nil, Self.claims])
    world.azure.finish()
  }

  @Test("a challenge that is repeated is told, with the command of az")
  func challengedTwice() async {
    let world = World()
    let reply = FakeAzure.Reply.json(
      "", status: 401, [("WWW-Authenticate", #"Bearer claims="\#(Self.encoded)""#)])
    world.azure.expect("GET /x", reply, reply)
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .signInRefused)
    #expect(failure?.next?.contains("--claims-challenge \(Self.encoded)") == true)
    world.azure.finish()
  }

  @Test("a challenge that cannot be read counts as a refused token")
  func challengeUnreadable() async throws {
    let world = World()
    world.azure.expect(
      "GET /x", .json("", status: 401, [("WWW-Authenticate", #"Bearer claims="!!!""#)]),
      .json("{}"))
    _ = try await get(world)
    world.azure.finish()
  }

  private static let wrongTenant = """
    The access token is from the wrong issuer 'https://sts.windows.net/aaaaaaaa-0000-0000-0000-000000000000/'. \
    It must match the tenant 'https://sts.windows.net/BBBBBBBB-0000-0000-0000-000000000000/' associated \
    with this subscription. Please use the authority (URL) 'https://login.windows.net/x' to get the token.
    """

  @Test("the tenant that Azure names is asked, and remembered for the subscription")
  func otherTenant() async throws {
    let world = World()
    let right = "bbbbbbbb-0000-0000-0000-000000000000"
    world.azure.expect(
      "GET /subscriptions/S/x", .error(401, "InvalidAuthenticationTokenTenant", Self.wrongTenant),
      .json("{}"))
    world.azure.expect("GET /subscriptions/s/y", .json("{}"))
    world.azure.expect("GET /subscriptions/t/y", .json("{}"))
    let client = world.client
    for path in ["/subscriptions/S/x", "/subscriptions/s/y", "/subscriptions/t/y"] {
      _ = try await client.get(path, .network, purpose: "p")
    }
    #expect(world.tokens.requests.map(\.tenant) == [nil, right, right, nil])
    world.azure.finish()
  }

  @Test("the right tenant is found in the wording for several, too")
  func severalTenants() {
    let text = Self.wrongTenant.replacing("match the tenant '", with: "match one of the tenants '")
      .replacing(
        "BBBBBBBB-0000-0000-0000-000000000000/",
        with: "BBBBBBBB-0000-0000-0000-000000000000/,https://x/")
    #expect(Credentials.rightTenant(in: text) == "bbbbbbbb-0000-0000-0000-000000000000")
    #expect(Credentials.rightTenant(in: "must match") == nil)
    #expect(Credentials.rightTenant(in: "") == nil)
  }

  @Test("a named tenant that is no id is not asked")
  func oddTenant() async {
    let world = World()
    let text = Self.wrongTenant.replacing("BBBBBBBB-0000-0000-0000-000000000000", with: "x/../evil")
    world.azure.expect("GET /x", .error(401, "InvalidAuthenticationTokenTenant", text))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .signInRefused)
    #expect(world.tokens.requests.count == 1)
  }

  // MARK: Errors

  @Test("a missing permission is named with its scope")
  func forbidden() async {
    let world = World()
    world.azure.expect(
      "GET /x",
      .error(
        403, "AuthorizationFailed",
        "The client 'eva@contoso.com' with object id '1' does not have authorization to perform action 'Microsoft.Security/x/read' over scope '/subscriptions/s' or the scope is invalid. If access was recently granted, please refresh your credentials."
      ))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .notPermitted)
    #expect(
      failure?.why
        == "eva@contoso.com may not perform Microsoft.Security/x/read on /subscriptions/s "
        + "(AuthorizationFailed, HTTP 403, correlation id corr-1)")
    #expect(failure?.next?.contains("Microsoft.Security/x/read") == true)
    #expect(
      failure?.cause
        == .http(status: 403, serviceCode: "AuthorizationFailed", correlationID: "corr-1"))
  }

  @Test("a refusal over a linked subscription is not told as the permission that is there")
  func linked() async {
    let world = World()
    let text =
      "The client has permission to perform action 'a' on scope '/s', however the current tenant 't' is not authorized to access linked subscription 'x'."
    world.azure.expect("GET /x", .error(403, "LinkedAuthorizationFailed", text))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .notPermitted)
    #expect(failure?.why?.hasPrefix(text) == true)
  }

  @Test(
    "a path that could lead elsewhere is not sent",
    arguments: ["", "x", "//x", "/x/../y", "/x/./y", "/x/", "/x//y", "/.."])
  func badPath(path: String) async {
    let world = World()
    let failure = await failure { try await get(world, path) }
    #expect(failure?.code == .usage)
    #expect(world.azure.calls.isEmpty)
    #expect(world.tokens.requests.isEmpty)
  }

  @Test("a refusal of another wording is still told")
  func forbiddenOtherwise() async {
    let world = World()
    world.azure.expect("GET /x", .error(403, "AccessDenied", "No way."))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .notPermitted)
    #expect(failure?.why?.hasPrefix("No way. (AccessDenied") == true)
  }

  @Test(
    "every form of an error is read",
    arguments: [
      (#"{"error":{"code":"C","message":"M"}}"#, "M (C, HTTP 400)"),
      (#"{"Code":"C","Message":"M"}"#, "M (C, HTTP 400)"),
      (#"{"code":"C","message":"M"}"#, "M (C, HTTP 400)"),
      (
        #"{"error":{"code":"C","message":"M","target":null,"details":[{"code":"D","message":"N","line":1},{"code":"E"}]}}"#,
        "M; N; E (C, HTTP 400)"
      ),
      (#"{"error":"invalid","error_description":"M"}"#, "M (invalid, HTTP 400)"),
      (
        #"{"error":{"code":"C","message":"bad\u001b[31m\r\nthing"}}"#,
        "bad?[31m thing (C, HTTP 400)"
      ),
      ("", "Azure gave no reason (HTTP 400)"),
      (
        "<html><body>Bad gateway</body></html>",
        "a web page came instead of Azure's answer (HTTP 400)"
      ),
      ("oops", "Azure gave no reason that can be read (HTTP 400)"),
      ("[1]", "Azure gave no reason that can be read (HTTP 400)"),
      (#"{"error":null}"#, "Azure gave no reason that can be read (HTTP 400)"),
    ])
  func envelopes(body: String, why: String) async {
    let world = World()
    world.azure.expect("GET /x", .json(body, status: 400))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == .azureRefused)
    #expect(failure?.what == "cannot read x")
    #expect(failure?.why == why)
  }

  @Test(
    "statuses become codes",
    arguments: [
      (400, "X", Failure.Code.azureRefused), (403, "X", .notPermitted),
      (403, "RequestDisallowedByPolicy", .azureRefused), (404, "ResourceNotFound", .notFound),
      (409, "MissingSubscriptionRegistration", .azureRefused), (412, "X", .azureRefused),
      (302, "X", .azureAnswerInvalid), (501, "X", .azureUnavailable), (418, "X", .azureRefused),
    ])
  func statuses(status: Int, code: String, expected: Failure.Code) async {
    let world = World()
    world.azure.expect("GET /x", .error(status, code))
    let failure = await failure { try await get(world) }
    #expect(failure?.code == expected)
  }

  @Test("an answer of success that is no JSON is told", arguments: ["", "<html>", #"{"a":"#])
  func notJSON(body: String) async {
    let world = World()
    world.azure.expect("GET /x", .json(body))
    let failure = await failure { try await get(world).json() }
    #expect(failure?.code == .azureAnswerInvalid)
  }

  @Test("no token is in any log line or error")
  func noToken() async {
    let world = World()
    world.azure.expect("GET /x", .error(400, "X"))
    let failure = await failure { try await get(world) }
    #expect(!"\(String(describing: failure))\(world.log.text)".contains("token-"))
  }

  // MARK: Lists

  @Test("a list follows its links on this host, and no further")
  func paging() async throws {
    let world = World()
    world.azure.expect(
      "GET /x", .json(#"{"value":[1,2],"nextLink":"https://management.azure.com:443/y?t=1"}"#))
    world.azure.expect(
      "GET /y", .json(#"{"value":[],"nextLink":"https://MANAGEMENT.azure.com/z"}"#))
    world.azure.expect("GET /z", .json(#"{"value":[3],"nextLink":""}"#))
    let azure = HostFolding(azure: world.azure)
    let client = ARMClient(
      cloud: world.client.cloud, tokens: world.tokens, transport: azure, version: "1",
      pacing: world.time.pacing)
    let items = try await client.list("/x", .network, purpose: "p")
    #expect(items.map(\.integer) == [1, 2, 3])
    world.azure.finish()
  }

  /// Spells the host in the one way that the fake knows.
  private struct HostFolding: HTTPTransport {
    let azure: FakeAzure
    func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
      var request = request
      request.url = request.url.replacing(":443", with: "").replacing(
        "MANAGEMENT", with: "management")
      return try await azure.send(request)
    }
  }

  @Test(
    "a link to anywhere else is refused before a token goes there",
    arguments: [
      "https://evil.example/x", "https://management.azure.com.evil.example/x",
      "https://management.azure.com@evil.example/x", "http://management.azure.com/x",
      "https://management.azure.com:444/x", "https://management.azure.com\\\\@evil/x", "/x", "x",
      "https://management.azure.com/ x",
    ])
  func foreignLink(link: String) async {
    let world = World()
    world.azure.expect("GET /x", .json(#"{"value":[],"nextLink":"\#(link)"}"#))
    let failure = await failure { try await world.client.list("/x", .network, purpose: "p") }
    #expect(failure?.code == .azureAnswerInvalid)
    #expect(world.azure.calls.count == 1)
  }

  @Test("a list that links to itself ends")
  func endless() async {
    let world = World()
    let reply = FakeAzure.Reply.json(#"{"value":[1],"nextLink":"https://management.azure.com/x"}"#)
    world.azure.expect("GET /x", reply, reply)
    let failure = await failure { try await world.client.list("/x", .network, purpose: "p") }
    #expect(failure?.code == .azureAnswerInvalid)
    world.azure.finish()
  }

  // MARK: Long operations

  private func start(_ world: World, deadline: Duration = .seconds(60)) async throws -> ARMAnswer {
    let answer = try await world.client.post("/x/start", .compute, purpose: "start x")
    return try await world.client.wait(for: answer, deadline: deadline)
  }

  private static let both = [
    ("Location", "https://management.azure.com/op?monitor=true"),
    ("Azure-AsyncOperation", "https://management.azure.com/op"),
  ]

  @Test("Azure-AsyncOperation comes before Location, with a rising wait")
  func operation() async throws {
    let world = World()
    world.azure.expect("POST /x/start", .json("", status: 202, Self.both))
    world.azure.expect(
      "GET /op", .json(#"{"status":"InProgress"}"#), .json(#"{"status":"InProgress"}"#),
      .json(#"{"status":"Succeeded"}"#))
    _ = try await start(world)
    #expect(world.time.sleeps == [.seconds(2), .milliseconds(2500), .seconds(3)])
    world.azure.finish()
  }

  @Test("Location alone is followed until it is no longer 202, at the pace that Azure asks for")
  func location() async throws {
    let world = World()
    world.azure.expect(
      "POST /x/start", .json("", status: 202, [Self.both[0], ("Retry-After", "15")]))
    world.azure.expect(
      "GET /op", .json("", status: 202, [("Retry-After", "3")]), .json(#"{"a":1}"#))
    #expect(try await start(world).json() == ["a": 1])
    #expect(world.time.sleeps == [.seconds(15), .seconds(3)])
  }

  @Test("a 200 with a needless Location is the end, and so is a 202 without any")
  func noOperation() async throws {
    for reply in [FakeAzure.Reply.json("{}", [Self.both[0]]), .json("{}", status: 202)] {
      let world = World()
      world.azure.expect("POST /x/start", reply)
      _ = try await start(world)
      #expect(world.azure.calls.count == 1)
    }
  }

  @Test("an operation that fails tells why", arguments: ["Failed", "Canceled"])
  func operationFailed(status: String) async {
    let world = World()
    world.azure.expect("POST /x/start", .json("", status: 202, Self.both))
    world.azure.expect(
      "GET /op",
      .json(#"{"status":"\#(status)","error":{"code":"AllocationFailed","message":"No room."}}"#))
    let failure = await failure { try await start(world) }
    #expect(failure?.code == .azureRefused)
    #expect(failure?.why == "No room. (AllocationFailed)")
  }

  @Test("an operation that does not end is given up at the deadline")
  func operationEndless() async {
    let world = World()
    world.azure.expect("POST /x/start", .json("", status: 202, Self.both))
    let reply = FakeAzure.Reply.json(#"{"status":"InProgress"}"#)
    world.azure.expect("GET /op", reply, reply, reply)
    let failure = await failure { try await start(world, deadline: .seconds(7)) }
    #expect(failure?.code == .azureUnavailable)
    world.azure.finish()
  }

  @Test("an operation's address on another host is refused")
  func operationElsewhere() async {
    let world = World()
    world.azure.expect(
      "POST /x/start", .json("", status: 202, [("Location", "https://evil.example/op")]))
    let failure = await failure { try await start(world) }
    #expect(failure?.code == .azureAnswerInvalid)
    #expect(world.azure.calls.count == 1)
  }
}
