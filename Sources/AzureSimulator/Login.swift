/// The login server: `/{tenant}/oauth2/v2.0/token`.
extension World {
  mutating func login(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.segments.count == 4, request.segments[1] == "oauth2",
      request.segments[2] == "v2.0", request.segments[3] == "token"
    else { return HTTPServerResponse(404, text: "Not found\n") }
    guard request.method == "POST" else {
      return refusal(
        "invalid_request", 900_561,
        "The endpoint only accepts POST requests. Received a "
          + "\(request.method) request.")
    }
    guard
      request.header("content-type")?.lowercased().hasPrefix("application/x-www-form-urlencoded")
        == true, let text = String(validating: request.body, as: UTF8.self),
      let fields = formFields(text), Set(fields.map(\.name)).count == fields.count
    else {
      return refusal("invalid_request", 900_144, "The request body must be a valid form.")
    }
    let form = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
    let name = request.segments[0].lowercased()
    guard let tenant = tenant(named: name) else {
      return refusal(
        "invalid_request", 90_002,
        "Tenant '\(request.segments[0])' not found. Check to make sure you have the correct "
          + "tenant ID and are signing into the correct cloud.")
    }
    switch form["grant_type"] {
    case "client_credentials": return clientCredentials(form, tenant: tenant, named: name)
    case "refresh_token": return refresh(form, tenant: tenant)
    case nil:
      return refusal(
        "invalid_request", 900_144,
        "The request body must contain the following parameter: 'grant_type'.")
    case .some:
      return refusal(
        "unsupported_grant_type", 70_003, "The app requested an unsupported grant type.")
    }
  }

  private func tenant(named name: String) -> SimulatedTenant? {
    configuration.tenants.first { $0.id == name || $0.domain.lowercased() == name }
      ?? (["organizations", "common"].contains(name) ? configuration.tenants.first : nil)
  }

  private mutating func clientCredentials(
    _ form: [String: String], tenant: SimulatedTenant, named name: String
  ) -> HTTPServerResponse {
    if ["organizations", "common", "consumers"].contains(name) {
      return refusal(
        "unauthorized_client", 53_000,
        "Application-only tokens need a concrete tenant, not '\(name)'.")
    }
    for field in ["client_id", "client_secret", "scope"] where form[field] ?? "" == "" {
      return refusal(
        field == "client_secret" ? "invalid_client" : "invalid_request",
        field == "client_secret" ? 7_000_216 : 900_144,
        "The request body must contain the following parameter: '\(field)'.")
    }
    let known: Set = [
      "grant_type", "client_id", "client_secret", "scope", "claims", "client_info", "token_type",
      "req_cnf", "key_id",
    ]
    if let odd = form.keys.sorted().first(where: { !known.contains($0) && !$0.hasPrefix("x-") }) {
      return refusal("invalid_request", 900_144, "The parameter '\(odd)' is not expected.")
    }
    let clientID = form["client_id"] ?? ""
    guard
      let identity = configuration.identities.first(where: {
        $0.name == clientID.lowercased() && $0.secret != nil && $0.tenants.contains(tenant.id)
      })
    else {
      return refusal(
        "unauthorized_client", 700_016,
        "Application with identifier '\(clientID)' was not found in the directory "
          + "'\(tenant.displayName)'. This can happen if the application has not been installed by "
          + "the administrator of the tenant or consented to by any user in the tenant.")
    }
    guard form["client_secret"] == identity.secret else {
      return refusal(
        "invalid_client", 7_000_215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
          + "secret value, not the client secret ID, for a secret added to app '\(clientID)'.",
        status: 401)
    }
    if identity.secretExpired {
      return refusal(
        "invalid_client", 7_000_222,
        "The provided client secret keys for app '\(clientID)' are expired. Visit the Azure portal "
          + "to create new keys for your app.", status: 401)
    }
    return grant(form, to: identity, tenant: tenant, extraScopes: [])
  }

