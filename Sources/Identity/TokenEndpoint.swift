import FoundationEssentials
import HTTP
import Platform

/// The login server's token endpoint: one POST, a few careful repetitions, a readable answer.
struct TokenEndpoint: Sendable {
  /// How often and how long to try again.
  struct Retry: Sendable {
    var attempts = 3
    /// A longer wait asked for by the server is not made but told.
    var longestWait = Duration.seconds(30)
  }

  var cloud: Cloud
  var transport: any HTTPTransport
  var clock: WallClock
  var sleep: @Sendable (Duration) async -> Void
  var retry = Retry()

  /// Asks for a token.
  ///
  /// - Parameters:
  ///   - form: everything but the client id, the scope and the claims.
  ///   - subject: who asks, for the request and for messages.
  ///   - scope: the `scope` parameter.
  ///   - claims: the `claims` parameter.
  func answer(
    to form: FormBody, subject: SignInSubject, scope: String, claims: String?
  ) async throws(Failure) -> TokenAnswer {
    guard let login = Endpoint(cloud.loginEndpoint), login.isSafe else {
      throw Failure(
        .cloudUnknown, what: "\(printable(cloud.loginEndpoint, limit: 200)) is no login server",
        why: "it must be an https address",
        next: "check --cloud, ARM_CLOUD_METADATA_URL and AZURE_AUTHORITY_HOST")
    }
    var form = form
    form.append("client_id", subject.clientID)
    form.append("scope", scope)
    if let claims { form.append("claims", claims) }
    let url = "\(login.text)/\(try TenantName.checked(subject.tenant))/oauth2/v2.0/token"
    let requestID = UUID().uuidString.lowercased()

    var attempt = 1
    while true {
      let outcome = await attemptOnce(
        url, form, subject: subject, login: login, requestID: requestID)
      switch outcome {
      case .answer(let answer): return answer
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

  private enum Outcome {
    case answer(TokenAnswer)
    case failure(Failure)
    /// May succeed when tried again, after the server's wait if it named one.
    case passing(Failure, wait: Duration?)
  }

  private func attemptOnce(
    _ url: String, _ form: FormBody, subject: SignInSubject, login: Endpoint, requestID: String
  ) async -> Outcome {
    let request = HTTPRequest(
      .post, url,
      headers: [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
        ("client-request-id", requestID),
        ("x-ms-lib-capability", "retry-after, h429"),
      ],
      body: form.encoded(), proxy: login.isLoopback ? .none : .environment,
      timeout: .seconds(15), bodyLimit: 1 << 20)
    var response: HTTPResponse
    do {
      response = try await transport.send(request)
    } catch {
      let failure = Failure.noSignInAnswer(
        error, host: login.authority, credential: subject.credential)
      switch error.kind {
      case .connectFailed, .nameNotFound, .interrupted: return .passing(failure, wait: nil)
      default: return .failure(failure)
      }
    }
    defer { overwrite(&response.body) }
    return read(response, form, subject: subject, login: login, requestID: requestID)
  }

  private func read(
    _ response: HTTPResponse, _ form: FormBody, subject: SignInSubject, login: Endpoint,
    requestID: String
  ) -> Outcome {
    let data = Data(response.body)
    if (200..<300).contains(response.status) {
      guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: data),
        TokenAnswer.isToken(answer.accessToken),
        (answer.tokenType ?? "Bearer").lowercased() == "bearer"
      else {
        return .failure(
          unreadable("the answer holds no bearer token", response, subject, login, requestID))
      }
      return .answer(answer)
    }
    let wait = response.headers["Retry-After"].flatMap {
      Int($0.trimmingASCIISpace).map { Duration.seconds(min(max($0, 0), 3600)) }
    }
    var refusal = try? JSONDecoder().decode(TokenRefusal.self, from: data)
    let description = refusal?.description.map(form.redacting)
    refusal?.description = description
    if response.status == 429 || (500..<600).contains(response.status) || refusal?.isPassing == true
    {
      let failure = passingTrouble(response, refusal, subject, login, requestID)
      return .passing(failure, wait: wait)
    }
    guard let refusal else {
      let hint =
        (300..<400).contains(response.status)
        ? "it redirects, which is never followed with credentials" : "the answer is not readable"
      return .failure(unreadable(hint, response, subject, login, requestID))
    }
    return .failure(
      .signIn(refusal, status: response.status, subject: subject, requestID: requestID))
  }

  private func passingTrouble(
    _ response: HTTPResponse, _ refusal: TokenRefusal?, _ subject: SignInSubject,
    _ login: Endpoint, _ requestID: String
  ) -> Failure {
    let throttled = response.status == 429
    let said = refusal.map { $0.firstLine ?? printable($0.error, limit: 100) }
    return Failure(
      throttled ? .azureThrottled : .azureUnavailable,
      what: "\(subject.credential): \(login.authority) "
        + (throttled ? "asks for fewer requests" : "has trouble (HTTP \(response.status))"),
      why: [
        said,
        "correlation id \(refusal?.correlationID.map { printable($0, limit: 64) } ?? requestID)",
      ]
      .compactMap(\.self).joined(separator: "; "),
      next: "try again in a minute; https://azure.status.microsoft shows known trouble",
      cause: .http(
        status: response.status,
        serviceCode: refusal?.codes.first.map { "AADSTS\($0)" } ?? refusal?.error,
        correlationID: refusal?.correlationID ?? requestID))
  }

  private func unreadable(
    _ why: String, _ response: HTTPResponse, _ subject: SignInSubject, _ login: Endpoint,
    _ requestID: String
  ) -> Failure {
    Failure(
      .azureAnswerInvalid,
      what: "\(subject.credential): \(login.authority) answered HTTP \(response.status)", why: why,
      next: "check that no proxy or portal stands between this machine and \(login.authority)",
      cause: .http(status: response.status, serviceCode: nil, correlationID: requestID))
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
