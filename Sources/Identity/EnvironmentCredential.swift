import Platform

/// A service principal from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`.
struct EnvironmentCredential: Credential {
  static let name = "EnvironmentCredential"

  let tenant: String
  let clientID: String
  let secret: SecretBytes
  let context: CredentialContext

  var name: String { Self.name }

  /// The credential of the variables, if all that it needs are set.
  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    let needed = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]
    let missing = needed.filter { environment[$0] == nil }
    guard let secret = environment["AZURE_CLIENT_SECRET"] else {
      guard environment["AZURE_CLIENT_CERTIFICATE_PATH"] != nil, missing.isEmpty else {
        return .absent("AZURE_CLIENT_SECRET is not set")
      }
      throw Failure(
        .notBuiltIn,
        what: "\(name): signing in with a client certificate is not built in yet",
        why: "AZURE_CLIENT_CERTIFICATE_PATH is set",
        next: "set AZURE_CLIENT_SECRET, or choose another: --identity AzureCLICredential")
    }
    guard missing.isEmpty, let tenant = environment["AZURE_TENANT_ID"],
      let clientID = environment["AZURE_CLIENT_ID"]
    else {
      return .absent(
        missing.joined(separator: " and ") + (missing.count == 1 ? " is" : " are") + " not set")
    }
    return .ready(
      EnvironmentCredential(
        tenant: try TenantName.checked(tenant.trimmingASCIISpace),
        clientID: clientID.trimmingASCIISpace, secret: SecretBytes(Array(secret.utf8)),
        context: context))
  }

  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    var secretBytes = unsafe secret.withBytes { unsafe Array($0) }
    defer { overwrite(&secretBytes) }
    let digest = sha256Hex([
      Array("client secret".utf8), Array(clientID.lowercased().utf8), secretBytes,
    ])
    return StoreIdentity(
      credential: "\(name) \(digest)", tenant: (request.tenant ?? tenant).lowercased())
  }

  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken {
    do {
      return try await requestToken(request)
    } catch {
      throw .failed(error)
    }
  }

  private func requestToken(_ request: TokenRequest) async throws(Failure) -> AccessToken {
    let tenant = request.tenant ?? tenant
    let claims = try Claims.parameter(
      challenge: request.claims, declaresCapability: context.declaresCapability)
    var form = FormBody()
    form.append("grant_type", "client_credentials")
    form.append("client_secret", secret: secret)
    let subject = SignInSubject(
      kind: .application, credential: name, clientID: clientID,
      tenant: tenant, scope: request.scope)
    let answer = try await context.tokenEndpoint.answer(
      to: form, subject: subject, scope: request.scope, claims: claims)
    guard let expiry = answer.expiry(now: context.clock.now()) else {
      throw .tokenWithoutEnd(name)
    }
    return AccessToken(
      secret: SecretBytes(Array(answer.accessToken.utf8)), expiresOn: expiry, tenant: tenant,
      source: name, account: clientID)
  }
}
