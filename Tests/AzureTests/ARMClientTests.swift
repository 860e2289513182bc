import FoundationEssentials
import HTTP
import Identity
import Platform
import Testing

@testable import Azure

@Suite struct ARMClientTests {
  @Test("a call carries the headers of the contract and its api-version")
  func headers() async throws {
    let world = World()
    world.azure.expect("GET /subscriptions/s/x%20y/%C3%A4", .json("{}"))
    _ = try await world.get("/subscriptions/s/x y/ä", query: [("$expand", "a b&c=d/ü")])
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
    let failure = await failure { try await world.get() }
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
    let failure = await failure { try await world.get() }
    #expect(failure?.code == .notPermitted)
    #expect(failure?.why?.hasPrefix(text) == true)
  }

  @Test(
    "a path that could lead elsewhere is not sent",
    arguments: ["", "x", "//x", "/x/../y", "/x/./y", "/x/", "/x//y", "/.."])
  func badPath(path: String) async {
    let world = World()
    let failure = await failure { try await world.get(path) }
    #expect(failure?.code == .usage)
    #expect(world.azure.calls.isEmpty)
    #expect(world.tokens.requests.isEmpty)
  }

  @Test("a refusal of another wording is still told")
  func forbiddenOtherwise() async {
    let world = World()
    world.azure.expect("GET /x", .error(403, "AccessDenied", "No way."))
    let failure = await failure { try await world.get() }
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
    let failure = await failure { try await world.get() }
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
    let failure = await failure { try await world.get() }
    #expect(failure?.code == expected)
  }

  @Test("a provider that is not registered comes with the command that does it")
  func unregistered() async {
    let world = World()
    let text =
      "The subscription is not registered to use namespace 'Microsoft.Security'. See https://aka.ms/x"
    world.azure.expect(
      "GET /subscriptions/s1/x", .error(409, "MissingSubscriptionRegistration", text))
    let failure = await failure { try await world.get("/subscriptions/s1/x") }
    #expect(
      failure?.next == "az provider register --namespace Microsoft.Security --subscription s1")
  }

  @Test("an answer of success that is no JSON is told", arguments: ["", "<html>", #"{"a":"#])
  func notJSON(body: String) async {
    let world = World()
    world.azure.expect("GET /x", .json(body))
    let failure = await failure { try await world.get().json() }
    #expect(failure?.code == .azureAnswerInvalid)
  }

  @Test("no token is in any log line or error")
  func noToken() async {
    let world = World()
    world.azure.expect("GET /x", .error(400, "X"))
    let failure = await failure { try await world.get() }
    #expect(!"\(String(describing: failure))\(world.log.text)".contains("token-"))
  }
}
