import FoundationEssentials
import HTTP
import Identity
import Platform
import Testing

@testable import Azure

@Suite struct ARMSignInTests {
  @Test("a token that Azure does not take is renewed once, past every store")
  func renewed() async throws {
    let world = World()
    world.azure.expect("GET /x", .error(401, "ExpiredAuthenticationToken"), .json("{}"))
    _ = try await world.get()
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
    let failure = await failure { try await world.get() }
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
    _ = try await world.get()
    #expect(world.tokens.requests.map(\.claims) == [nil, Self.claims])
    world.azure.finish()
  }

  @Test("a challenge that is repeated is told, with the command of whose token it was")
  func challengedTwice() async {
    let world = World()
    let reply = FakeAzure.Reply.json(
      "", status: 401, [("WWW-Authenticate", #"Bearer claims="\#(Self.encoded)""#)])
    world.azure.expect("GET /x", reply, reply)
    let failure = await failure { try await world.get() }
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
    _ = try await world.get()
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
    let failure = await failure { try await world.get() }
    #expect(failure?.code == .signInRefused)
    #expect(world.tokens.requests.count == 1)
  }
}
