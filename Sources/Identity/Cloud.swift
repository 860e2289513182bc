/// An Azure cloud: where to sign in and where its Resource Manager answers.
package struct Cloud: Sendable, Equatable, Codable {
  /// `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or the metadata's own name.
  package var name: String
  /// The authority, `https://login.microsoftonline.com`, without a final slash.
  package var loginEndpoint: String
  /// `https://management.azure.com`, without a final slash.
  package var resourceManager: String
  /// Token audiences as the cloud spells them; the first is the one to ask for.
  package var audiences: [String]
  /// `https://portal.azure.com`, where known.
  package var portal: String?
  /// Where the cloud was described; nil for a built-in one and for one of az's configuration.
  package var metadataURL: String?
  /// The value of `--cloud` that a command to be typed must have; nil where it means this cloud
  /// without.
  var argument: String?

  package init(
    name: String, loginEndpoint: String, resourceManager: String, audiences: [String],
    portal: String?, metadataURL: String? = nil
  ) {
    self.name = name
    self.loginEndpoint = loginEndpoint
    self.resourceManager = resourceManager
    self.audiences = audiences
    self.portal = portal
    self.metadataURL = metadataURL
  }

  /// The scope of a Resource Manager token: the first audience as spelled, plus `/.default`.
  ///
  /// An audience that ends in a slash gives two, and that is what the service expects.
  package var tokenScope: String { (audiences.first ?? resourceManager + "/") + "/.default" }

  /// Every spelling under which a Resource Manager token may have been asked for, ours first.
  package var tokenScopes: [String] {
    var scopes = [tokenScope]
    for audience in audiences + [resourceManager] {
      var bare = audience
      while bare.last == "/" { bare.removeLast() }
      for scope in [bare + "//.default", bare + "/.default"] where !scopes.contains(scope) {
        scopes.append(scope)
      }
    }
    return scopes
  }

  /// The names under which token caches know this cloud's login host.
  package var environmentAliases: Set<String> {
    guard let login = Endpoint(loginEndpoint) else { return [] }
    if let known = Self.loginAliases.first(where: { $0.contains(login.authority) }) { return known }
    // MSAL names an environment without its port, which tells servers on loopback apart too little
    // to matter, and real ones too little to be safe.
    return login.isLoopback ? [login.authority, login.host] : [login.authority]
  }

  /// What tells this cloud from any other in the token store: both servers a token is good for.
  var storeKey: String { "\(resourceManager.lowercased()) \(loginEndpoint.lowercased())" }
}
