import Platform

/// A service principal from `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, and `AZURE_CLIENT_SECRET` or
/// `AZURE_CLIENT_CERTIFICATE_PATH`; the secret goes first.
enum EnvironmentCredential {
  static let name = "EnvironmentCredential"

  /// The credential of the variables, if all that it needs are set.
  static func find(in context: CredentialContext) throws(Failure) -> CredentialState {
    let environment = context.environment
    let proof: ApplicationCredential.Proof
    if let secret = environment["AZURE_CLIENT_SECRET"] {
      proof = .secret(SecretBytes(Array(secret.utf8)))
    } else if environment["AZURE_CLIENT_CERTIFICATE_PATH"] != nil {
      // Read only where the other variables say that it is meant.
      if let missing = environment.missing(Self.who) { return .incomplete(missing) }
      proof = .certificate(try CertificateFile(environment))
    } else {
      let reason = "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set"
      // The same two, with a file of a token, are a federated identity's.
      let isBegun =
        environment.missing(Self.who) == nil && environment["AZURE_FEDERATED_TOKEN_FILE"] == nil
      return isBegun
        ? .incomplete("AZURE_TENANT_ID and AZURE_CLIENT_ID are set, but " + reason)
        : .absent(reason)
    }
    if let missing = environment.missing(Self.who) { return .incomplete(missing) }
    return .ready(
      try ApplicationCredential(
        name: name, tenant: environment["AZURE_TENANT_ID"] ?? "",
        clientID: environment["AZURE_CLIENT_ID"] ?? "", proof: proof, context: context))
  }

  private static let who = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]
}

extension Environment {
  /// Which of the variables are not set, in words; nil where all are.
  func missing(_ names: [String]) -> String? {
    let missing = names.filter { self[$0] == nil }
    guard !missing.isEmpty else { return nil }
    return missing.joined(separator: " and ") + (missing.count == 1 ? " is" : " are") + " not set"
  }
}
