import HTTP
import Platform
import Synchronization
import Testing

@testable import JITConnect

/// Services that answer in the order in which the test lets them.
private final class FakeServices: HTTPTransport {
  enum Reply: Sendable {
    case body(String)
    case status(Int)
    case failure(HTTPError)
    /// Never, until it is cancelled.
    case silence
  }

  private let replies: [String: (turn: Int, reply: Reply)]
  private let state = Mutex((turn: 0, waiting: [Int: CheckedContinuation<Void, Never>]()))
  private let seen = Mutex<[HTTPRequest]>([])

  /// - Parameter order: who answers first, next and so on.
  init(_ order: [(name: String, reply: Reply)]) {
    var replies: [String: (Int, Reply)] = [:]
    for (turn, entry) in order.enumerated() { replies[entry.name] = (turn, entry.reply) }
    self.replies = replies
  }

  var requests: [HTTPRequest] { seen.withLock { $0 } }

  func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    seen.withLock { $0.append(request) }
    let name = String(request.url.dropFirst("https://".count))
    guard let (turn, reply) = replies[name] else { throw HTTPError(.nameNotFound, "no such host") }
    await wait(for: turn)
    // Time for the asker to take the answer before the next one is given.
    for _ in 0..<50 { await Task.yield() }
    next()
    switch reply {
    case .body(let text): return HTTPResponse(status: 200, body: Array(text.utf8))
    case .status(let status): return HTTPResponse(status: status, body: Array("1.2.3.4".utf8))
    case .failure(let error): throw error
    case .silence:
      while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(5)) }
      throw HTTPError(.cancelled, "cancelled")
    }
  }

  private func wait(for turn: Int) async {
    await withCheckedContinuation { continuation in
      let isNow = state.withLock { state in
        if state.turn >= turn { return true }
        state.waiting[turn] = continuation
        return false
      }
      if isNow { continuation.resume() }
    }
  }

  private func next() {
    state.withLock { state in
      state.turn += 1
      return state.waiting.removeValue(forKey: state.turn)
    }?.resume()
  }
}

@Suite struct AddressServicesTests {
  private func detect(
    _ order: [(name: String, reply: FakeServices.Reply)],
    late: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> String {
    try await AddressServices(
      services: order.map { "https://\($0.name)" }, http: FakeServices(order)
    ).detect(late: late)
  }

  @Test("the first two equal answers decide; nobody waits for the rest")
  func agreement() async throws {
    #expect(
      try await detect([("a", .body("1.2.3.4")), ("b", .body("1.2.3.4\n")), ("c", .silence)])
        == "1.2.3.4")
  }

  @Test("failures are passed over, and a single configured service decides alone")
  func failures() async throws {
    #expect(
      try await detect([
        ("a", .failure(HTTPError(.timedOut, "late"))), ("b", .status(500)),
        ("c", .body(" 1.2.3.4 \r\n")), ("d", .body("<html>")), ("e", .body("1.2.3.4")),
      ]) == "1.2.3.4")
    #expect(try await detect([("a", .body("1.2.3.4"))]) == "1.2.3.4")
  }

  @Test("a different answer that has already arrived lets nothing be decided")
  func contradiction() async throws {
    let failure = try await #require(throws: Failure.self) {
      try await detect([
        ("a", .body("1.2.3.4")), ("b", .body("5.6.7.8")), ("c", .body("1.2.3.4")),
        ("d", .body("1.2.3.4")),
      ])
    }
    #expect(failure.code == .addressUnclear)
    #expect(failure.what.contains("disagree"))
    #expect(failure.why?.contains("https://b says 5.6.7.8") == true)
    #expect(failure.next?.contains("--source") == true)
  }

  @Test("a pool of addresses is told with what covers it; a host without IPv4 in plain words")
  func poolAndIPv6() async throws {
    let pool = try await #require(throws: Failure.self) {
      try await detect([("a", .body("5.6.7.9")), ("b", .body("5.6.7.8"))])
    }
    #expect(pool.next?.contains("--source 5.6.7.8/31") == true, "\(pool)")
    var detector = AddressServices(
      services: ["https://a", "https://b"],
      http: FakeServices([
        ("a", .failure(HTTPError(.connectFailed, "no route"))),
        ("b", .failure(HTTPError(.nameNotFound, "no address"))),
      ]))
    detector.hasIPv4 = { false }
    let failure = try await #require(throws: Failure.self) {
      try await detector.detect { _ in }
    }
    #expect(failure.code == .addressNotIPv4)
    #expect(failure.what.contains("no way to the Internet by IPv4"))
    #expect(failure.next?.contains("NAT64") == true)
  }

  @Test("only one, or none, is said so")
  func tooFew() async throws {
    let one = try await #require(throws: Failure.self) {
      try await detect([("a", .body("1.2.3.4")), ("b", .status(404))])
    }
    #expect(one.what.contains("only one service"))
    #expect(one.next == "pass the right one yourself: --source 1.2.3.4")
    let none = try await #require(throws: Failure.self) {
      try await detect([("a", .status(200 + 1)), ("b", .failure(HTTPError(.tlsFailed, "bad")))])
    }
    #expect(none.what.contains("no service"))
    #expect(none.why?.contains("https://b: bad") == true)
  }

  @Test("a contradiction after the decision is told")
  func late() async throws {
    let (told, feed) = AsyncStream.makeStream(of: String.self)
    let address = try await detect(
      [("a", .body("1.2.3.4")), ("b", .body("1.2.3.4")), ("c", .body("9.9.9.9"))],
      late: { feed.yield($0) })
    #expect(address == "1.2.3.4")
    var iterator = told.makeAsyncIterator()
    #expect(await iterator.next() == "https://c says 9.9.9.9, not 1.2.3.4")
  }

  @Test("never through a proxy, over IPv4 alone, with a small body")
  func requests() async throws {
    let services = FakeServices([("a", .body("1.2.3.4"))])
    _ = try await AddressServices(services: ["https://a"], http: services).detect { _ in }
    let request = try #require(services.requests.first)
    #expect(request.proxy == .none)
    #expect(request.ipv4Only)
    #expect(request.bodyLimit <= 64 << 10)
  }

  @Test(
    "what counts as an address",
    arguments: [
      ("1.2.3.4", "1.2.3.4"), ("1.2.3.4\n", "1.2.3.4"), ("fl=1\nip=1.2.3.4\nts=2\n", "1.2.3.4"),
      ("001.2.3.4", "1.2.3.4"), ("", nil), ("1.2.3", nil), ("1.2.3.4.5", nil), ("1.2.3.256", nil),
      ("1.2.3.-4", nil), ("1.2.3.+4", nil), ("::1", nil), ("ip=2001:db8::1\n", nil),
      ("1.2.3.4\n5.6.7.8", nil), ("<html>1.2.3.4</html>", nil), ("10.0.0.1", nil),
      ("127.0.0.1", nil), ("169.254.169.254", nil), ("172.16.0.1", nil), ("192.168.1.1", nil),
      ("100.64.0.1", nil), ("224.0.0.1", nil), ("0.0.0.0", nil), ("255.255.255.255", nil),
      ("172.32.0.1", "172.32.0.1"), ("100.128.0.1", "100.128.0.1"), ("٣.2.3.4", nil),
    ] as [(String, String?)])
  func addresses(body: String, expected: String?) {
    #expect(AddressServices.address(in: Array(body.utf8), acceptingLocal: false) == expected)
  }
}
