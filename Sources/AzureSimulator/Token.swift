/// An access token that was issued.
struct Token: Sendable {
  var number: Int
  var identity: String
  var tenant: String
  var audience: String
  var expires: Instant
  /// It was asked for by a client that handles claims challenges.
  var declaredCP1: Bool
  /// The `claims` it was asked with.
  var claims: String?
}

extension World {
  /// Issues a token in the shape of a JWT; it is known by its text, its signature means nothing.
  ///
  /// Its life is counted on the machine's clock, which is also the client's: moving the simulated
  /// clock must end windows, not sign-ins.
  mutating func issueToken(
    to identity: SimulatedIdentity, tenant: String, audience: String, claims: String? = nil,
    lifetime: Duration? = nil
  ) -> String {
    let number = number()
    let issued = Instant.machineNow()
    let expires = issued + (lifetime ?? behaviour.tokenLifetime)
    var payload: JSON = [
      "aud": .string(audience), "iss": .string("https://sts.windows.net/\(tenant)/"),
      "iat": JSON(Int(issued.seconds)), "nbf": JSON(Int(issued.seconds)),
      "exp": JSON(Int(expires.seconds)), "oid": .string(identity.objectID),
      "tid": .string(tenant), "uti": .string(Identifiers.guid("token \(number)")),
    ]
    payload[identity.isPerson ? "upn" : "appid"] = .string(identity.name)
    let text = webToken(payload, seed: "signature \(number)")
    signIn.secrets.insert(text)
    tokens[text] = Token(
      number: number, identity: identity.name, tenant: tenant, audience: audience,
      expires: expires, declaredCP1: claims?.lowercased().contains("cp1") ?? false, claims: claims)
    return text
  }

  /// A payload in the shape of a JWT.
  func webToken(_ payload: JSON, seed: String) -> String {
    let header: JSON = ["typ": "JWT", "alg": "RS256", "kid": "simulator"]
    let signature = Identifiers.hexadecimal(Identifiers.hash(seed))
    return base64URL(header.encoded) + "." + base64URL(payload.encoded) + "."
      + base64URL(Array(signature.utf8))
  }

  /// Who calls, from the `Authorization` header.
  func authenticate(_ request: HTTPServerRequest) throws(AzureError) -> Caller {
    guard let header = request.header("authorization") else {
      throw challenge(
        AzureError(
          401, "AuthenticationFailed",
          "Authentication failed. The 'Authorization' header is missing."))
    }
    guard header.hasPrefix("Bearer "), let token = tokens[String(header.dropFirst(7))],
      let identity = identity(named: token.identity)
    else {
      throw challenge(
        AzureError(401, "InvalidAuthenticationToken", "The access token is invalid."))
    }
    let now = Instant.machineNow()
    guard token.expires > now else {
      throw challenge(
        AzureError(
          401, "ExpiredAuthenticationToken",
          "The access token expiry UTC time '\(token.expires.americanText)' is earlier than "
            + "current UTC time '\(now.americanText)'."))
    }
    let accepted = ["https://management.core.windows.net", "https://management.azure.com"]
    let audience =
      token.audience.hasSuffix("/") ? String(token.audience.dropLast()) : token.audience
    guard accepted.contains(audience) else {
      throw challenge(
        AzureError(
          401, "InvalidAuthenticationTokenAudience",
          "The access token has been obtained for wrong audience or resource '\(token.audience)'. "
            + "It should exactly match with one of the allowed audiences "
            + "'https://management.core.windows.net/','https://management.azure.com/'."))
    }
    if let revocation, token.number < revocation.since {
      throw claimsChallenge(
        revocation.claims, generic: revocation.generic, declared: token.declaredCP1)
    }
    return Caller(identity: identity, tenant: token.tenant)
  }

  /// 401 with a claims challenge, which only a client that declared CP1 is given.
  func claimsChallenge(_ claims: String, generic: Bool, declared: Bool = true) -> AzureError {
    var error = AzureError(401, "InvalidAuthenticationToken", "The access token is invalid.")
    guard declared else { return challenge(error) }
    let encoded = base64(Array(claims.utf8))
    let code = generic ? "insufficient_claims" : "invalid_token"
    let text = generic ? "" : "error_description=\"User session has been revoked\", "
    error.headers.append(
      (
        "WWW-Authenticate",
        "Bearer realm=\"\", authorization_uri=\"\(authorizeURL(configuration.tenants.first?.id))\", "
          + "error=\"\(code)\", \(text)claims=\"\(encoded)\""
      ))
    return error
  }

  func challenge(_ error: AzureError, tenant: String? = nil) -> AzureError {
    var copy = error
    let tenant = tenant ?? configuration.tenants.first?.id
    copy.headers.append(
      (
        "WWW-Authenticate",
        "Bearer authorization_uri=\"\(authorizeURL(tenant))\", error=\"invalid_token\", "
          + "error_description=\"\(error.message)\""
      ))
    return copy
  }

  private func authorizeURL(_ tenant: String?) -> String {
    loginURL + (tenant ?? "common")
  }
}

/// Who makes a call.
struct Caller: Sendable {
  var identity: SimulatedIdentity
  var tenant: String

  /// Whether some grant at or above the scope allows the action.
  func may(_ action: String, on scope: String) -> Bool {
    let scope = scope.lowercased()
    return identity.grants.contains { grant in
      let granted = grant.scope.lowercased()
      guard granted == "/" || scope == granted || scope.hasPrefix(granted + "/") else {
        return false
      }
      return grant.actions.contains { Caller.matches(action, pattern: $0) }
        && !grant.notActions.contains { Caller.matches(action, pattern: $0) }
    }
  }

  func require(_ action: String, on scope: String) throws(AzureError) {
    guard may(action, on: scope) else { throw .forbidden(identity, action, scope) }
  }

  /// `*` stands for any run of characters, slashes too; letter case does not matter.
  static func matches(_ action: String, pattern: String) -> Bool {
    let action = Array(action.lowercased().utf8)
    let parts = pattern.lowercased().utf8.split(
      separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last else { return false }
    if parts.count == 1 { return action.elementsEqual(first) }
    guard action.starts(with: first), action.reversed().starts(with: last.reversed()),
      action.count >= first.count + last.count
    else { return false }
    var rest = action[first.count..<(action.count - last.count)]
    for part in parts.dropFirst().dropLast() {
      guard let range = rest.firstRange(of: Array(part)) else { return false }
      rest = rest[range.upperBound...]
    }
    return true
  }
}
