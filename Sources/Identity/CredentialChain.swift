package import Platform
import Synchronization

/// The credentials in their order; the first that is set up here gives the tokens.
///
/// A credential that cannot apply is passed over. One that is set up and refused stops the chain:
/// going on would act as somebody else than was configured.
package actor CredentialChain: TokenProvider {
  private let context: CredentialContext
  private let store: TokenStore
  private let selection: CredentialSelection
  private var running: [TokenRequest: Task<Result<AccessToken, Failure>, Never>] = [:]
  /// The credential that gave the first token gives all others, so that one run is one identity.
  private var chosen: (any Credential)?
  /// The first request, which chooses; those that come meanwhile wait for it.
  private var choosing: Task<Result<AccessToken, Failure>, Never>?

  /// - Parameter identity: the value of `--identity`, which goes before `AZURE_TOKEN_CREDENTIALS`.
  /// - Throws: `setting-invalid` for an unknown name, `not-built-in` for a known one that this
  ///   program lacks.
  package init(
    context: CredentialContext, store: TokenStore, identity: String? = nil
  ) throws(Failure) {
    var context = context
    let warn = context.warn
    let told = Mutex<Set<String>>([])
    // One run asks for several tokens; what is wrong with a file is said once.
    context.warn = { message in
      if told.withLock({ $0.insert(message).inserted }) { warn(message) }
    }
    self.store = store
    selection = try CredentialSelection(identity: identity, environment: context.environment)
    context.isChosen = selection.isOne
    context.account = selection.account
    self.context = context
  }

  /// The tenants that the credential is signed in to, the first choice first; empty where only a
  /// token tells.
  ///
  /// The credential is the one that gives the tokens: a first one that is set up here may yet turn
  /// out not to apply, and its tenants are then another's business. So a token is asked for, which
  /// whoever wants to know the tenants needs next.
  ///
  /// - Throws: what the request for that token threw, unless other tenants may yet be asked.
  package func tenants() async throws(Failure) -> [String] {
    if let chosen { return chosen.tenants }
    do {
      _ = try await token(for: TokenRequest(scope: context.cloud.tokenScope))
    } catch {
      guard let chosen, chosen.tenants.count > 1 else { throw error }
    }
    return chosen?.tenants ?? []
  }

  /// The first credential that is set up here, by its Azure SDK name; nil where none is.
  ///
  /// Nothing is asked of anybody.
  package func credentialName() async throws(Failure) -> String? { try await ready()?.name }

  private func ready() async throws(Failure) -> (any Credential)? {
    // The walk that is under way decides.
    if let choosing { _ = await choosing.value }
    if let chosen { return chosen }
    for row in selection.rows {
      if let find = row.find, case .ready(let credential) = try await find(context) {
        return chosen ?? credential
      }
    }
    return chosen
  }

  /// A token that lasts at least five more minutes; requests for the same one share one.
  package func token(for request: TokenRequest) async throws(Failure) -> AccessToken {
    if let task = running[request] { return try await task.value.get() }
    let task = Task { await self.result(of: request) }
    running[request] = task
    defer { running[request] = nil }
    return try await task.value.get()
  }

  private func result(of request: TokenRequest) async -> Result<AccessToken, Failure> {
    do {
      return .success(try await firstToken(for: request))
    } catch {
      return .failure(error)
    }
  }

  private func firstToken(for request: TokenRequest) async throws(Failure) -> AccessToken {
    if let tenant = request.tenant { _ = try TenantName.checked(tenant) }
    while true {
      if let chosen { return try await token(for: request, fromChosen: chosen) }
      guard let choosing else {
        let task = Task { await self.choice(for: request) }
        choosing = task
        return try await task.value.get()
      }
      // A walk that chose nobody leaves the choice to the next.
      _ = await choosing.value
    }
  }

  private func token(
    for request: TokenRequest, fromChosen credential: any Credential
  ) async throws(Failure) -> AccessToken {
    do {
      return try await token(for: request, from: credential)
    } catch {
      switch error {
      case .failed(let failure): throw failure
      case .unavailable(let reason): throw nothingFound(["\(credential.name): \(reason)"], request)
      }
    }
  }

  private func choice(for request: TokenRequest) async -> Result<AccessToken, Failure> {
    // Here, so that who waited for this task never finds it done and still standing.
    defer { choosing = nil }
    do {
      return .success(try await walk(for: request))
    } catch {
      return .failure(error)
    }
  }

  /// Asks one credential after the other, and chooses the one that gives a token or is refused.
  private func walk(for request: TokenRequest) async throws(Failure) -> AccessToken {
    var reasons: [String] = []
    // What nobody began to set up is only worth a word where it was chosen.
    let tellsAbsent = selection.reason != nil
    for row in selection.rows {
      guard let find = row.find else { continue }
      switch try await find(context) {
      case .absent(let reason):
        if tellsAbsent { reasons.append("\(row.name): \(reason)") }
      case .incomplete(let reason):
        reasons.append("\(row.name): \(reason)")
      case .ready(let credential):
        do {
          let token = try await token(for: request, from: credential)
          chosen = credential
          return token
        } catch {
          switch error {
          case .unavailable(let reason): reasons.append("\(row.name): \(reason)")
          case .failed(let failure):
            chosen = credential
            throw failure
          }
        }
      }
    }
    throw nothingFound(reasons, request)
  }

  private func token(
    for request: TokenRequest, from credential: any Credential
  ) async throws(CredentialError) -> AccessToken {
    // A certificate lives no longer than the key in this process's memory.
    guard request.sshKey == nil,
      let identity = try await credential.storeIdentity(for: request)
    else {
      return try await credential.token(for: request)
    }
    let key = TokenStore.Key(
      cloud: context.cloud, tenant: identity.tenant, credential: identity.credential,
      scope: request.scope)
    do {
      if request.claims != nil {
        if identity.outlivesProcess { try await store.forget(key) }
      } else if let token = try await store.token(
        for: key, outlivesProcess: identity.outlivesProcess)
      {
        return token
      }
    } catch {
      throw .failed(error)
    }
    return try await store.refresh(
      key, isFresh: request.claims != nil, sleep: context.sleep,
      outlivesProcess: identity.outlivesProcess, isWanted: identity.isWanted
    ) { () async throws(CredentialError) -> AccessToken in
      try await credential.token(for: request)
    }
  }

  private func nothingFound(_ reasons: [String], _ request: TokenRequest) -> Failure {
    var reasons = reasons
    if selection.reason == nil {
      let other = reasons.isEmpty ? "" : "other "
      reasons.append(
        "nobody has signed in to \(context.cloud.name) with jitconnect login, az or azd, and no "
          + "\(other)application or managed identity is set up")
    }
    let limited = selection.reason.map { " allowed by \($0)" } ?? ""
    return Failure(
      .signInNeeded, what: "not signed in to Azure: no credential\(limited) is set up",
      why: reasons.joined(separator: "; "), next: nextStep(request))
  }

  private func nextStep(_ request: TokenRequest) -> String {
    let names = Set(selection.rows.map(\.name))
    if names.contains(LoginCredential.name) {
      let login = SignInSubject.ownLogin(
        tenant: request.tenant, cloud: context.cloud.argument, claims: request.claims)
      return selection.account == nil ? "\(login), or: az login" : login
    }
    guard names.contains(AzureCLICredential.name) else {
      return names.contains(EnvironmentCredential.name)
        ? "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
        : "choose another credential with --identity, or: jitconnect login"
    }
    let login = SignInSubject.azureCLILogin(
      tenant: request.tenant, scope: request.scope, claims: request.claims)
    let selected = AzureCLIFolder(context.environment).cloudName ?? Cloud.azureCloud.name
    guard Cloud.builtIn.contains(where: { $0.name == context.cloud.name }),
      selected.lowercased() != context.cloud.name.lowercased()
    else { return login }
    return "az cloud set --name \(context.cloud.name) && \(login)"
  }
}
