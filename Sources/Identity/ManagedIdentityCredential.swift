import FoundationEssentials
import HTTP
import Platform

/// The identity that Azure gives to the machine, the app or the shell we run in.
struct ManagedIdentityCredential: Credential {
  static let name = "ManagedIdentityCredential"

  let source: ManagedIdentitySource
  /// `AZURE_CLIENT_ID`: which of several identities is meant.
  let clientID: String?
  let context: CredentialContext
  /// Nothing but the machine's looks speaks for it: that nobody answers is no failure then.
  var isGuess = false

  var name: String { Self.name }

  /// The identity that variables lead to.
  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    guard let source = try ManagedIdentitySource.named(in: context.environment) else {
      return .absent("neither IDENTITY_ENDPOINT nor MSI_ENDPOINT is set")
    }
    return .ready(
      ManagedIdentityCredential(
        source: source, clientID: context.environment["AZURE_CLIENT_ID"], context: context))
  }

  /// The identity of a VM, or of a server that Azure Arc manages, where this looks like one or was
  /// asked for.
  static func findOnMachine(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    let isNamed =
      context.isChosen || environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] != nil
    let kind = context.machine()
    guard isNamed || kind != .other else { return .absent("this is no machine of Azure") }
    var credential = ManagedIdentityCredential(
      source: try .metadataService(in: environment), clientID: environment["AZURE_CLIENT_ID"],
      context: context, isGuess: !context.isChosen)
    if kind == .arc, let endpoint = Endpoint(Assumptions.arcEndpoint) {
      credential = ManagedIdentityCredential(
        source: .arc(endpoint: endpoint), clientID: credential.clientID, context: context,
        isGuess: !context.isChosen)
    }
    return .ready(credential)
  }

  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    StoreIdentity(
      credential: "\(name) \(source.place) \(source.endpoint.text) \(clientID ?? "")",
      tenant: request.tenant ?? "", outlivesProcess: false)
  }

  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken {
    guard request.sshKey == nil || isCloudShell else { throw .failed(.noCertificate(name)) }
    guard context.cloud.mayReceiveTokens(ofIssuerAt: source.endpoint) else {
      throw .unavailable(
        "its tokens are for Azure, and must not go to \(context.cloud.resourceManager)")
    }
    if isGuess { try await probe() }
    var response = try await answer(request)
    defer { overwrite(&response.body) }
    guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: Data(response.body)) else {
      throw .unavailable("\(source.place) gave no JSON")
    }
    if let problem = answer.problem(wantsCertificate: request.sshKey != nil) {
      throw .failed(refusal(problem, response))
    }
    if let clientID, let given = answer.clientID, given.lowercased() != clientID.lowercased() {
      throw .failed(
        refusal("it gave a token of \(printable(given, limit: 80)), not of \(clientID)", response))
    }
    let who = TokenClaims(token: answer.accessToken)
    let account = isCloudShell ? who?.username : clientID ?? answer.clientID
    do {
      return try answer.token(
        now: context.clock.now(), tenant: who?.tid, source: name,
        account: account.map { printable($0, limit: 100) })
    } catch {
      throw .failed(error)
    }
  }

  private var isCloudShell: Bool {
    if case .cloudShell = source { return true }
    return false
  }

  /// Whether anybody is there, asked shortly and once: any answer says so. The header is left out so
  /// that none is a token.
  private func probe() async throws(CredentialError) {
    guard case .metadataService = source else { return }
    var request = HTTPRequest(
      .get, source.endpoint.text + "/metadata/identity/oauth2/token?api-version=2018-02-01",
      proxy: .none, timeout: .seconds(1), bodyLimit: 64 << 10)
    request.allowsPlainHTTP = source.endpoint.isLinkLocal
    do {
      _ = try await context.transport.send(request)
    } catch {
      throw .unavailable("\(source.place) does not answer")
    }
  }

  /// The answer that is no refusal, after what may help was tried.
  private func answer(_ request: TokenRequest) async throws(CredentialError) -> HTTPResponse {
    var attempt = 0
    var key: SecretBytes?
    while true {
      let response: HTTPResponse
      do {
        response = try await context.transport.send(httpRequest(request, key))
      } catch {
        if isGuess { throw .unavailable("\(source.place) does not answer") }
        guard attempt >= 2 || error.kind == .timedOut || !isRepeatable else {
          await context.sleep(.milliseconds(500))
          attempt += 1
          continue
        }
        throw .failed(.noSignInAnswer(error, host: source.endpoint.authority, credential: name))
      }
      if (200..<300).contains(response.status) { return response }
      if case .arc = source, response.status == 401, key == nil {
        key = try arcKey(response)
        continue
      }
      if let pause = Self.pause(response.status, attempt), isRepeatable, !Task.isCancelled {
        attempt += 1
        await context.sleep(pause)
        continue
      }
      throw problem(response)
    }
  }

  private var isRepeatable: Bool {
    switch source {
    case .metadataService, .appService, .arc: true
    case .machineLearning, .cloudShell: false
    }
  }

  /// How long a status is waited out: the metadata service needs a moment after a boot, and up to
  /// 70 seconds while it is updated (410).
  static func pause(_ status: Int, _ attempt: Int) -> Duration? {
    switch status {
    case 410: attempt < 7 ? .seconds(10) : nil
    case 404, 429, 500...599: attempt < 4 ? .seconds(2 << attempt) : nil
    default: nil
    }
  }

  private func arcKey(_ response: HTTPResponse) throws(CredentialError) -> SecretBytes {
    do {
      return try ArcChallenge(response.headers).key(in: context.arcKeyFolder)
    } catch {
      if isGuess { throw .unavailable("Azure Arc's proof cannot be given: \(error.text)") }
      throw .failed(
        Failure(
          .signInRefused, what: "\(name): Azure Arc's proof cannot be given", why: error.text,
          next: "run as root or as a member of the group himds"))
    }
  }

  private func problem(_ response: HTTPResponse) -> CredentialError {
    let body = String(decoding: response.body.prefix(4096), as: UTF8.self)
    if case .metadataService = source {
      // Docker Desktop's proxy answers in the place of a service that is not there.
      if response.status == 403, body.contains("unreachable") {
        return .unavailable("\(source.place) is not there")
      }
      if response.status == Assumptions.noIdentityStatus, clientID == nil {
        return .unavailable("this VM has no managed identity")
      }
    }
    let said = try? JSONDecoder().decode(TokenRefusal.self, from: Data(response.body))
    let reason = said.map { [$0.error, $0.description].compactMap(\.self).joined(separator: ": ") }
    // What is no refusal that we know may hold anything: a proxy's page, half a token.
    return .failed(refusal(reason ?? "its answer is not readable", response))
  }

  private func refusal(_ why: String, _ response: HTTPResponse) -> Failure {
    Failure(
      .signInRefused,
      what: "\(name): \(source.place) gave no token"
        + (clientID.map { " for the identity \(printable($0, limit: 80))" } ?? ""),
      why: [
        "HTTP \(response.status)", printable(why.isEmpty ? "it gave no reason" : why, limit: 300),
      ].joined(separator: ", "),
      next: clientID == nil
        ? "assign a managed identity, or choose another credential with --identity"
        : "check AZURE_CLIENT_ID: here it names the managed identity; unset it if it does not",
      cause: .http(status: response.status, serviceCode: nil, correlationID: nil))
  }
}
