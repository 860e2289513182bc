import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

@Suite struct ARMOperationTests {
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
