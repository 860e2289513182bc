import FoundationEssentials
package import HTTP
package import Identity
package import Platform
import Synchronization

/// Speaks to the Resource Manager of one cloud: tokens, retries, errors, pages, long operations.
///
/// Tokens go to that one host alone, also when Azure's answers name another.
package struct ARMClient: Sendable {
  package let cloud: Cloud
  package let pacing: Pacing
  private let tokens: any TokenProvider
  private let transport: any HTTPTransport
  private let userAgent: String
  private var tenant: String?
  private let knownTenants = TenantMemory()
  private let serverTime: ServerTime
  private let onCall: @Sendable (CallRecord) -> Void

  /// - Parameters:
  ///   - version: of the program, for the `User-Agent`.
  ///   - tenant: the one to sign in to; nil is the credential's own.
  ///   - serverTime: told the `Date` of every answer.
  ///   - onCall: told of every call when it has ended.
  package init(
    cloud: Cloud, tokens: any TokenProvider, transport: any HTTPTransport, version: String,
    tenant: String? = nil, pacing: Pacing = .system, serverTime: ServerTime = ServerTime(),
    onCall: @escaping @Sendable (CallRecord) -> Void = { _ in }
  ) {
    self.cloud = cloud
    self.tokens = tokens
    self.transport = transport
    userAgent = "jitconnect/\(version)"
    self.tenant = tenant
    self.pacing = pacing
    self.serverTime = serverTime
    self.onCall = onCall
  }

  /// The same client, signed in to that tenant where a subscription does not tell another.
  func signedIn(to tenant: String) -> ARMClient {
    var client = self
    client.tenant = tenant
    return client
  }

  /// Keeps in mind which tenant a subscription belongs to, so that its first call has the right
  /// token.
  package func remember(_ tenant: String?, of subscription: String) {
    knownTenants.remember(tenant, for: subscription)
  }

  /// Azure's time, as far as its answers have told it.
  var now: Date { serverTime.now(pacing.clock) }

  // MARK: Calls

  /// - Parameters:
  ///   - path: from `/subscriptions/…` or `/providers/…` on; it is percent-encoded here.
  ///   - purpose: completes "cannot …" in an error.
  package func get(
    _ path: String, _ version: APIVersion, query: [(name: String, value: String)] = [],
    purpose: String
  ) async throws(Failure) -> ARMAnswer {
    try await perform(
      call(.get, path, version, query: query, purpose: purpose, isRepeatable: true))
  }

  /// - Parameter hasFallBack: whether a refusal is wanted at once.
  package func put(
    _ path: String, _ version: APIVersion, body: JSONTree, hasFallBack: Bool = false,
    purpose: String
  ) async throws(Failure) -> ARMAnswer {
    var call = try call(.put, path, version, body: body, purpose: purpose, isRepeatable: true)
    call.hasFallBack = hasFallBack
    return try await perform(call)
  }

  /// - Parameter isRepeatable: whether a second time does no harm. A call that is not is repeated
  ///   only where the connection was provably never made.
  /// - Parameter hasFallBack: whether the caller knows another way, and wants a refusal at once.
  package func post(
    _ path: String, _ version: APIVersion, query: [(name: String, value: String)] = [],
    body: JSONTree? = nil, isRepeatable: Bool = false, hasFallBack: Bool = false, purpose: String
  ) async throws(Failure) -> ARMAnswer {
    var call = try call(
      .post, path, version, query: query, body: body, purpose: purpose, isRepeatable: isRepeatable)
    call.hasFallBack = hasFallBack
    return try await perform(call)
  }

  package func delete(
    _ path: String, _ version: APIVersion, purpose: String
  ) async throws(Failure) -> ARMAnswer {
    try await perform(call(.delete, path, version, purpose: purpose, isRepeatable: true))
  }

  /// Follows a URL that Azure gave, if it is one of this cloud's Resource Manager.
  func get(url: String, purpose: String) async throws(Failure) -> ARMAnswer {
    guard isOwn(url) else {
      throw Failure(
        .azureAnswerInvalid, what: "cannot \(purpose)",
        why: "the answer points to \(printable(url, limit: 200)), which is not on "
          + cloud.resourceManager, next: Failure.proxyMayHaveAnswered)
    }
    return try await perform(
      ARMCall(
        method: .get, url: url, body: nil, purpose: purpose, isRepeatable: true,
        timeout: .seconds(30)))
  }

  private func call(
    _ method: HTTPRequest.Method, _ path: String, _ version: APIVersion,
    query: [(name: String, value: String)] = [], body: JSONTree? = nil, purpose: String,
    isRepeatable: Bool
  ) throws(Failure) -> ARMCall {
    // A dot segment would be resolved on the way, and lead to another resource than the one named.
    let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard path.hasPrefix("/"), !segments.contains(where: { ["", ".", ".."].contains($0) }) else {
      throw Failure(
        .usage, what: "cannot \(purpose)",
        why: "'\(printable(path, limit: 300))' is no path of a resource")
    }
    let items = query + [(name: "api-version", value: version.rawValue)]
    return ARMCall(
      method: method,
      url: cloud.resourceManager + URLText.path(path) + "?" + URLText.query(items),
      body: body?.bytes, purpose: purpose, isRepeatable: isRepeatable,
      timeout: .seconds(method == .put || method == .delete ? 60 : 30))
  }

  /// Whether a URL lies on the Resource Manager, where tokens may go.
  func isOwn(_ url: String) -> Bool {
    let base = cloud.resourceManager.lowercased()
    let lowered = url.lowercased()
    guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }) else {
      return false
    }
    // Resource Manager itself writes ":443" in some of its links.
    return lowered.hasPrefix(base + "/")
      || (base.hasPrefix("https://") && lowered.hasPrefix(base + ":443/"))
  }

  // MARK: The loop of one call

  /// Makes the call until it succeeds or may not be made again.
  private func perform(_ call: ARMCall) async throws(Failure) -> ARMAnswer {
    var credentials = Credentials(
      scope: tokenScope, tenant: knownTenants.tenant(of: call.subscription) ?? tenant)
    var retries = RetryPlan(call: call, pacing: pacing)
    while true {
      let token = try await credentials.token(from: tokens)
      let failure: Failure
      switch await exchange(call, token) {
      case .success(let answer) where (200..<300).contains(answer.status):
        knownTenants.remember(credentials.learnedTenant, for: call.subscription)
        return answer
      case .success(let answer):
        let error = ServiceError(body: answer.body)
        failure = Failure(refusal: error, in: answer)
        if answer.status == 401, credentials.canAnswer(error, answer, pacing) {
          continue
        }
        if answer.status == 401 {
          throw Failure(
            unauthorized: failure, challenge: credentials.challenge, token, cloud,
            scope: credentials.scope)
        }
        guard let pause = try retries.pause(after: answer, error, failure) else { throw failure }
        try await pacing.pause(pause)
      case .failure(let error):
        failure = Failure(transport: error, purpose: call.purpose, host: cloud.resourceManager)
        guard let pause = retries.pause(after: error) else { throw failure }
        try await pacing.pause(pause)
      }
    }
  }

  private func exchange(
    _ call: ARMCall, _ token: AccessToken
  ) async -> Result<ARMAnswer, HTTPError> {
    var headers: [(name: String, value: String)] = [
      ("Authorization", "Bearer \(token.secret.exposedText)"),
      ("Accept", "application/json"),
      ("User-Agent", userAgent),
      ("x-ms-client-request-id", UUID().uuidString.lowercased()),
    ]
    if call.body != nil { headers.append(("Content-Type", "application/json")) }
    var request = HTTPRequest(
      call.method, call.url, headers: headers, body: call.body ?? (call.method == .post ? [] : nil),
      timeout: call.timeout)
    request.freshConnection = !call.isRepeatable
    let begun = pacing.elapsed()
    var record = CallRecord(
      method: call.method.rawValue, path: printable(call.path), milliseconds: 0)
    defer {
      record.milliseconds = Int(((pacing.elapsed() - begun).inSeconds * 1000).rounded())
      onCall(record)
    }
    do throws(HTTPError) {
      let response = try await transport.send(request)
      let answer = ARMAnswer(
        method: call.method, url: call.url, status: response.status, headers: response.headers,
        body: response.body, purpose: call.purpose)
      if let date = answer.serverDate { serverTime.heard(date, at: pacing.clock.now()) }
      record.status = response.status
      record.correlationID = answer.correlationID
      return .success(answer)
    } catch {
      record.problem = printable(error.message)
      return .failure(error)
    }
  }

  /// The v2 scope of the cloud's first audience.
  ///
  /// Its final slash stays: without it the token would be for another audience.
  private var tokenScope: String {
    (cloud.audiences.first ?? cloud.resourceManager + "/") + "/.default"
  }
}

/// Which tenant a subscription turned out to belong to, for the life of the client.
private final class TenantMemory: Sendable {
  private let tenants = Mutex<[String: String]>([:])

  func tenant(of subscription: String?) -> String? {
    guard let subscription else { return nil }
    return tenants.withLock { $0[subscription.lowercased()] }
  }

  func remember(_ tenant: String?, for subscription: String?) {
    guard let tenant, let subscription else { return }
    tenants.withLock { $0[subscription.lowercased()] = tenant }
  }
}
