import FoundationEssentials
import HTTP
import Platform
import Synchronization
import Testing

@testable import Identity

/// A transport that answers only what the test expects, and reports what was not asked.
final class FakeLogin: HTTPTransport {
  typealias Answer = @Sendable (HTTPRequest) -> Result<HTTPResponse, HTTPError>

  private struct State {
    var expected: [(method: HTTPRequest.Method, url: String, answer: Answer)] = []
    var requests: [HTTPRequest] = []
    var unknown: [String] = []
  }

  private let state = Mutex(State())
  /// Runs before every answer, for tests of what happens meanwhile.
  let before: @Sendable () async -> Void

  init(before: @escaping @Sendable () async -> Void = {}) { self.before = before }

  /// The requests that came, in order.
  var requests: [HTTPRequest] { state.withLock { $0.requests } }

  func expect(_ method: HTTPRequest.Method, _ url: String, _ answer: @escaping Answer) {
    state.withLock { $0.expected.append((method, url, answer)) }
  }

  func expectToken(
    _ url: String, status: Int = 200, headers: [(String, String)] = [], _ body: String
  ) {
    let headers = headers.map { (name: $0.0, value: $0.1) }
    expect(.post, url) { _ in
      .success(
        HTTPResponse(status: status, headers: HTTPHeaders(headers), body: Array(body.utf8)))
    }
  }

  func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    await before()
    let answer = state.withLock { state -> Answer? in
      let index = state.expected.firstIndex {
        $0.method == request.method && $0.url == request.url
      }
      guard let index else {
        state.unknown.append("\(request.method.rawValue) \(request.url)")
        return nil
      }
      state.requests.append(request)
      return state.expected.remove(at: index).answer
    }
    guard let answer else { throw HTTPError(.requestInvalid, "the test does not expect this") }
    return try answer(request).get()
  }

  /// Fails the test for unknown and for unused calls.
  func verify(sourceLocation: SourceLocation = #_sourceLocation) {
    state.withLock { state in
      #expect(state.unknown.isEmpty, "unknown calls", sourceLocation: sourceLocation)
      #expect(
        state.expected.map(\.url).isEmpty, "unused answers", sourceLocation: sourceLocation)
    }
  }
}

/// The form of a request, decoded.
func form(of request: HTTPRequest?) -> [String: String] {
  var fields: [String: String] = [:]
  for pair in (request?.body ?? []).split(separator: UInt8(ascii: "&")) {
    let name = pair.prefix { $0 != UInt8(ascii: "=") }
    fields[decoded(name)] = decoded(pair.dropFirst(name.count + 1))
  }
  return fields
}

private func decoded(_ bytes: ArraySlice<UInt8>) -> String {
  var result: [UInt8] = []
  var rest = bytes
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%"), rest.count >= 2,
      let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
    {
      result.append(value)
      rest = rest.dropFirst(2)
    } else {
      result.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
    }
  }
  return String(decoding: result, as: UTF8.self)
}

/// A folder for one test, gone afterwards.
final class ScratchFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/identity-" + UUID().uuidString
    try Files.makeDirectory(path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ name: String, _ text: String, mode: UInt32 = 0o600) throws -> String {
    try Files.replace(path + "/" + name, with: Array(text.utf8), mode: mode)
    return path + "/" + name
  }
}

/// Everything a test says to the user.
final class Warnings: Sendable {
  private let messages = Mutex<[String]>([])
  var all: [String] { messages.withLock { $0 } }
  func add(_ message: String) { messages.withLock { $0.append(message) } }
}

let testNow = Date(timeIntervalSince1970: 1_790_000_000)
let testClock = WallClock(now: { testNow })
let tenantA = "11111111-1111-1111-1111-111111111111"
let tenantB = "22222222-2222-2222-2222-222222222222"
let testClient = "33333333-3333-3333-3333-333333333333"

func tokenURL(_ tenant: String, cloud: Cloud = .azureCloud) -> String {
  "\(cloud.loginEndpoint)/\(tenant)/oauth2/v2.0/token"
}

func tokenBody(_ token: String, expiresIn: String = "3599") -> String {
  #"{"token_type":"Bearer","expires_in":\#(expiresIn),"access_token":"\#(token)"}"#
}

let secretVariables = [
  "AZURE_TENANT_ID": tenantA, "AZURE_CLIENT_ID": testClient,
  "AZURE_CLIENT_SECRET": "s3cr+t &=%ü",
]

/// One chain with everything about it.
struct ChainFixture {
  let login: FakeLogin
  let store: TokenStore
  let warnings = Warnings()
  var context: CredentialContext

  init(
    _ variables: [String: String], login: FakeLogin = FakeLogin(), state: String? = nil,
    home: String? = nil, cloud: Cloud = .azureCloud, subscription: String? = nil,
    clock: WallClock = testClock
  ) {
    self.login = login
    let warnings = warnings
    store = TokenStore(
      directory: state, owner: testUserID, clock: clock, warn: { warnings.add($0) })
    context = CredentialContext(
      cloud: cloud,
      environment: Environment(variables: variables, home: home, userID: testUserID),
      transport: login, clock: clock, sleep: { _ in await Task.yield() },
      warn: { warnings.add($0) }, subscription: subscription)
  }

  func chain(identity: String? = nil) throws(Failure) -> CredentialChain {
    try CredentialChain(context: context, store: store, identity: identity)
  }
}

let testUserID = Environment.current().userID

/// The failure that `body` throws.
func failure(
  sourceLocation: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async -> Failure? {
  do {
    try await body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    return nil
  } catch {
    if let failure = error as? Failure { return failure }
    Issue.record("\(error) is no Failure", sourceLocation: sourceLocation)
    return nil
  }
}

extension TokenRequest {
  static let arm = TokenRequest(scope: Cloud.azureCloud.tokenScope)
}
