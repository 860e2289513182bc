/// People: the browser, the device code, the refresh token.
extension World {
  // MARK: The browser

  /// What the browser gets: the page that posts the answer back at once, as the person would after
  /// typing.
  mutating func authorize(_ request: HTTPServerRequest, authority: String) -> HTTPServerResponse {
    guard request.method == "GET", Set(request.query.map(\.name)).count == request.query.count,
      let tenant = tenant(named: authority)
    else { return HTTPServerResponse(400, text: "AADSTS90002: no such tenant\n") }
    let form = Dictionary(request.query.map { ($0.name, $0.value) }) { first, _ in first }
    guard let clientID = form["client_id"]?.lowercased(),
      configuration.publicClients.contains(clientID)
    else { return HTTPServerResponse(400, text: "AADSTS700016: unknown application\n") }
    guard let redirect = form["redirect_uri"], Self.isLoopbackRedirect(redirect) else {
      return HTTPServerResponse(400, text: "AADSTS50011: the redirect URI is not registered\n")
    }
    var answer = ["state": form["state"] ?? ""]
    if let problem = authorizeProblem(form, tenant) {
      answer["error"] = problem.error
      answer["error_description"] = "AADSTS\(problem.code): \(problem.text)"
    } else if let refused = behaviour.authorizeRefusal {
      answer["error"] = refused.error
      answer["error_description"] =
        "AADSTS\(refused.code): <b>The simulated refusal.</b> Trace ID: x"
    } else if let person = personAtBrowser(hint: form["login_hint"]) {
      let code = "0.A" + Identifiers.guid("code \(number())") + Identifiers.guid("\(nextNumber)")
      signIn.secrets.insert(code)
      signIn.codes[code] = SignInState.Code(
        identity: person.name, authority: authority, clientID: clientID, redirect: redirect,
        challenge: form["code_challenge"] ?? "", nonce: form["nonce"] ?? "",
        expires: Instant.machineNow() + behaviour.codeLifetime)
      answer["code"] = code
      answer["session_state"] = Identifiers.guid("session")
      answer["client_info"] = "e30"
    } else {
      answer["error"] = "login_required"
      answer["error_description"] = "AADSTS50058: nobody is signed in."
    }
    let fields = answer.sorted { $0.key < $1.key }.map {
      "<input type=\"hidden\" name=\"\($0.key)\" value=\"\(Self.escaped($0.value))\">"
    }
    return HTTPServerResponse(
      200,
      text: "<html><body onload=\"document.forms[0].submit()\"><form method=\"post\" "
        + "action=\"\(Self.escaped(redirect))\">\n\(fields.joined(separator: "\n"))\n"
        + "</form></body></html>\n", type: "text/html")
  }

  private mutating func authorizeProblem(
    _ form: [String: String], _ tenant: SimulatedTenant
  ) -> (error: String, code: Int, text: String)? {
    func bad(_ text: String) -> (String, Int, String) { ("invalid_request", 900_144, text) }
    let known: Set = [
      "client_id", "response_type", "redirect_uri", "scope", "state", "code_challenge",
      "code_challenge_method", "nonce", "client_info", "prompt", "response_mode", "claims",
      "login_hint", "domain_hint",
    ]
    if let odd = form.keys.sorted().first(where: { !known.contains($0) }) {
      return bad("The parameter '\(odd)' is not expected.")
    }
    guard form["response_type"] == "code", form["response_mode"] == "form_post" else {
      return bad("response_type or response_mode")
    }
    guard form["code_challenge_method"] == "S256", form["code_challenge"]?.utf8.count == 43 else {
      return ("invalid_request", 501_481, "The code challenge is missing or not valid.")
    }
    guard (form["state"] ?? "").utf8.count >= 20, (form["nonce"] ?? "").utf8.count >= 20 else {
      return bad("state or nonce")
    }
    let scopes = Set((form["scope"] ?? "").split(separator: " ").map(String.init))
    guard scopes.isSuperset(of: Self.personScopes) else { return bad("scope") }
    if case .failure = resourceScope(
      form["scope"] ?? "", extra: Self.personScopes, tenant: tenant)
    {
      return ("invalid_resource", 500_011, "The resource principal was not found.")
    }
    if let claims = form["claims"], (try? JSON(parsing: Array(claims.utf8)))?.members == nil {
      return bad("claims")
    }
    return nil
  }

