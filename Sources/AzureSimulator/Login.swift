/// The login server: `/{tenant}/oauth2/v2.0/…`, and beside it what gives tokens on a machine or in a
/// pipeline.
extension World {
  mutating func login(_ request: HTTPServerRequest) -> HTTPServerResponse {
    if let response = machineIdentity(request) ?? pipelineToken(request) { return response }
    guard request.segments.count == 4, request.segments[1] == "oauth2",
      request.segments[2] == "v2.0"
    else { return HTTPServerResponse(404, text: "Not found\n") }
    let name = request.segments[0].lowercased()
    switch request.segments[3] {
    case "authorize": return authorize(request, authority: name)
    case "token", "devicecode": break
    default: return HTTPServerResponse(404, text: "Not found\n")
    }
    guard request.method == "POST" else {
      return refusal(
        "invalid_request", 900_561,
        "The endpoint only accepts POST requests. Received a "
          + "\(request.method) request.")
    }
    guard let form = signInForm(request) else {
      return refusal("invalid_request", 900_144, "The request body must be a valid form.")
    }
    guard let tenant = tenant(named: name) else {
      return refusal(
        "invalid_request", 90_002,
        "Tenant '\(request.segments[0])' not found. Check to make sure you have the correct "
          + "tenant ID and are signing into the correct cloud.")
    }
    if request.header("origin") != nil {
      return refusal(
        "invalid_request", 9_002_327,
        "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via "
          + "cross-origin requests.")
    }
    if request.segments[3] == "devicecode" { return deviceCode(form, authority: name) }
    signIn.grants[form["grant_type"] ?? "", default: 0] += 1
    if let refused = behaviour.signInRefusal {
      return refusal(refused.error, refused.code, "The simulated refusal.")
    }
    switch form["grant_type"] {
    case "client_credentials": return clientCredentials(form, tenant: tenant, named: name)
    case "refresh_token": return refresh(form, tenant: tenant)
    case "authorization_code": return redeemCode(form, authority: name)
    case "urn:ietf:params:oauth:grant-type:device_code":
      return redeemDeviceCode(form, authority: name)
    case nil:
      return refusal(
        "invalid_request", 900_144,
        "The request body must contain the following parameter: 'grant_type'.")
    case .some:
      return refusal(
        "unsupported_grant_type", 70_003, "The app requested an unsupported grant type.")
    }
  }

  /// The fields of a form, each at most once; what is secret in it is noted.
  private mutating func signInForm(_ request: HTTPServerRequest) -> [String: String]? {
    guard
      request.header("content-type")?.lowercased().hasPrefix("application/x-www-form-urlencoded")
        == true, let text = String(validating: request.body, as: UTF8.self),
      let fields = formFields(text), Set(fields.map(\.name)).count == fields.count
    else { return nil }
    for field in fields
    where [
      "client_secret", "client_assertion", "code", "code_verifier", "device_code", "refresh_token",
    ].contains(field.name) {
      signIn.secrets.insert(field.value)
    }
    return Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
  }

  func tenant(named name: String) -> SimulatedTenant? {
    configuration.tenants.first { $0.id == name || $0.domain.lowercased() == name }
      ?? (["organizations", "common"].contains(name) ? configuration.tenants.first : nil)
  }

  /// The refusal of a form that lacks a field or has one that is not known; nil where none does.
  mutating func refusalOfFields(
    _ form: [String: String], needed: [String], allowed: Set<String>
  ) -> HTTPServerResponse? {
    for field in needed where form[field] ?? "" == "" {
      return refusal(
        "invalid_request", 900_144,
        "The request body must contain the following parameter: '\(field)'.")
    }
    let known = allowed.union(needed).union([
      "grant_type", "client_id", "scope", "claims", "client_info", "token_type", "req_cnf",
      "key_id",
    ])
    guard
      let odd = form.keys.sorted().first(where: { !known.contains($0) && !$0.hasPrefix("x-") })
    else { return nil }
    return refusal("invalid_request", 900_144, "The parameter '\(odd)' is not expected.")
  }

  static let personScopes: Set<String> = ["offline_access", "openid", "profile"]

  /// Resource Manager's audiences; a resource's final slash is kept, which makes a double slash.
  static let audiences = [
    "https://management.core.windows.net/", "https://management.core.windows.net",
    "https://management.azure.com/", "https://management.azure.com",
  ]

  static let sshScope = "https://pas.windows.net/CheckMyAccess/Linux/.default"

  /// The one resource scope among the others.
  mutating func resourceScope(
    _ text: String, extra: Set<String>, tenant: SimulatedTenant
  ) -> Result<String, SignInRefusal> {
    let scopes = text.split(separator: " ").map(String.init).filter { !extra.contains($0) }
    guard scopes.count == 1, let scope = scopes.first, scope.hasSuffix("/.default") else {
      return .failure(
        SignInRefusal(
          refusal(
            "invalid_scope", 70_011,
            "The provided request must include a 'scope' input parameter. The provided value for "
              + "the input parameter 'scope' is not valid.")))
    }
    let audience = String(scope.dropLast("/.default".count))
    guard scope == Self.sshScope || Self.audiences.contains(audience) else {
      return .failure(
        SignInRefusal(
          refusal(
            "invalid_resource", 500_011,
            "The resource principal named \(audience) was not found in the tenant named "
              + "\(tenant.displayName).")))
    }
    return .success(scope)
  }

