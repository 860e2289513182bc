package import FoundationEssentials
package import Platform

/// A bearer token and what is known of it; or, where one was asked for, an SSH certificate.
package struct AccessToken: Sendable {
  /// The token; of an SSH certificate its blob in base64.
  package var secret: SecretBytes
  package var expiresOn: Date
  /// The tenant that issued it, where known.
  package var tenant: String?
  /// The credential that gave it, by its Azure SDK name: `EnvironmentCredential`, ….
  package var source: String
  /// The person or application, where known: a UPN or a client id.
  package var account: String?

  package init(
    secret: SecretBytes, expiresOn: Date, tenant: String? = nil, source: String,
    account: String? = nil
  ) {
    self.secret = secret
    self.expiresOn = expiresOn
    self.tenant = tenant
    self.source = source
    self.account = account
  }
}

/// Something that gives tokens: the credential chain in the program, a fake in tests.
package protocol TokenProvider: Sendable {
  /// A token that is valid for at least five more minutes, from a store where possible.
  func token(for request: TokenRequest) async throws(Failure) -> AccessToken
}
