import Platform

/// A service principal: an application that proves itself.
struct ApplicationCredential: Credential {
  /// By what an application proves who it is.
  enum Proof: Sendable {
    case secret(SecretBytes)
    case certificate(CertificateFile)
    /// A token of another issuer, which the application is told to trust.
    case federated(FederatedToken)
  }

  let name: String
  let tenant: String
  let clientID: String
  let proof: Proof
  let context: CredentialContext

  /// - Throws: `setting-invalid` for a tenant that is none.
  init(
    name: String, tenant: String, clientID: String, proof: Proof, context: CredentialContext
  ) throws(Failure) {
    self.name = name
    self.tenant = try TenantName.checked(tenant.trimmingASCIISpace)
    self.clientID = clientID.trimmingASCIISpace
    self.proof = proof
    self.context = context
  }

  var tenants: [String] { [tenant] }

  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    var parts: [[UInt8]]
    switch proof {
    case .secret(let secret):
      parts = [Array("client secret".utf8), unsafe secret.withBytes { unsafe Array($0) }]
    case .certificate(let file): parts = [Array("client certificate".utf8), file.identity]
    case .federated(let token): parts = [Array("federated".utf8), Array(token.origin.utf8)]
    }
    let digest = sha256Hex(parts + [Array(clientID.lowercased().utf8)])
    for index in parts.indices { overwrite(&parts[index]) }
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
    let endpoint = context.tokenEndpoint
    var form = FormBody()
    form.append("grant_type", "client_credentials")
    var foreign: SecretBytes?
    switch proof {
    case .secret(let secret):
      form.append("client_secret", secret: secret)
    case .certificate(let file):
      let certificate = try file.read()
      let assertion = try ClientAssertion(
        audience: endpoint.url("token", tenant: tenant), clientID: clientID,
        now: context.clock.now()
      ).signed(by: certificate, sendingIt: file.isSent)
      form.appendAssertion(assertion)
    case .federated(let source):
      let token = try await source.fetch(in: context, for: name)
      foreign = token
      form.appendAssertion(token)
    }
    let subject = SignInSubject(
      kind: .application, credential: name, clientID: clientID, tenant: tenant,
      scope: request.scope)
    let answer: TokenAnswer
    do {
      answer = try await endpoint.answer(to: form, subject: subject, request: request)
    } catch {
      throw explaining(error, foreign)
    }
    return try answer.token(
      now: context.clock.now(), tenant: tenant, source: name, account: clientID)
  }

  /// Entra ID does not say which of the token's three words matches no federated credential.
  private func explaining(_ failure: Failure, _ token: SecretBytes?) -> Failure {
    guard let token, case .http(_, let code?, _) = failure.cause,
      FederatedToken.mismatches.contains(code),
      let claims = TokenClaims(token: token.exposedText)
    else { return failure }
    var failure = failure
    failure.why = [failure.why, "the token says " + claims.federationText].compactMap(\.self)
      .joined(separator: "; ")
    return failure
  }
}

extension FormBody {
  fileprivate mutating func appendAssertion(_ assertion: SecretBytes) {
    append("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    append("client_assertion", secret: assertion)
  }
}
