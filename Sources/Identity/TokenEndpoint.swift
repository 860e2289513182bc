import FoundationEssentials
import HTTP
import Platform

/// The login server's endpoints: one POST, a few careful repetitions, a readable answer.
struct TokenEndpoint: Sendable {
  /// How often and how long to try again.
  struct Retry: Sendable {
    var attempts = 3
    /// A longer wait asked for by the server is not made but told.
    var longestWait = Duration.seconds(30)
  }

  /// What the server said.
  enum Reply<Answer: Sendable>: Sendable {
    case answer(Answer)
    /// Its own refusal, and the same in words.
    case refused(TokenRefusal, Failure)
  }

  /// What scopes a person's sign-in asks for beside the wanted one: a refresh token, and who it is.
  static let personScopes = " offline_access openid profile"

  var cloud: Cloud
  var transport: any HTTPTransport
  var clock: WallClock
  var sleep: @Sendable (Duration) async -> Void
  /// Whether requests say that claims challenges can be handled.
  var declaresCapability = true
  var retry = Retry()

  /// Asks for a token.
  ///
  /// - Parameters:
  ///   - form: everything but the client id, the scope, the claims and what belongs to a certificate.
  ///   - subject: who asks, for the request and for messages.
  ///   - isPerson: adds ``personScopes``.
  func answer(
    to form: FormBody, subject: SignInSubject, request: TokenRequest, isPerson: Bool = false
  ) async throws(Failure) -> TokenAnswer {
    var form = form
    form.append("scope", request.scope + (isPerson ? Self.personScopes : ""))
    if let key = request.sshKey {
      form.append("token_type", "ssh-cert")
      form.append("req_cnf", key.confirmation)
      form.append("key_id", key.id)
    }
    try addClaims(request.claims, to: &form)
    switch try await tokenReply(to: form, subject: subject, wantsCertificate: request.sshKey != nil)
    {
    case .answer(let answer): return answer
    case .refused(_, let failure): throw failure
    }
  }

  /// One exchange with the token endpoint whose refusal may be no failure.
  func tokenReply(
    to form: FormBody, subject: SignInSubject, wantsCertificate: Bool = false
  ) async throws(Failure) -> Reply<TokenAnswer> {
    try await reply(from: "token", to: form, subject: subject, as: TokenAnswer.self) { answer in
      answer.problem(wantsCertificate: wantsCertificate)
    }
  }

  /// Adds the `claims` parameter: what a challenge demands, and what we can handle.
  func addClaims(_ challenge: String?, to form: inout FormBody) throws(Failure) {
    let claims = try Claims.parameter(
      challenge: challenge, declaresCapability: declaresCapability)
    if let claims { form.append("claims", claims) }
  }

  /// The address of an endpoint, which is also the audience of an assertion for it.
  func url(_ endpoint: String, tenant: String) throws(Failure) -> String {
    "\(try login().text)/\(try TenantName.checked(tenant))/oauth2/v2.0/\(endpoint)"
  }

  private func login() throws(Failure) -> Endpoint {
    guard let login = Endpoint(cloud.loginEndpoint), login.isSafe else {
      throw Failure(
        .cloudUnknown, what: "\(printable(cloud.loginEndpoint, limit: 200)) is no login server",
        why: "it must be an https address",
        next: "check --cloud, ARM_CLOUD_METADATA_URL and AZURE_AUTHORITY_HOST")
    }
    return login
  }

  /// One exchange, repeated where that may help.
  ///
  /// - Parameter problem: what is wrong with an answer; nil where nothing is.
  func reply<Answer: Decodable & Sendable>(
    from endpoint: String, to form: FormBody, subject: SignInSubject, as type: Answer.Type,
    problem: @Sendable (Answer) -> String?
  ) async throws(Failure) -> Reply<Answer> {
    let exchange = Exchange(
      url: try url(endpoint, tenant: subject.tenant), subject: subject, login: try login(),
      requestID: UUID().uuidString.lowercased())
    var form = form
    form.append("client_id", subject.clientID)
    var attempt = 1
    while true {
      switch await attemptOnce(exchange, form, as: type, problem: problem) {
      case .reply(let reply): return reply
      case .failure(let failure): throw failure
      case .passing(let failure, let wait):
        var failure = failure
        let pause = wait ?? Self.backoff(attempt)
        if let wait, wait > retry.longestWait {
          failure.next = "try again in \(wait.components.seconds) seconds"
        }
        guard attempt < retry.attempts, pause <= retry.longestWait, !Task.isCancelled else {
          throw failure
        }
        attempt += 1
        await sleep(pause)
      }
    }
  }

  /// What stays the same from attempt to attempt.
  private struct Exchange: Sendable {
    var url: String
    var subject: SignInSubject
    var login: Endpoint
    var requestID: String
  }

