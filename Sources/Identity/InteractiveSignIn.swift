import FoundationEssentials
package import Platform

/// Signs a person in, with the browser or with a code that is typed on another device, and keeps
/// the sign-in.
///
/// Only the verb `login` comes here: nothing else opens a browser.
package struct InteractiveSignIn: Sendable {
  /// What is wanted.
  package struct Wish: Sendable {
    /// The tenant to sign in to; nil is the person's own.
    package var tenant: String?
    /// Who shall sign in, as far as it is known.
    package var username: String?
    /// A claims challenge that the sign-in has to meet.
    package var claims: String?
    /// The application that signs in; az's by default, which needs no consent anywhere.
    package var clientID: String

    package init(
      tenant: String? = nil, username: String? = nil, claims: String? = nil,
      clientID: String? = nil
    ) {
      self.tenant = tenant
      self.username = username
      self.claims = claims
      self.clientID = clientID ?? AzureCLITokenCache.clientID
    }
  }

  let context: CredentialContext
  let accounts: AccountStore
  let tokens: TokenStore

  package init(context: CredentialContext, accounts: AccountStore, tokens: TokenStore) {
    self.context = context
    self.accounts = accounts
    self.tokens = tokens
  }

  // MARK: With the browser

  /// Opens the browser and waits until it comes back.
  ///
  /// - Parameter patience: how long that may take.
  package func signInWithBrowser(
    _ wish: Wish, _ browser: Browser, patience: Duration = .seconds(300)
  ) async throws(Failure) -> (account: Account, token: AccessToken) {
    let subject = try subject(of: wish)
    let endpoint = context.tokenEndpoint
    let receiver: LoopbackReceiver
    do {
      receiver = try LoopbackReceiver()
    } catch {
      throw Failure(
        .systemFailed, what: "no port of this machine can be listened on for the browser",
        why: "\(error)", next: "jitconnect login --device-code")
    }
    defer { receiver.close() }
    let secrets = AuthorizationSecrets()
    // Literally localhost, and no path: what is registered with az's application.
    let redirect = "http://localhost:\(receiver.port)"
    var query = FormBody()
    query.append("client_id", wish.clientID)
    query.append("response_type", "code")
    query.append("redirect_uri", redirect)
    query.append("scope", context.cloud.tokenScope + TokenEndpoint.personScopes)
    query.append("state", secrets.state)
    query.append("code_challenge", secrets.challenge)
    query.append("code_challenge_method", "S256")
    query.append("nonce", secrets.nonce)
    query.append("client_info", "1")
    query.append("prompt", "select_account")
    // The code comes in a form, so that it is in no address and no history.
    query.append("response_mode", "form_post")
    if let username = wish.username { query.append("login_hint", username) }
    try endpoint.addClaims(wish.claims, to: &query)
    let url =
      try endpoint.url("authorize", tenant: subject.tenant) + "?"
      + String(decoding: query.encoded(), as: UTF8.self)
    try browser.open(url)

    let code: SecretBytes
    switch try await receiver.receive(state: secrets.state, within: patience) {
    case .code(let given): code = given
    case .refusal(let refusal):
      throw .signIn(refusal, status: nil, subject: subject)
    }
    var form = FormBody()
    form.append("grant_type", "authorization_code")
    form.append("code", secret: code)
    form.append("redirect_uri", redirect)
    form.append("code_verifier", secret: secrets.verifier)
    form.append("client_info", "1")
    let request = TokenRequest(scope: context.cloud.tokenScope, claims: wish.claims)
    let answer = try await endpoint.answer(
      to: form, subject: subject, request: request, isPerson: true)
    return try await keep(answer, wish, nonce: secrets.nonce)
  }

  // MARK: With a device code

  private struct DeviceCode: Decodable, Sendable {
    var device_code: String
    var user_code: String?
    var verification_uri: String?
    var message: String?
    var expires_in: LooseNumber?
    var interval: LooseNumber?

    /// Numbers of the server, held within reason.
    func seconds(_ number: LooseNumber?, _ fallback: Double, in range: ClosedRange<Double>)
      -> Double
    {
      guard let value = number?.value, value.isFinite else { return fallback }
      return min(max(value, range.lowerBound), range.upperBound)
    }
  }

  /// Shows a code and waits until somebody has typed it elsewhere.
  ///
  /// - Parameter tell: what the person has to do; it must be shown whatever else is silent.
  package func signInWithDeviceCode(
    _ wish: Wish, tell: @Sendable (String) -> Void
  ) async throws(Failure) -> (account: Account, token: AccessToken) {
    let subject = try subject(of: wish)
    let endpoint = context.tokenEndpoint
    var form = FormBody()
    form.append("scope", context.cloud.tokenScope + TokenEndpoint.personScopes)
    try endpoint.addClaims(wish.claims, to: &form)
    let code: DeviceCode
    switch try await endpoint.reply(
      from: "devicecode", to: form, subject: subject, as: DeviceCode.self,
      problem: { TokenAnswer.isToken($0.device_code) ? nil : "the answer holds no device code" })
    {
    case .answer(let answer): code = answer
    case .refused(_, let failure): throw failure
    }
    tell(
      code.message ?? "open \(code.verification_uri ?? "the sign-in page") and enter the code "
        + (code.user_code ?? ""))

    var interval = code.seconds(code.interval, 5, in: 1...60)
    let end = context.clock.now()
      .addingTimeInterval(code.seconds(code.expires_in, 900, in: 1...3600))
    while context.clock.now() < end, !Task.isCancelled {
      await context.sleep(.milliseconds(Int(interval * 1000)))
      if Task.isCancelled { break }
      switch try await poll(code, wish, subject) {
      case .answer(let answer): return try await keep(answer, wish, nonce: nil)
      case .refused(let refusal, let failure):
        switch refusal.error {
        case "authorization_pending": break
        case "slow_down": interval += 5
        default: throw failure
        }
      case nil: break
      }
    }
    throw Failure(
      .signInNeeded, what: "the device code was not used in time", next: "jitconnect login")
  }

  /// One look whether the code has been typed; nil where the network failed, which the next look
  /// may not meet.
  private func poll(
    _ code: DeviceCode, _ wish: Wish, _ subject: SignInSubject
  ) async throws(Failure) -> TokenEndpoint.Reply<TokenAnswer>? {
    var form = FormBody()
    form.append("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
    form.append("device_code", secret: SecretBytes(Array(code.device_code.utf8)))
    form.append("scope", context.cloud.tokenScope + TokenEndpoint.personScopes)
    form.append("client_info", "1")
    try context.tokenEndpoint.addClaims(wish.claims, to: &form)
    do {
      return try await context.tokenEndpoint.tokenReply(to: form, subject: subject)
    } catch {
      guard [.networkFailed, .azureUnavailable, .azureThrottled].contains(error.code) else {
        throw error
      }
      return nil
    }
  }

  // MARK: The outcome

  private func subject(of wish: Wish) throws(Failure) -> SignInSubject {
    SignInSubject(
      kind: .ownLogin, credential: LoginCredential.name,
      account: wish.username.map { printable($0, limit: 100) } ?? "you", clientID: wish.clientID,
      tenant: try TenantName.checked(wish.tenant ?? AccountStore.anyTenant),
      scope: context.cloud.tokenScope, claims: wish.claims, cloud: context.cloud.argument)
  }

  private struct ClientInfo: Decodable {
    var uid: String
    var utid: String
  }

  /// - Parameter nonce: what the id token must repeat.
  private func keep(
    _ answer: TokenAnswer, _ wish: Wish, nonce: String?
  ) async throws(Failure) -> (account: Account, token: AccessToken) {
    // It came over TLS from the login server itself: its signature says nothing more.
    guard let refresh = answer.refreshToken, TokenAnswer.isToken(refresh),
      let claims = answer.idToken.flatMap({ TokenClaims(token: $0) }),
      let tenant = claims.tid, TenantName.isValid(tenant), claims.aud == wish.clientID,
      nonce == nil || claims.nonce == nonce, let username = claims.username ?? claims.oid
    else {
      throw Failure(
        .azureAnswerInvalid, what: "\(LoginCredential.name): the sign-in cannot be kept",
        why: "the answer does not say who signed in where, or holds no refresh token",
        next: "jitconnect login --device-code, or: az login")
    }
    if let wanted = wish.username, wanted.lowercased() != username.lowercased() {
      let (shown, other) = (printable(wanted, limit: 100), printable(username, limit: 100))
      throw Failure(
        .signInRefused, what: "\(other) has signed in, not \(shown)",
        why: "--identity asks for \(shown), and nothing of \(other) is kept",
        next: "choose \(shown) on the sign-in page, or: jitconnect login --identity \(other)")
    }
    var id = "\(claims.oid ?? username).\(tenant)"
    if let text = answer.clientInfo, let data = bytes(base64: text),
      let info = try? JSONDecoder().decode(ClientInfo.self, from: Data(data))
    {
      id = "\(info.uid).\(info.utid)"
    }
    let account = Account(
      id: printable(id, limit: 200), username: printable(username, limit: 200),
      cloud: context.cloud.storeKey, clientID: wish.clientID, tenants: [tenant.lowercased()])
    let token = try answer.token(
      now: context.clock.now(), tenant: tenant, source: LoginCredential.name,
      account: account.username)
    try await accounts.add(account, refreshToken: SecretBytes(Array(refresh.utf8)))
    try await tokens.keep(
      token,
      for: TokenStore.Key(
        cloud: context.cloud, tenant: tenant.lowercased(), credential: account.storeName,
        scope: context.cloud.tokenScope),
      isWanted: { [accounts] in accounts.contains(account) })
    return (account, token)
  }
}
