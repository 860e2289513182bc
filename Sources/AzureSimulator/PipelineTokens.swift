/// The token issuers of GitHub Actions and Azure Pipelines.
extension World {
  static let gitHubIssuer = "https://token.actions.githubusercontent.com"
  static let gitHubSubject = "repo:contoso/infra:ref:refs/heads/main"
  static let pipelinesIssuer = "https://vstoken.dev.azure.com/contoso"
  static let connection = "5e4d3c2b-1111-2222-3333-444455556666"

  /// Nil for a path that is none of theirs.
  mutating func pipelineToken(_ request: HTTPServerRequest) -> HTTPServerResponse? {
    switch request.rawPath {
    case "/github/oidc": return gitHub(request)
    case "/pipelines/oidc": return pipelines(request)
    default: return nil
    }
  }

  private mutating func gitHub(_ request: HTTPServerRequest) -> HTTPServerResponse {
    signIn.secrets.insert(MachineIdentitySecrets.bearer)
    guard request.header("authorization")?.lowercased() == "bearer " + MachineIdentitySecrets.bearer
    else { return HTTPServerResponse(401, ["message": "Unauthorized"]) }
    // Its address comes with a query, to which the audience is added.
    guard request.method == "GET", request.parameter("run") == "1",
      let audience = request.parameter("audience"),
      request.header("accept")?.contains("api-version=2.0") == true
    else { return HTTPServerResponse(400, ["message": "Bad request"]) }
    let token = issueForeignToken(
      issuer: Self.gitHubIssuer, subject: Self.gitHubSubject, audience: audience)
    return HTTPServerResponse(200, ["count": 1, "value": .string(token)])
  }

  private mutating func pipelines(_ request: HTTPServerRequest) -> HTTPServerResponse {
    signIn.secrets.insert(MachineIdentitySecrets.bearer)
    guard request.header("authorization") == "Bearer " + MachineIdentitySecrets.bearer else {
      guard request.header("x-tfs-fedauthredirect") == "Suppress" else {
        return HTTPServerResponse(status: 302).adding("Location", "https://login.invalid/")
      }
      return HTTPServerResponse(status: 401).adding("x-vss-e2eid", "e2e-1")
        .adding("x-msedge-ref", "edge-1")
    }
    guard request.method == "POST", request.body.isEmpty,
      request.header("content-type") == "application/json",
      request.header("content-length") == "0", request.parameter("api-version") == "7.1",
      request.parameter("serviceConnectionId") == Self.connection
    else { return HTTPServerResponse(400, ["message": "Bad request"]) }
    let token = issueForeignToken(
      issuer: Self.pipelinesIssuer, subject: "sc://contoso/infra/azure",
      audience: "api://AzureADTokenExchange")
    return HTTPServerResponse(200, ["oidcToken": .string(token)])
  }

  mutating func issueForeignToken(
    issuer: String, subject: String, audience: String, lifetime: Duration = .seconds(300)
  ) -> String {
    let token = webToken(
      ["iss": .string(issuer), "sub": .string(subject), "aud": .string(audience)],
      seed: "foreign \(number())")
    signIn.foreignTokens[token] = SignInState.ForeignToken(
      issuer: issuer, subject: subject, audience: audience,
      expires: Instant.machineNow() + lifetime)
    signIn.secrets.insert(token)
    return token
  }
}
