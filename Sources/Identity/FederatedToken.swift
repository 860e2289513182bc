import FoundationEssentials
import HTTP
import Platform

/// Where the token of another issuer comes from, which Entra ID exchanges for one of its own.
///
/// It lives for minutes: each use fetches it anew.
enum FederatedToken: Sendable {
  /// A file that somebody renews, as Kubernetes does.
  case file(String)
  /// GitHub Actions, and others that took over its form.
  case requested(url: String, bearer: SecretBytes, issuer: String)
  /// Azure Pipelines, for one service connection.
  case pipelines(url: String, connection: String, bearer: SecretBytes)
  /// The variable of that name holds it.
  case given(SecretBytes, variable: String)

  /// Entra ID's codes for "no federated credential matches".
  static let mismatches: Set<String> = [
    "AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213",
  ]

  /// What tells it from others in the token store.
  var origin: String {
    switch self {
    case .file(let path): "file \(path)"
    case .requested(let url, _, let issuer): "\(issuer) \(url.prefix { $0 != "?" })"
    case .pipelines(let url, let connection, _): "pipelines \(url) \(connection)"
    case .given(_, let variable): variable
    }
  }

  /// - Throws: a failure that names the credential.
  func fetch(
    in context: CredentialContext, for credential: String
  ) async throws(Failure) -> SecretBytes {
    switch self {
    case .file(let path): return try Self.read(path, credential)
    case .given(let token, let variable): return try Self.checked(token, credential, variable)
    case .requested(let url, let bearer, let issuer):
      let separator = url.contains("?") ? "&" : "?"
      let audience = percentEncoded(Assumptions.exchangeAudience(of: context.cloud))
      let request = HTTPRequest(
        .get, url + separator + "audience=" + audience,
        headers: [
          ("Authorization", "bearer \(bearer.exposedText)"),
          ("Accept", "application/json; api-version=2.0"),
        ])
      return try await Self.ask(request, in: context, credential, issuer, bearer, \.value)
    case .pipelines(let url, let connection, let bearer):
      let query = "api-version=7.1&serviceConnectionId=" + percentEncoded(connection)
      let request = HTTPRequest(
        .post, url + (url.contains("?") ? "&" : "?") + query,
        headers: [
          ("Authorization", "Bearer \(bearer.exposedText)"), ("Content-Type", "application/json"),
          ("Accept", "application/json"),
          // Else it redirects to a page for people instead of refusing.
          ("X-TFS-FedAuthRedirect", "Suppress"),
        ], body: [])
      return try await Self.ask(
        request, in: context, credential, "Azure Pipelines", bearer, \.oidcToken)
    }
  }

  private struct Answer: Decodable {
    var value: String?
    var oidcToken: String?
  }

  private static func ask(
    _ request: HTTPRequest, in context: CredentialContext, _ credential: String, _ issuer: String,
    _ bearer: SecretBytes, _ member: (Answer) -> String?
  ) async throws(Failure) -> SecretBytes {
    let what = "\(credential): \(issuer) gave no token"
    guard let server = Endpoint(String(request.url.prefix { $0 != "?" })), server.isSafe else {
      throw Failure(
        .settingInvalid, what: what, why: "its address is not https",
        next: "check the variables of the pipeline")
    }
    var request = request
    request.timeout = .seconds(15)
    request.bodyLimit = 1 << 20
    var attempt = 1
    while true {
      var response: HTTPResponse
      do {
        response = try await context.transport.send(request)
      } catch {
        throw .noSignInAnswer(error, host: server.authority, credential: credential)
      }
      defer { overwrite(&response.body) }
      if response.status == 429 || response.status >= 500, attempt < 3 {
        await context.sleep(.milliseconds(500 * attempt))
        attempt += 1
        continue
      }
      if response.status == 200,
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)),
        let token = member(answer)
      {
        return try checked(SecretBytes(Array(token.utf8)), credential, issuer)
      }
      let ids = ["x-vss-e2eid", "x-msedge-ref", "x-github-request-id"].compactMap { name in
        response.headers[name].map { "\(name) \(printable($0, limit: 80))" }
      }
      throw Failure(
        .signInRefused, what: what,
        why: ([
          "\(server.authority) answered HTTP \(response.status)"
            + (response.status == 200 ? " without a token" : "")
        ] + ids)
        .joined(separator: "; "),
        next: "check that the job may ask for tokens "
          + "(GitHub: permissions: id-token: write; Azure Pipelines: SYSTEM_ACCESSTOKEN)",
        cause: .http(status: response.status, serviceCode: nil, correlationID: nil))
    }
  }

  private static func read(_ path: String, _ credential: String) throws(Failure) -> SecretBytes {
    var content: [UInt8]
    do {
      content = try Files.read(path, limit: 1 << 20)
    } catch {
      throw Failure(
        .signInRefused, what: "\(credential): the token file cannot be read",
        why: "\(printable(path, limit: 200)): \(error)", next: "check AZURE_FEDERATED_TOKEN_FILE",
        cause: .system(error.number))
    }
    defer { overwrite(&content) }
    let trimmed = content.drop { $0 <= 0x20 }
    let end = trimmed.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? trimmed.startIndex
    return try checked(
      SecretBytes(trimmed[..<end]), credential, "the file \(printable(path, limit: 200))")
  }

  /// It becomes a field of a form; what is no token is not sent anywhere.
  private static func checked(
    _ token: SecretBytes, _ credential: String, _ origin: String
  ) throws(Failure) -> SecretBytes {
    let isToken = unsafe token.withBytes { bytes in
      unsafe !bytes.isEmpty && bytes.allSatisfy { (0x21...0x7E).contains($0) }
    }
    guard isToken else {
      throw Failure(
        .signInRefused, what: "\(credential): \(origin) holds no token",
        why: token.isEmpty ? "it is empty" : "it holds characters that no token has",
        next: "check what writes it")
    }
    return token
  }
}

/// A text as a value in a URL's query.
func percentEncoded(_ text: String) -> String {
  var form = FormBody()
  form.append("", text)
  return String(decoding: form.encoded().dropFirst(), as: UTF8.self)
}