  mutating func grant(
    _ form: [String: String], to identity: SimulatedIdentity, tenant: SimulatedTenant,
    person: (clientID: String, nonce: String?)? = nil
  ) -> HTTPServerResponse {
    let scope: String
    switch resourceScope(
      form["scope"] ?? "", extra: person == nil ? [] : Self.personScopes, tenant: tenant)
    {
    case .success(let found): scope = found
    case .failure(let refused): return refused.response
    }
    if let claims = form["claims"], (try? JSON(parsing: Array(claims.utf8)))?.members == nil {
      return refusal("invalid_request", 900_144, "The claims parameter is not valid JSON.")
    }
    let seconds = Int(behaviour.tokenLifetime.components.seconds)
    var answer: JSON = [
      "token_type": "Bearer", "scope": .string(scope),
      "expires_in": behaviour.expiresInIsText ? .string(String(seconds)) : JSON(seconds),
      "ext_expires_in": behaviour.expiresInIsText ? .string(String(seconds)) : JSON(seconds),
    ]
    if scope == Self.sshScope {
      switch certificate(form, for: identity, tenant: tenant) {
      case .success(let certificate):
        answer["token_type"] = "ssh-cert"
        answer["access_token"] = .string(certificate)
      case .failure(let refused): return refused.response
      }
    } else {
      let token = issueToken(
        to: identity, tenant: tenant.id, audience: String(scope.dropLast("/.default".count)),
        claims: form["claims"])
      if revocation != nil, !answersRevocation(form["claims"]) {
        // A token asked for without the challenge's claims is no better than the old one.
        tokens[token]?.number = 0
      }
      answer["access_token"] = .string(token)
    }
    if let person {
      let next = nextRefreshToken(of: identity, clientID: person.clientID)
      answer["refresh_token"] = .string(next)
      answer["id_token"] = .string(
        idToken(identity, tenant: tenant.id, clientID: person.clientID, nonce: person.nonce))
    }
    if form["client_info"] == "1" {
      let info: JSON = [
        "uid": .string(identity.objectID),
        "utid": .string(identity.tenants.first ?? tenant.id),
      ]
      answer["client_info"] = .string(base64URL(info.encoded))
    }
    return HTTPServerResponse(200, answer)
  }

  /// Each use of a refresh token gives another, and the old one stays good.
  private mutating func nextRefreshToken(
    of identity: SimulatedIdentity, clientID: String
  ) -> String {
    let token =
      "\(identity.refreshToken ?? "0.A").next\(number())."
      + Identifiers.guid("refresh \(identity.name) \(nextNumber)")
    signIn.refreshTokens[token] = SignInState.RefreshToken(
      identity: identity.name, clientID: clientID)
    signIn.secrets.insert(token)
    return token
  }

  private mutating func idToken(
    _ identity: SimulatedIdentity, tenant: String, clientID: String, nonce: String?
  ) -> String {
    let now = Int(Instant.machineNow().seconds)
    let payload: JSON = [
      "aud": .string(clientID), "iss": .string("\(loginURL)\(tenant)/v2.0"), "iat": JSON(now),
      "nbf": JSON(now), "exp": JSON(now + 3600), "oid": .string(identity.objectID),
      "preferred_username": .string(identity.name), "tid": .string(tenant), "ver": "2.0",
      "nonce": JSON(nonce),
    ]
    let text = webToken(payload, seed: "id \(number())")
    signIn.secrets.insert(text)
    return text
  }

  /// Whether a `claims` parameter holds all that the challenge asked for, and CP1.
  private func answersRevocation(_ claims: String?) -> Bool {
    guard let revocation, let claims,
      let asked = try? JSON(parsing: Array(revocation.claims.utf8)),
      let given = try? JSON(parsing: Array(claims.utf8)), claims.lowercased().contains("cp1")
    else { return false }
    return (asked["access_token"]?.members ?? []).allSatisfy { member in
      given["access_token"]?[member.name] == member.value
    }
  }

  mutating func refusal(
    _ error: String, _ code: Int, _ text: String, status: Int = 400
  ) -> HTTPServerResponse {
    let number = number()
    let trace = Identifiers.guid("trace \(number)")
    let correlation = Identifiers.guid("correlation \(number)")
    let time = now.text.prefix(10) + " " + now.text.dropFirst(11).prefix(8) + "Z"
    return HTTPServerResponse(
      status,
      [
        "error": .string(error),
        "error_description": .string(
          "AADSTS\(code): \(text) Trace ID: \(trace) Correlation ID: \(correlation) "
            + "Timestamp: \(time)"),
        "error_codes": [JSON(code)], "timestamp": .string(String(time)),
        "trace_id": .string(trace), "correlation_id": .string(correlation),
        "error_uri": .string("\(loginURL)error?code=\(code)"),
      ])
  }
}

/// A refusal of the login server on its way out.
struct SignInRefusal: Error {
  var response: HTTPServerResponse

  init(_ response: HTTPServerResponse) { self.response = response }
}
