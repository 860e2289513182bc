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

  /// What to do where this credential's next token would be no better and no sign-in by hand makes
  /// one: a login alone does not help, since this credential goes before it.
  package var renewal: String {
    let person =
      "sign in as a person: jitconnect login, then add --identity \(LoginCredential.name)"
    guard source == EnvironmentCredential.name else { return person }
    return "give the application that AZURE_CLIENT_ID names a new secret or certificate and set "
      + "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH to it; or \(person)"
  }

  /// Every credential that `--identity` takes by its name.
  package static var knownSources: [String] {
    credentialTable.filter { $0.find != nil }.map(\.name)
      .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
