extension AccessToken {
  /// What to type so that the next token of this credential is a better one; nil where no sign-in
  /// by hand makes one.
  ///
  /// - Parameter claims: what the next sign-in has to meet.
  package func signInCommand(in cloud: Cloud, scope: String, claims: String?) -> String? {
    switch source {
    case LoginCredential.name:
      SignInSubject.ownLogin(tenant: tenant, cloud: cloud.argument, claims: claims)
    case AzureCLICredential.name:
      SignInSubject.azureCLILogin(tenant: tenant, scope: scope, claims: claims)
    case AzureDeveloperCLICredential.name: "azd auth login"
    default: nil
    }
  }

  /// Every credential that `--identity` takes by its name.
  package static var knownSources: [String] {
    credentialTable.filter { $0.find != nil }.map(\.name)
      .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