  private mutating func refresh(
    _ form: [String: String], tenant: SimulatedTenant
  ) -> HTTPServerResponse {
    for field in ["client_id", "refresh_token", "scope"] where form[field] ?? "" == "" {
      return refusal(
        "invalid_request", 900_144,
        "The request body must contain the following parameter: '\(field)'.")
    }
    if form["client_secret"] != nil {
      return refusal(
        "invalid_client", 700_025,
        "Client is public so neither 'client_assertion' nor "
          + "'client_secret' should be presented.", status: 401)
    }
    guard
      let identity = configuration.identities.first(where: {
        $0.refreshToken != nil && refreshTokenMatches(form["refresh_token"] ?? "", $0)
          && $0.refreshClientID == form["client_id"]?.lowercased()
      })
    else {
      return refusal(
        "invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.")
    }
    guard identity.tenants.contains(tenant.id) else {
      return refusal(
        "invalid_grant", 50_020,
        "User account '\(identity.name)' from identity provider does not exist in tenant "
          + "'\(tenant.displayName)' and cannot access the application.")
    }
    return grant(
      form, to: identity, tenant: tenant, extraScopes: ["offline_access", "openid", "profile"])
  }

  /// A refresh token stays good after its use, and each use gives another.
  private func refreshTokenMatches(_ text: String, _ identity: SimulatedIdentity) -> Bool {
    guard let token = identity.refreshToken else { return false }
    return text == token || text.hasPrefix(token + ".next")
  }

  private mutating func grant(
    _ form: [String: String], to identity: SimulatedIdentity, tenant: SimulatedTenant,
    extraScopes: Set<String>
  ) -> HTTPServerResponse {
    let scopes = (form["scope"] ?? "").split(separator: " ").map(String.init)
      .filter { !extraScopes.contains($0) }
    // A resource's final slash is kept, which makes a double slash.
    let audiences = [
      "https://management.core.windows.net/", "https://management.core.windows.net",
      "https://management.azure.com/", "https://management.azure.com",
    ]
    guard scopes.count == 1, let scope = scopes.first, scope.hasSuffix("/.default") else {
      return refusal(
        "invalid_scope", 70_011,
        "The provided request must include a 'scope' input parameter. The provided value for the "
          + "input parameter 'scope' is not valid.")
    }
    let audience = String(scope.dropLast("/.default".count))
    if let type = form["token_type"] {
      return sshCertificate(form, type, audience, scope, identity, tenant)
    }
    guard audiences.contains(audience) else {
      return refusal(
        "invalid_resource", 500_011,
        "The resource principal named \(audience) was not found in the tenant named "
          + "\(tenant.displayName).")
    }
    if let claims = form["claims"], (try? JSON(parsing: Array(claims.utf8)))?.members == nil {
      return refusal("invalid_request", 900_144, "The claims parameter is not valid JSON.")
    }
    let token = issueToken(
      to: identity, tenant: tenant.id, audience: audience, claims: form["claims"])
    if revocation != nil, !answersRevocation(form["claims"]) {
      // A token asked for without the challenge's claims is no better than the old one.
      tokens[token]?.number = 0
    }
    let seconds = Int(behaviour.tokenLifetime.components.seconds)
    var answer: JSON = [
      "token_type": "Bearer", "scope": .string(scope),
      "expires_in": behaviour.expiresInIsText ? .string(String(seconds)) : JSON(seconds),
      "ext_expires_in": behaviour.expiresInIsText ? .string(String(seconds)) : JSON(seconds),
      "access_token": .string(token),
    ]
    if let refreshToken = identity.refreshToken {
      answer["refresh_token"] = .string("\(refreshToken).next\(number())")
    }
    if form["client_info"] == "1" {
      let info: JSON = ["uid": .string(identity.objectID), "utid": .string(tenant.id)]
      answer["client_info"] = .string(base64URL(info.encoded))
    }
    return HTTPServerResponse(200, answer)
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