  private func personAtBrowser(hint: String?) -> SimulatedIdentity? {
    let people = configuration.identities.filter(\.isPerson)
    if let hint { return people.first { $0.name.lowercased() == hint.lowercased() } }
    return behaviour.personAtBrowser.flatMap { identity(named: $0) } ?? people.first
  }

  /// `http://localhost` with any port and no path, as registered.
  private static func isLoopbackRedirect(_ text: String) -> Bool {
    guard text.hasPrefix("http://localhost") else { return false }
    let rest = text.dropFirst("http://localhost".count)
    return rest.isEmpty || (rest.first == ":" && UInt16(rest.dropFirst()) != nil)
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;")
      .replacing("<", with: "&lt;")
  }

  mutating func redeemCode(_ form: [String: String], authority: String) -> HTTPServerResponse {
    if let refused = refusalOfFields(
      form, needed: ["client_id", "code", "redirect_uri", "code_verifier", "scope"], allowed: [])
      ?? refusalOfPublicClient(form)
    {
      return refused
    }
    guard let text = form["code"], let code = signIn.codes[text],
      code.clientID == form["client_id"]?.lowercased()
    else {
      return refusal(
        "invalid_grant", 70_000, "Provided grant is invalid or malformed.")
    }
    guard !code.isUsed else {
      return refusal(
        "invalid_grant", 54_005,
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code.")
    }
    guard code.expires > Instant.machineNow() else {
      return refusal(
        "invalid_grant", 70_008, "The provided authorization code has expired.")
    }
    guard code.authority == authority else {
      return refusal(
        "invalid_grant", 700_005,
        "Provided Authorization Code is intended to use against other tenant, thus rejected.")
    }
    guard code.redirect == form["redirect_uri"] else {
      return refusal(
        "invalid_client", 50_011, "The redirect URI does not match the one of the code.")
    }
    let verifier = form["code_verifier"] ?? ""
    guard (43...128).contains(verifier.utf8.count),
      base64URL(CertificateCheck.sha256(Array(verifier.utf8))) == code.challenge
    else {
      return refusal(
        "invalid_grant", 501_481,
        "The Code_Verifier does not match the code_challenge supplied in the authorization "
          + "request.")
    }
    signIn.codes[text]?.isUsed = true
    return grantToPerson(
      form, named: code.identity, authority: authority, nonce: code.nonce)
  }

  // MARK: The device code

  mutating func deviceCode(_ form: [String: String], authority: String) -> HTTPServerResponse {
    if let refused = refusalOfFields(form, needed: ["client_id", "scope"], allowed: [])
      ?? refusalOfPublicClient(form)
    {
      return refused
    }
    let code = "D" + Identifiers.guid("device \(number())") + Identifiers.guid("\(nextNumber)")
    signIn.secrets.insert(code)
    signIn.deviceCodes[code] = SignInState.DeviceCode(
      clientID: form["client_id"]?.lowercased() ?? "", authority: authority,
      expires: Instant.machineNow() + behaviour.codeLifetime)
    return HTTPServerResponse(
      200,
      [
        "user_code": "SIMULATE1", "device_code": .string(code),
        "verification_uri": .string(loginURL + "device"),
        "expires_in": JSON(Int(behaviour.codeLifetime.components.seconds)), "interval": 1,
        "message": .string(
          "To sign in, use a web browser to open the page \(loginURL)device and enter the code "
            + "SIMULATE1 to authenticate."),
      ])
  }

  mutating func redeemDeviceCode(
    _ form: [String: String], authority: String
  ) -> HTTPServerResponse {
    if let refused = refusalOfFields(
      form, needed: ["client_id", "device_code"], allowed: ["scope", "code"])
      ?? refusalOfPublicClient(form)
    {
      return refused
    }
    guard let text = form["device_code"], let code = signIn.deviceCodes[text],
      code.clientID == form["client_id"]?.lowercased(), code.authority == authority, !code.isUsed
    else {
      return refusal("bad_verification_code", 70_018, "Bad verification code.")
    }
    guard code.expires > Instant.machineNow() else {
      return refusal("expired_token", 70_019, "Verification code expired.")
    }
    if !behaviour.deviceCodeAnswers.isEmpty {
      switch behaviour.deviceCodeAnswers.removeFirst() {
      case "authorization_declined":
        return refusal("authorization_declined", 65_004, "User declined to consent.")
      case "expired_token": return refusal("expired_token", 70_019, "Verification code expired.")
      case let error: return refusal(error, 70_016, "The user has not entered the code yet.")
      }
    }
    guard let person = personAtBrowser(hint: nil) else {
      return refusal("authorization_pending", 70_016, "The user has not entered the code yet.")
    }
    signIn.deviceCodes[text]?.isUsed = true
    return grantToPerson(form, named: person.name, authority: authority, nonce: nil)
  }

  // MARK: The refresh token

  mutating func refresh(
    _ form: [String: String], tenant: SimulatedTenant
  ) -> HTTPServerResponse {
    if let refused = refusalOfFields(
      form, needed: ["client_id", "refresh_token", "scope"],
      allowed: ["client_secret", "client_assertion"]) ?? refusalOfPublicClient(form)
    {
      return refused
    }
    let text = form["refresh_token"] ?? ""
    let clientID = form["client_id"]?.lowercased() ?? ""
    let issued = signIn.refreshTokens[text]
    guard
      let identity = configuration.identities.first(where: {
        $0.isPerson
          && (issued.map { [$0.identity, $0.clientID] } == [$0.name, clientID]
            || (text == $0.refreshToken && $0.refreshClientID == clientID))
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
    if let demand = behaviour.refreshDemands, form["claims"]?.contains(demand.claims) != true {
      return refusal(demand.error, demand.code, "The simulated demand.")
    }
    return grant(form, to: identity, tenant: tenant, person: (clientID, nil))
  }

  private mutating func refusalOfPublicClient(_ form: [String: String]) -> HTTPServerResponse? {
    if form["client_secret"] != nil || form["client_assertion"] != nil {
      return refusal(
        "invalid_client", 700_025,
        "Client is public so neither 'client_assertion' nor "
          + "'client_secret' should be presented.", status: 401)
    }
    guard form["grant_type"] != "refresh_token",
      !configuration.publicClients.contains(form["client_id"]?.lowercased() ?? "")
    else { return nil }
    return refusal(
      "unauthorized_client", 700_016, "Application was not found in the directory.")
  }

  /// `organizations` is the person's own tenant.
  private mutating func grantToPerson(
    _ form: [String: String], named name: String, authority: String, nonce: String?
  ) -> HTTPServerResponse {
    guard let person = identity(named: name) else {
      return refusal("invalid_grant", 50_034, "The user account does not exist.")
    }
    let home = configuration.tenants.first { $0.id == person.tenants.first }
    let isAny = ["organizations", "common"].contains(authority)
    guard let tenant = isAny ? home : tenant(named: authority), person.tenants.contains(tenant.id)
    else {
      return refusal(
        "invalid_grant", 50_020, "User account '\(name)' does not exist in the tenant.")
    }
    var form = form
    // A device code brings the scope of its first request; ours repeats it.
    form["scope"] = form["scope"] ?? "https://management.core.windows.net//.default"
    return grant(
      form, to: person, tenant: tenant,
      person: (form["client_id"]?.lowercased() ?? "", nonce))
  }
}
