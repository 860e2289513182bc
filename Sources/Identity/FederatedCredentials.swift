import Platform

/// `AZURE_FEDERATED_TOKEN_FILE` with tenant and client: Kubernetes' workload identity.
enum WorkloadIdentityCredential {
  static let name = "WorkloadIdentityCredential"

  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    guard let path = environment["AZURE_FEDERATED_TOKEN_FILE"] else {
      return .absent("AZURE_FEDERATED_TOKEN_FILE is not set")
    }
    return try context.federated(name, .file(path))
  }
}

/// The OIDC issuer of GitHub Actions; also of Forgejo and others that took over its form, and what
/// `azd` calls generic.
enum GitHubActionsCredential {
  static let name = "GitHubActionsCredential"

  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    if let token = environment["AZURE_OIDC_TOKEN"] {
      return try context.federated(
        name, .given(SecretBytes(Array(token.utf8)), variable: "AZURE_OIDC_TOKEN"))
    }
    for (url, bearer, issuer) in [
      ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GitHub Actions"),
      ("AZURE_OIDC_REQUEST_URL", "AZURE_OIDC_REQUEST_TOKEN", "the pipeline's token issuer"),
    ] {
      guard let address = environment[url], let secret = environment[bearer] else { continue }
      return try context.federated(
        name,
        .requested(url: address, bearer: SecretBytes(Array(secret.utf8)), issuer: issuer))
    }
    return .absent("ACTIONS_ID_TOKEN_REQUEST_URL is not set")
  }
}

/// Azure Pipelines' issuer, for the service connection whose task runs us.
enum AzurePipelinesCredential {
  static let name = "AzurePipelinesCredential"

  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    guard let url = environment["SYSTEM_OIDCREQUESTURI"] else {
      return .absent("SYSTEM_OIDCREQUESTURI is not set")
    }
    if let missing = environment.missing([
      "SYSTEM_ACCESSTOKEN", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    ]) {
      return .incomplete(missing)
    }
    let connection = environment["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"] ?? ""
    let bearer = SecretBytes(Array((environment["SYSTEM_ACCESSTOKEN"] ?? "").utf8))
    return try context.federated(
      name, .pipelines(url: url, connection: connection, bearer: bearer),
      tenant: environment["AZURESUBSCRIPTION_TENANT_ID"],
      clientID: environment["AZURESUBSCRIPTION_CLIENT_ID"])
  }
}

extension CredentialContext {
  /// The application that the variables name, if they name one.
  fileprivate func federated(
    _ name: String, _ token: FederatedToken, tenant: String? = nil, clientID: String? = nil
  ) throws(Failure) -> CredentialState {
    guard let tenant = tenant ?? environment["AZURE_TENANT_ID"],
      let clientID = clientID ?? environment["AZURE_CLIENT_ID"]
    else {
      return .incomplete(
        environment.missing(["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]) ?? "no application is named")
    }
    return .ready(
      try ApplicationCredential(
        name: name, tenant: tenant, clientID: clientID, proof: .federated(token), context: self))
  }
}
