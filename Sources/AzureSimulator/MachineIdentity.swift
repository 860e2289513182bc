/// What gives a machine, an app or a shell its token: IMDS, App Service, Azure Arc, Azure ML and
/// Cloud Shell, all below the login server's address.
extension World {
  /// Nil for a path that is none of theirs.
  mutating func machineIdentity(_ request: HTTPServerRequest) -> HTTPServerResponse? {
    switch request.rawPath {
    case "/metadata/identity/oauth2/token": return metadataService(request)
    case "/appservice/token": return appService(request)
    case "/arc/token": return arc(request)
    case "/ml/token": return machineLearning(request)
    case "/cloudshell/token": return cloudShell(request)
    default: return nil
    }
  }

  private mutating func metadataService(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.method == "GET", request.header("metadata") == "true",
      request.header("x-forwarded-for") == nil
    else {
      return plain(400, "invalid_request", "Required metadata header not specified")
    }
    guard request.parameter("api-version") == "2018-02-01" else {
      return plain(400, "invalid_request", "api-version")
    }
    return machineToken(request, selector: "client_id", form: .metadataService)
  }

  private mutating func appService(_ request: HTTPServerRequest) -> HTTPServerResponse {
    signIn.secrets.insert(MachineIdentitySecrets.header)
    guard request.method == "GET",
      request.header("x-identity-header") == MachineIdentitySecrets.header
    else { return HTTPServerResponse(401, ["statusCode": 401, "message": "Unauthorized"]) }
    guard request.parameter("api-version") == "2019-08-01" else {
      return HTTPServerResponse(400, ["statusCode": 400, "message": "api-version"])
    }
    return machineToken(request, selector: "client_id", form: .appService)
  }

  private mutating func arc(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.method == "GET", request.header("metadata") == "true",
      request.parameter("api-version") == "2020-06-01"
    else { return plain(400, "invalid_request", "Required metadata header not specified") }
    guard let authorization = request.header("authorization") else {
      return HTTPServerResponse(status: 401).adding(
        "WWW-Authenticate", "Basic realm=\(behaviour.arcKeyFile)")
    }
    signIn.secrets.insert(MachineIdentitySecrets.arcKey)
    guard authorization == "Basic " + MachineIdentitySecrets.arcKey else {
      return plain(401, "unauthorized_client", "The key is not right")
    }
    return machineToken(request, selector: "client_id", form: .metadataService)
  }

  private mutating func machineLearning(_ request: HTTPServerRequest) -> HTTPServerResponse {
    signIn.secrets.insert(MachineIdentitySecrets.header)
    guard request.method == "GET", request.header("secret") == MachineIdentitySecrets.header,
      request.parameter("api-version") == "2017-09-01"
    else { return HTTPServerResponse(401, ["statusCode": 401, "message": "Unauthorized"]) }
    return machineToken(request, selector: "clientid", form: .appService)
  }

  private mutating func cloudShell(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.method == "POST", request.header("metadata") == "true",
      let fields = formFields(String(decoding: request.body, as: UTF8.self)),
      let resource = fields.first(where: { $0.name == "resource" })?.value,
      let person = configuration.identities.first(where: \.isPerson)
    else {
      return HTTPServerResponse(
        400, ["error": ["code": "invalid_request", "message": "The request is not valid."]])
    }
    guard Self.audiences.contains(resource) else {
      return HTTPServerResponse(
        400, ["error": ["code": "invalid_resource", "message": "The resource is not known."]])
    }
    return answer(to: person, resource, .metadataService)
  }

  private enum AnswerForm { case metadataService, appService }

  private mutating func machineToken(
    _ request: HTTPServerRequest, selector: String, form: AnswerForm
  ) -> HTTPServerResponse {
    let managed = configuration.identities.filter(\.isManaged)
    let wanted = request.parameter(selector)
    guard
      let identity = wanted == nil
        ? managed.first : managed.first(where: { $0.name == wanted?.lowercased() })
    else { return plain(400, "invalid_request", "Identity not found") }
    let resource = request.parameter("resource") ?? ""
    guard Self.audiences.contains(resource) else {
      return plain(400, "invalid_resource", "AADSTS500011: The resource principal was not found")
    }
    return answer(to: identity, resource, form)
  }

  private mutating func answer(
    to identity: SimulatedIdentity, _ resource: String, _ form: AnswerForm
  ) -> HTTPServerResponse {
    let tenant = identity.tenants.first ?? ""
    let token = issueToken(to: identity, tenant: tenant, audience: resource)
    let seconds = Int(behaviour.tokenLifetime.components.seconds)
    let end = String(Int(Instant.machineNow().seconds) + seconds)
    var answer: JSON = [
      "access_token": .string(token), "expires_on": .string(end),
      "resource": .string(resource), "token_type": "Bearer",
    ]
    if !identity.isPerson { answer["client_id"] = .string(identity.name) }
    if form == .metadataService {
      answer["expires_in"] = .string(String(seconds))
      answer["ext_expires_in"] = .string(String(seconds))
      answer["not_before"] = .string(String(Int(Instant.machineNow().seconds)))
      answer["refresh_token"] = ""
    }
    return HTTPServerResponse(200, answer)
  }

  private func plain(_ status: Int, _ error: String, _ text: String) -> HTTPServerResponse {
    HTTPServerResponse(
      status, ["error": .string(error), "error_description": .string(text)])
  }
}

/// What proves a caller to be on the machine.
enum MachineIdentitySecrets {
  static let header = "sim~identity~header~1"
  static let arcKey = "sim~arc~key~1"
  static let bearer = "sim~pipeline~bearer~1"
}
