import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

@Suite struct ARMRetryTests {
  @Test(
    "what may pass by itself is tried four times in all, with a growing wait",
    arguments: [408, 429, 500, 502, 503, 504])
  func retried(status: Int) async {
    let world = World()
    let reply = FakeAzure.Reply.error(status, "Busy")
    world.azure.expect("GET /x", reply, reply, reply, reply)
    let failure = await failure { try await world.get() }
    #expect(failure?.code == (status == 429 ? .azureThrottled : .azureUnavailable))
    #expect(world.time.sleeps == [.milliseconds(500), .seconds(1), .seconds(2)])
    world.azure.finish()
  }

  @Test("an answer after a failure is the answer")
  func recovered() async throws {
    let world = World()
    world.azure.expect(
      "GET /x", .broken(.interrupted), .error(503, "Busy"), .broken(.timedOut), .json("{}"))
    #expect(try await world.get().status == 200)
    world.azure.finish()
  }

  @Test(
    "what does not pass by itself is not tried again", arguments: [400, 403, 404, 405, 409, 501])
  func notRetried(status: Int) async {
    let world = World()
    world.azure.expect("GET /x", .error(status, "No"))
    _ = await failure { try await world.get() }
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
    _ = try await world.get()
    #expect(world.time.sleeps == [.milliseconds(milliseconds)])
  }

  @Test("a long wait is told and not taken", arguments: [429, 503])
  func longWait(status: Int) async {
    let world = World()
    world.azure.expect("GET /x", .json("", status: status, [("Retry-After", "600")]))
    let failure = await failure { try await world.get() }
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
      let failure = await failure { try await world.get() }
      #expect(failure?.code == code)
      #expect(failure?.why == "https://management.azure.com: it broke")
      #expect(failure?.cause == .curl(56))
    }
  }
}