  private enum Outcome<Answer: Sendable> {
    case reply(Reply<Answer>)
    case failure(Failure)
    /// May succeed when tried again, after the server's wait if it named one.
    case passing(Failure, wait: Duration?)
  }

  private func attemptOnce<Answer: Decodable & Sendable>(
    _ exchange: Exchange, _ form: FormBody, as type: Answer.Type,
    problem: @Sendable (Answer) -> String?
  ) async -> Outcome<Answer> {
    var request = HTTPRequest(
      .post, exchange.url,
      headers: [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
        ("client-request-id", exchange.requestID),
        ("x-ms-lib-capability", "retry-after, h429"),
      ],
      body: form.encoded(), proxy: exchange.login.isLoopback ? .none : .environment,
      timeout: .seconds(15), bodyLimit: 1 << 20)
    defer {
      if var body = request.body.take() { overwrite(&body) }
    }
    var response: HTTPResponse
    do {
      response = try await transport.send(request)
    } catch {
      let failure = Failure.noSignInAnswer(
        error, host: exchange.login.authority, credential: exchange.subject.credential)
      switch error.kind {
      case .connectFailed, .nameNotFound, .interrupted: return .passing(failure, wait: nil)
      default: return .failure(failure)
      }
    }
    defer { overwrite(&response.body) }
    return read(response, exchange, form, as: type, problem: problem)
  }

  private func read<Answer: Decodable & Sendable>(
    _ response: HTTPResponse, _ exchange: Exchange, _ form: FormBody, as type: Answer.Type,
    problem: @Sendable (Answer) -> String?
  ) -> Outcome<Answer> {
    let data = Data(response.body)
    if (200..<300).contains(response.status) {
      guard let answer = try? JSONDecoder().decode(type, from: data) else {
        return .failure(unreadable("the answer is not what it should be", response, exchange))
      }
      if let problem = problem(answer) {
        return .failure(unreadable(problem, response, exchange))
      }
      return .reply(.answer(answer))
    }
    let wait = response.headers["Retry-After"].flatMap {
      Int($0.trimmingASCIISpace).map { Duration.seconds(min(max($0, 0), 3600)) }
    }
    var refusal = try? JSONDecoder().decode(TokenRefusal.self, from: data)
    let description = refusal?.description.map(form.redacting)
    refusal?.description = description
    if response.status == 429 || (500..<600).contains(response.status) || refusal?.isPassing == true
    {
      return .passing(passingTrouble(response, refusal, exchange), wait: wait)
    }
    guard let refusal else {
      let hint =
        (300..<400).contains(response.status)
        ? "it redirects, which is never followed with credentials" : "the answer is not readable"
      return .failure(unreadable(hint, response, exchange))
    }
    return .reply(
      .refused(
        refusal,
        .signIn(
          refusal, status: response.status, subject: exchange.subject,
          requestID: exchange.requestID)))
  }

  private func passingTrouble(
    _ response: HTTPResponse, _ refusal: TokenRefusal?, _ exchange: Exchange
  ) -> Failure {
    let throttled = response.status == 429
    let said = refusal.map { $0.firstLine ?? printable($0.error, limit: 100) }
    let correlationID =
      refusal?.correlationID.map { printable($0, limit: 64) } ?? exchange.requestID
    return Failure(
      throttled ? .azureThrottled : .azureUnavailable,
      what: "\(exchange.subject.credential): \(exchange.login.authority) "
        + (throttled ? "asks for fewer requests" : "has trouble (HTTP \(response.status))"),
      why: [said, "correlation id \(correlationID)"].compactMap(\.self).joined(separator: "; "),
      next: "try again in a minute; https://azure.status.microsoft shows known trouble",
      cause: .http(
        status: response.status,
        serviceCode: refusal?.codes.first.map { "AADSTS\($0)" } ?? refusal?.error,
        correlationID: correlationID))
  }

  private func unreadable(
    _ why: String, _ response: HTTPResponse, _ exchange: Exchange
  ) -> Failure {
    let server = exchange.login.authority
    return Failure(
      .azureAnswerInvalid,
      what: "\(exchange.subject.credential): \(server) answered HTTP \(response.status)", why: why,
      next: "check that no proxy or portal stands between this machine and \(server)",
      cause: .http(
        status: response.status, serviceCode: nil, correlationID: exchange.requestID))
  }

  /// Half a second, then one, then two, each with a quarter more or less.
  private static func backoff(_ attempt: Int) -> Duration {
    let base = 0.5 * Double(1 << min(attempt - 1, 4))
    return .milliseconds(Int(base * Double.random(in: 0.75...1.25) * 1000))
  }
}

extension String {
  /// Without blanks, tabs and line ends on either side.
  var trimmingASCIISpace: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
