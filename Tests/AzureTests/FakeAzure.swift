import FoundationEssentials
import HTTP
import Identity
import Platform
import Synchronization
import Testing

@testable import Azure

/// Answers the calls that a test expects, in any order across paths and in order on one path.
///
/// A call that nobody expects, and an answer that nobody asked for, fail the test.
final class FakeAzure: HTTPTransport, Sendable {
  struct Reply: Sendable {
    var status = 200
    var headers: [(String, String)] = []
    var body = ""
    var error: HTTPError?

    static func json(_ body: String, status: Int = 200, _ headers: [(String, String)] = [])
      -> Reply
    {
      Reply(status: status, headers: headers, body: body)
    }

    static func error(_ status: Int, _ code: String, _ message: String = "m") -> Reply {
      let tree: JSONTree = ["error": ["code": .string(code), "message": .string(message)]]
      return Reply(
        status: status, headers: [("x-ms-correlation-request-id", "corr-1")], body: tree.jsonText)
    }

    static func broken(_ kind: HTTPError.Kind) -> Reply {
      Reply(error: HTTPError(kind, "it broke", curlCode: 56))
    }
  }

  struct Call: Sendable {
    var request: HTTPRequest
    var path: String
    var query: String
    var json: JSONTree? { request.body.flatMap { try? JSONTree(parsing: $0) } }
    func header(_ name: String) -> String? { HTTPHeaders(request.headers)[name] }
  }

  private struct State {
    var replies: [String: [Reply]] = [:]
    var calls: [Call] = []
  }

  static let host = "https://management.azure.com"
  private let state = Mutex(State())

  var calls: [Call] { state.withLock { $0.calls } }
  var callNames: [String] { calls.map { "\($0.request.method.rawValue) \($0.path)" } }

  /// - Parameter call: "GET /subscriptions", without the query.
  func expect(_ call: String, _ replies: Reply...) {
    state.withLock { $0.replies[call, default: []] += replies }
  }

  func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    let rest = request.url.hasPrefix(Self.host) ? request.url.dropFirst(Self.host.count) : "?"
    let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = String(parts[0])
    let call = Call(request: request, path: path, query: parts.count > 1 ? String(parts[1]) : "")
    let key = "\(request.method.rawValue) \(path)"
    let reply = state.withLock { state -> Reply? in
      state.calls.append(call)
      guard var queue = state.replies[key], !queue.isEmpty else { return nil }
      let reply = queue.removeFirst()
      state.replies[key] = queue
      return reply
    }
    guard let reply else {
      Issue.record("unexpected call: \(key) (\(request.url))")
      throw HTTPError(.requestInvalid, "unexpected call \(key)")
    }
    if let error = reply.error { throw error }
    return HTTPResponse(
      status: reply.status, headers: HTTPHeaders(reply.headers.map { (name: $0.0, value: $0.1) }),
      body: Array(reply.body.utf8))
  }

  /// Fails the test for every answer that was not asked for.
  func finish(sourceLocation: SourceLocation = #_sourceLocation) {
    let unused = state.withLock { $0.replies.filter { !$0.value.isEmpty }.keys.sorted() }
    #expect(unused.isEmpty, "not asked for", sourceLocation: sourceLocation)
  }
}

/// Gives `token-1`, `token-2`, … and remembers what was asked.
final class FakeTokens: TokenProvider, Sendable {
  private let asked = Mutex<[TokenRequest]>([])
  var requests: [TokenRequest] { asked.withLock { $0 } }

  func token(for request: TokenRequest) async throws(Failure) -> AccessToken {
    let count = asked.withLock {
      $0.append(request)
      return $0.count
    }
    return AccessToken(
      secret: SecretBytes(Array("token-\(count)".utf8)), expiresOn: .distantFuture,
      source: "AzureCLICredential")
  }
}

/// Time that passes only while somebody sleeps.
final class FakeTime: Sendable {
  private let state = Mutex<(elapsed: Duration, sleeps: [Duration])>((.zero, []))
  /// Noon of 24 November 2026, UTC.
  let start = Date(timeIntervalSince1970: 1_795_521_600)

  var sleeps: [Duration] { state.withLock { $0.sleeps } }
  var elapsed: Duration { state.withLock { $0.elapsed } }

  var pacing: Pacing {
    Pacing(
      clock: WallClock(now: { self.start.addingTimeInterval(self.elapsed.inSeconds) }),
      elapsed: { self.elapsed },
      sleep: { time in
        self.state.withLock {
          $0.elapsed += time
          $0.sleeps.append(time)
        }
      },
      random: { 0.5 })
  }
}

/// A client with nothing real around it.
struct World {
  let azure = FakeAzure()
  let tokens = FakeTokens()
  let time = FakeTime()
  let log = Log()

  final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    var text: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  var client: ARMClient {
    let log = log
    return ARMClient(
      cloud: Cloud(
        name: "AzureCloud", loginEndpoint: "https://login.microsoftonline.com",
        resourceManager: FakeAzure.host,
        audiences: ["https://management.core.windows.net/", "https://management.azure.com/"],
        portal: nil),
      tokens: tokens, transport: azure, version: "9.9", pacing: time.pacing,
      onCall: { log.add($0.description) })
  }
}

extension World {
  /// A call like any other.
  func get(
    _ path: String = "/x", query: [(name: String, value: String)] = []
  ) async throws -> ARMAnswer {
    try await client.get(path, .network, query: query, purpose: "read x")
  }
}

func tree(_ text: String) throws -> JSONTree { try JSONTree(parsing: Array(text.utf8)) }

func id(_ text: String) throws -> ResourceID { try ResourceID(parsing: text) }

/// Runs what must fail, and gives the failure.
func failure(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async -> Failure? {
  do {
    _ = try await body()
    Issue.record("no failure", sourceLocation: sourceLocation)
  } catch {
    return error as? Failure
  }
  return nil
}
