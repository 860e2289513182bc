import Platform

/// A person who signed in with `jitconnect login`, without the secret of it.
package struct Account: Codable, Hashable, Sendable {
  /// The person in the home tenant: object id, point, tenant id.
  package var id: String
  /// A UPN.
  package var username: String
  /// Both servers of the cloud, as the token store knows it.
  var cloud: String
  /// The application under which the sign-in was made; its refresh token is good for no other.
  package var clientID: String
  /// The tenants signed in to, the last one first; never empty.
  package var tenants: [String]

  /// The tenant that is asked where none is named.
  package var tenant: String { tenants.first ?? AccountStore.anyTenant }

  /// The credential's part of the token store's key.
  var storeName: String { "\(LoginCredential.name) \(sha256Hex(id, clientID.lowercased()))" }

  /// The credential that this sign-in gives tokens through.
  package var credentialName: String { LoginCredential.name }

  /// Whether a text means this account.
  package func isNamed(_ text: String) -> Bool {
    username.lowercased() == text.lowercased() || id.lowercased() == text.lowercased()
  }
}
