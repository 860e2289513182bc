import FoundationEssentials
import Platform

/// The login that az keeps: read from its files without starting az, else asked from az itself.
struct AzureCLICredential: Credential {
  static let name = "AzureCLICredential"

  let folder: AzureCLIFolder
  let profile: AzureCLIProfile
  let context: CredentialContext

  var name: String { Self.name }

  static func find(in context: CredentialContext) async -> CredentialState {
    let folder = AzureCLIFolder(context.environment)
    guard let path = folder.path else {
      return .absent("there is no home folder to look for an az login in")
    }
    guard
      let profile = await AzureCLIProfile.read(
        in: folder, cloud: context.cloud.name, sleep: context.sleep)
    else {
      let reason = "az is not signed in to \(context.cloud.name) (looked in \(path))"
      return Files.kind(of: path + "/azureProfile.json") == nil
        ? .absent(reason) : .incomplete(reason)
    }
    return .ready(AzureCLICredential(folder: folder, profile: profile, context: context))
  }

  var tenants: [String] { profile.tenants }

  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    let login = login(for: request)
    return StoreIdentity(
      credential: "\(name) "
        + sha256Hex(
          folder.path ?? "", "\(login.user.kind)", login.user.name.lowercased(),
          login.user.assignedIdentity ?? ""),
      tenant: login.tenant.lowercased(),
      // A machine's identity has one name on all machines, and the state folder may be another's.
      outlivesProcess: login.user.kind == .person || login.user.kind == .servicePrincipal)
  }

  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken {
    let login = login(for: request)
    switch login.user.kind {
    case .person: if let token = try await tokenFromFiles(request, login) { return token }
    case .servicePrincipal: if let token = await cachedToken(request, login) { return token }
    case .managedIdentity, .cloudShell:
      // az gets it from the machine, whatever login server the cloud names.
      guard context.cloud.mayReceiveTokens(ofIssuerAt: nil) else {
        throw .unavailable(
          "az's managed identity is for Azure: its tokens must not go to "
            + context.cloud.resourceManager)
      }
    }
    guard request.sshKey == nil else { throw .failed(.noCertificate(name)) }
    guard request.claims == nil else {
      throw .failed(
        Failure(
          .signInNeeded,
          what: "\(name): Azure asks \(printable(login.user.name, limit: 100)) for a new sign-in",
          why: "the az login's files hold nothing that could answer this",
          next: SignInSubject.azureCLILogin(
            tenant: login.tenant, scope: request.scope, claims: request.claims)))
    }
    return try await AzureCLIProcess(context: context, folder: folder).token(
      scope: request.scope, login: login)
  }

  /// Which of az's logins a request is for.
  struct Login: Sendable {
    var user: AzureCLIProfile.User
    var tenant: String
    /// The subscription that tells az user and tenant; nil where the tenant is not in az's profile.
    var subscription: String?

    func subject(scope: String, claims: String?) -> SignInSubject {
      let isApplication = user.kind == .servicePrincipal
      return SignInSubject(
        kind: .azureCLI, credential: AzureCLICredential.name,
        account: isApplication ? nil : printable(user.name, limit: 100),
        clientID: isApplication ? user.name : AzureCLITokenCache.clientID,
        tenant: tenant, scope: scope, claims: claims)
    }
  }

  private func login(for request: TokenRequest) -> Login {
    let named = [context.subscription, context.environment["AZURE_SUBSCRIPTION_ID"]].lazy
      .compactMap { $0.flatMap(profile.subscription) }.first
    let standard = named ?? profile.defaultSubscription ?? profile.subscriptions.first
    let fitting: AzureCLIProfile.Subscription? =
      if let tenant = request.tenant?.lowercased() {
        // The default's user, where it is in that tenant.
        profile.subscriptions.filter { $0.tenantID.lowercased() == tenant }.max {
          $0.user != standard?.user && $1.user == standard?.user
        }
      } else {
        standard
      }
    let user =
      (fitting ?? standard)?.user
      ?? AzureCLIProfile.User(kind: .person, name: "", assignedIdentity: nil)
    return Login(
      user: user, tenant: request.tenant ?? fitting?.tenantID ?? "organizations",
      subscription: fitting?.id)
  }

  // MARK: The files

  /// Nil where the files cannot say, so that az has to be asked.
  private func tokenFromFiles(
    _ request: TokenRequest, _ login: Login
  ) async throws(CredentialError) -> AccessToken? {
    guard canReadCache(),
      let cache = await folder.readJSON(
        "msal_token_cache.json", as: AzureCLITokenCache.self, sleep: context.sleep)
    else { return nil }
    let aliases = context.cloud.environmentAliases
    let home: String
    switch cache.person(named: login.user.name, aliases: aliases) {
    case .unknown: return nil
    case .one(let id): home = id
    case .several:
      throw .failed(
        Failure(
          .signInNeeded,
          what: "\(name): az holds two accounts named \(printable(login.user.name, limit: 100))",
          why: "which one is meant cannot be told",
          next: "az account clear, then az login --tenant \(login.tenant)"))
    }
    if let token = accessToken(in: cache, of: home, request, login) { return token }
    guard let refresh = cache.refreshToken(homeAccountID: home, aliases: aliases) else {
      return nil
    }
    do {
      return try await redeem(SecretBytes(Array(refresh.utf8)), request, login)
    } catch {
      throw .failed(error)
    }
  }

  /// The token that az got for an application; its secret stays az's.
  private func cachedToken(_ request: TokenRequest, _ login: Login) async -> AccessToken? {
    guard canReadCache(),
      let cache = await folder.readJSON(
        "msal_token_cache.json", as: AzureCLITokenCache.self, sleep: context.sleep)
    else { return nil }
    return accessToken(in: cache, of: nil, request, login)
  }

  private func accessToken(
    in cache: AzureCLITokenCache, of home: String?, _ request: TokenRequest, _ login: Login
  ) -> AccessToken? {
    guard request.claims == nil, request.sshKey == nil else { return nil }
    let scopes =
      context.cloud.tokenScopes.contains(request.scope)
      ? context.cloud.tokenScopes : [request.scope]
    let token = cache.accessToken(
      homeAccountID: home, clientID: home == nil ? login.user.name : AzureCLITokenCache.clientID,
      tenant: login.tenant, aliases: context.cloud.environmentAliases, scopes: scopes,
      now: context.clock.now())
    return token.map { token in
      AccessToken(
        secret: SecretBytes(Array(token.secret.utf8)), expiresOn: token.expiresOn,
        tenant: login.tenant, source: name, account: login.user.name)
    }
  }

  /// The cache is used only where this user alone can have written it.
  private func canReadCache() -> Bool {
    guard let folderPath = folder.path, folder.encryptsTokenCache != true else { return false }
    let path = folderPath + "/msal_token_cache.json"
    guard let kind = Files.kind(of: path, followingLinks: true), kind.isRegular else {
      return false
    }
    guard kind.owner == context.environment.userID, kind.mode & 0o022 == 0 else {
      context.warn("\(path) is not used: another user may have written it")
      return false
    }
    if kind.mode & 0o044 != 0 {
      context.warn("\(path) can be read by other users: chmod 600 \(path)")
    }
    return true
  }

  /// One POST.
  ///
  /// The refresh token that comes with the answer is dropped: the old one stays valid, and az's
  /// files are not ours to write.
  private func redeem(
    _ refresh: SecretBytes, _ request: TokenRequest, _ login: Login
  ) async throws(Failure) -> AccessToken {
    var form = FormBody()
    form.append("grant_type", "refresh_token")
    form.append("client_info", "1")
    form.append("refresh_token", secret: refresh)
    let subject = login.subject(scope: request.scope, claims: request.claims)
    let answer = try await context.tokenEndpoint.answer(
      to: form, subject: subject, request: request, isPerson: true)
    return try answer.token(
      now: context.clock.now(), tenant: login.tenant, source: name, account: login.user.name)
  }
}
