import Synchronization

/// Sign-ins from outside: what a machine, a pipeline or a test has to know.
extension Simulator {
  /// The variables of a place in which programs are given a token of their own.
  package enum IdentityPlace: String, Sendable, CaseIterable {
    case metadataService, appService, arc, machineLearning, cloudShell, gitHub, pipelines
  }

  package func environment(of place: IdentityPlace) -> [String: String] {
    switch place {
    case .metadataService: return ["AZURE_POD_IDENTITY_AUTHORITY_HOST": loginURL]
    case .appService:
      return [
        "IDENTITY_ENDPOINT": loginURL + "/appservice/token",
        "IDENTITY_HEADER": MachineIdentitySecrets.header,
      ]
    case .arc:
      return [
        "IDENTITY_ENDPOINT": loginURL + "/arc/token", "IMDS_ENDPOINT": loginURL,
      ]
    case .machineLearning:
      return [
        "MSI_ENDPOINT": loginURL + "/ml/token", "MSI_SECRET": MachineIdentitySecrets.header,
      ]
    case .cloudShell: return ["MSI_ENDPOINT": loginURL + "/cloudshell/token"]
    case .gitHub:
      return [
        "ACTIONS_ID_TOKEN_REQUEST_URL": loginURL + "/github/oidc?run=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": MachineIdentitySecrets.bearer,
      ]
    case .pipelines:
      return [
        "SYSTEM_OIDCREQUESTURI": loginURL + "/pipelines/oidc",
        "SYSTEM_ACCESSTOKEN": MachineIdentitySecrets.bearer,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": World.connection,
      ]
    }
  }

  /// What the key file of ``Behaviour/arcKeyFile`` has to hold.
  package static var arcKey: String { MachineIdentitySecrets.arcKey }

  /// A token of another issuer, as a cluster would put it into a file.
  package func issueForeignToken(
    issuer: String, subject: String, audience: String = "api://AzureADTokenExchange",
    lifetime: Duration = .seconds(300)
  ) -> String {
    world.withLock {
      $0.issueForeignToken(
        issuer: issuer, subject: subject, audience: audience, lifetime: lifetime)
    }
  }

  /// How often a grant was asked for: `refresh_token`, `client_credentials`, ….
  package func count(ofGrant grant: String) -> Int {
    world.withLock { $0.signIn.grants[grant] ?? 0 }
  }

  /// Everything secret that was issued or received so far: none of it may be in any log.
  package var secrets: Set<String> { world.withLock { $0.signIn.secrets } }
}
