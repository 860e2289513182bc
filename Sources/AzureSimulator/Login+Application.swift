/// Applications: a secret, a certificate, or a token of another issuer.
extension World {
  mutating func clientCredentials(
    _ form: [String: String], tenant: SimulatedTenant, named name: String
  ) -> HTTPServerResponse {
    if ["organizations", "common", "consumers"].contains(name) {
      return refusal(
        "unauthorized_client", 53_000,
        "Application-only tokens need a concrete tenant, not '\(name)'.")
    }
    if form["client_secret"] == nil, form["client_assertion"] == nil {
      return refusal(
        "invalid_client", 7_000_216,
        "The request body must contain the following parameter: 'client_assertion' or "
          + "'client_secret'.")
    }
    if let refused = refusalOfFields(
      form, needed: ["client_id", "scope"],
      allowed: form["client_assertion"] == nil
        ? ["client_secret"] : ["client_assertion", "client_assertion_type"])
    {
      return refused
    }
    let clientID = form["client_id"] ?? ""
    guard
      let identity = configuration.identities.first(where: {
        $0.name == clientID.lowercased() && !$0.isPerson && $0.tenants.contains(tenant.id)
      })
    else {
      return refusal(
        "unauthorized_client", 700_016,
        "Application with identifier '\(clientID)' was not found in the directory "
          + "'\(tenant.displayName)'. This can happen if the application has not been installed by "
          + "the administrator of the tenant or consented to by any user in the tenant.")
    }
    if let assertion = form["client_assertion"] {
      if let refused = refusalOfAssertion(assertion, form, identity, authority: name) {
        return refused
      }
    } else {
      guard form["client_secret"] == identity.secret else {
        return refusal(
          "invalid_client", 7_000_215,
          "Invalid client secret provided. Ensure the secret being sent in the request is the "
            + "client secret value, not the client secret ID, for a secret added to app "
            + "'\(clientID)'.",
          status: 401)
      }
      if identity.secretExpired {
        return refusal(
          "invalid_client", 7_000_222,
          "The provided client secret keys for app '\(clientID)' are expired. Visit the Azure "
            + "portal to create new keys for your app.", status: 401)
      }
    }
    return grant(form, to: identity, tenant: tenant)
  }

  private mutating func refusalOfAssertion(
    _ assertion: String, _ form: [String: String], _ identity: SimulatedIdentity,
    authority: String
  ) -> HTTPServerResponse? {
    guard
      form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    else {
      return refusal("invalid_request", 900_144, "The client_assertion_type is not valid.")
    }
    if let foreign = signIn.foreignTokens[assertion] {
      return refusalOfFederation(foreign, identity)
    }
    guard let parts = WebTokenParts(assertion) else {
      return refusal("invalid_client", 50_027, "Invalid JWT token.", status: 401)
    }
    if let problem = certificateProblem(parts, identity) {
      return refusal(
        "invalid_client", 700_027,
        "The certificate with identifier used to sign the client "
          + "assertion is not registered on application. \(problem)", status: 401)
    }
    let audience = "\(loginURL)\(authority)/oauth2/v2.0/token"
    guard parts.payload["aud"]?.text?.lowercased() == audience,
      parts.payload["iss"]?.text == identity.name, parts.payload["sub"]?.text == identity.name
    else {
      return refusal(
        "invalid_client", 700_021,
        "Client assertion application identifier doesn't match "
          + "'client_id' parameter, or its audience is not '\(audience)'.", status: 401)
    }
    let now = Int(Instant.machineNow().seconds)
    guard let begin = parts.payload["nbf"]?.integer, let end = parts.payload["exp"]?.integer,
      begin <= now + 300, end > now, end - begin <= 600
    else {
      return refusal(
        "invalid_client", 700_024,
        "Client assertion is not within its valid time range.", status: 401)
    }
    guard let id = parts.payload["jti"]?.text, !id.isEmpty,
      signIn.usedAssertions.insert(id).inserted
    else {
      return refusal(
        "invalid_client", 50_012, "The client assertion was used before.", status: 401)
    }
    return nil
  }

  /// What is wrong with an assertion's header or signature; nil where nothing is.
  private func certificateProblem(
    _ parts: WebTokenParts, _ identity: SimulatedIdentity
  ) -> String? {
    guard parts.header["typ"] == "JWT", parts.header["alg"] == "PS256" else {
      return "The algorithm is not PS256."
    }
    guard let thumbprint = parts.header["x5t#S256"]?.text else { return "x5t#S256 is missing." }
    var certificate: CertificateCheck?
    if let chain = parts.header["x5c"]?.elements {
      guard let sent = chain.first?.text.flatMap(CertificateCheck.init(base64:)),
        let trust = identity.trustedSubject,
        let issuer = CertificateCheck(pem: trust.issuer)
      else { return "x5c is not accepted." }
      guard sent.commonName == trust.subject, sent.isSigned(by: issuer) else {
        return "The certificate's subject or issuer is not trusted."
      }
      certificate = sent
    } else {
      certificate = identity.certificates.lazy.compactMap { CertificateCheck(pem: $0) }
        .first { base64URL($0.thumbprint) == thumbprint }
    }
    guard let certificate, base64URL(certificate.thumbprint) == thumbprint else {
      return "Thumbprint of key used by client: '\(thumbprint)'."
    }
    guard certificate.verifies(parts.signature, over: parts.signed) else {
      return "The signature does not verify."
    }
    return nil
  }

  private mutating func refusalOfFederation(
    _ token: SignInState.ForeignToken, _ identity: SimulatedIdentity
  ) -> HTTPServerResponse? {
    guard token.expires > Instant.machineNow() else {
      return refusal(
        "invalid_client", 700_024,
        "Client assertion is not within its valid time range.", status: 401)
    }
    let trust = identity.federated
    if !trust.contains(where: { $0.issuer == token.issuer }) {
      return refusal(
        "invalid_client", 700_211,
        "No matching federated identity record found for presented assertion issuer.", status: 401)
    }
    if !trust.contains(where: { $0.subject == token.subject }) {
      return refusal(
        "invalid_client", 700_213,
        "No matching federated identity record found for presented assertion subject.", status: 401)
    }
    if !trust.contains(where: { $0.audience == token.audience }) {
      return refusal(
        "invalid_client", 700_212,
        "No matching federated identity record found for presented assertion audience.",
        status: 401)
    }
    return nil
  }
}
