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
  /// Set: an SSH certificate for this key is wanted in the place of a bearer token.
  ///
  /// It is never stored. ``Cloud/sshCertificateScope`` is its scope, the tenant of the VM's
  /// subscription its tenant.
  package var sshKey: SSHCertificateKey?

  package init(
    scope: String, tenant: String? = nil, claims: String? = nil, sshKey: SSHCertificateKey? = nil
  ) {
    self.scope = scope
    self.tenant = tenant
    self.claims = claims
    self.sshKey = sshKey
  }
}
