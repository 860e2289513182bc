package import FoundationEssentials
package import Platform

/// What a token is asked for.
package struct TokenRequest: Hashable, Sendable {
  /// A v2 scope, such as `https://management.core.windows.net//.default` (the double slash is
  /// right: resource plus `/.default`).
  package var scope: String
  /// The tenant to ask; nil is the credential's own.
  package var tenant: String?
  /// A claims challenge's JSON.
  ///
  /// Its presence forbids an answer from any cache.
  package var claims: String?

  package init(scope: String, tenant: String? = nil, claims: String? = nil) {
    self.scope = scope
    self.tenant = tenant
    self.claims = claims
  }
}

/// A bearer token and what is known of it.
package struct AccessToken: Sendable {
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
