import Platform

/// Our own sign-in, made with `jitconnect login`: its refresh token gives access tokens, and nothing
/// here ever opens a browser.
struct LoginCredential: Credential {
  /// The Azure SDKs' name of a sign-in with the browser; one with a device code is kept in the same
  /// place.
  static let name = "InteractiveBrowserCredential"

  let store: AccountStore
  /// Whose sign-in serves, in order of preference; never empty.
  let accounts: [Account]
  let first: Account
  let context: CredentialContext

  var name: String { Self.name }

  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    guard let store = context.accounts else { return .absent("sign-ins are not kept here") }
    let accounts = store.accounts(in: context.cloud)
    if let wanted = context.account {
      guard let account = accounts.first(where: { $0.isNamed(wanted) }) else {
        throw Failure(
          .signInNeeded,
          what: "\(printable(wanted, limit: 100)) is not signed in to \(context.cloud.name)",
          why: accounts.isEmpty
            ? "nobody is"
            : "signed in: "
              + accounts.map { printable($0.username, limit: 100) }.joined(separator: ", "),
          next: SignInSubject.ownLogin(
            tenant: nil, cloud: context.cloud.argument, claims: nil))
      }
      return .ready(
        LoginCredential(store: store, accounts: [account], first: account, context: context))
    }
    guard let first = accounts.first else {
      return .absent("nobody has signed in with jitconnect login")
    }
    return .ready(
      LoginCredential(store: store, accounts: accounts, first: first, context: context))
  }

  /// The account for a tenant: the last one that signed in to it, else the last one of all, who may
  /// be a guest there.
  private func account(for request: TokenRequest) -> Account {
    guard let tenant = request.tenant?.lowercased() else { return first }
    return accounts.first { $0.tenants.contains { $0.lowercased() == tenant } } ?? first
  }

  var tenants: [String] {
    accounts.flatMap(\.tenants).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    let account = account(for: request)
    return StoreIdentity(
      credential: account.storeName, tenant: (request.tenant ?? account.tenant).lowercased(),
      isWanted: { [store] in store.contains(account) })
  }

  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken {
    let account = account(for: request)
    do {
      return try await redeem(request, account)
    } catch {
      throw .failed(error)
    }
  }

  private func redeem(
    _ request: TokenRequest, _ account: Account
  ) async throws(Failure) -> AccessToken {
    let tenant = request.tenant ?? account.tenant
    let username = printable(account.username, limit: 100)
    guard let refresh = try await store.refreshToken(of: account) else {
      throw Failure(
        .signInNeeded, what: "\(name): the sign-in of \(username) is not in this token store",
        why: "it was made with another value of JitTokenStore, or the keyring lost it",
        next: SignInSubject.ownLogin(
          tenant: tenant, cloud: context.cloud.argument, claims: request.claims))
    }
    var form = FormBody()
    form.append("grant_type", "refresh_token")
    form.append("client_info", "1")
    form.append("refresh_token", secret: refresh)
    let subject = SignInSubject(
      kind: .ownLogin, credential: name, account: username, clientID: account.clientID,
      tenant: tenant, scope: request.scope, claims: request.claims,
      cloud: context.cloud.argument)
    let answer = try await context.tokenEndpoint.answer(
      to: form, subject: subject, request: request, isPerson: true)
    if let next = answer.refreshToken, TokenAnswer.isToken(next) {
      await store.renew(account, replacing: refresh, with: SecretBytes(Array(next.utf8)))
    }
    return try answer.token(
      now: context.clock.now(), tenant: tenant, source: name, account: account.username)
  }
}
