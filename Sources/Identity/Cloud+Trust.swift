/// Whether a cloud's tokens may go to its Resource Manager.
extension Cloud {
  /// Whether a login server's tokens may: what one of Microsoft's gives is for the clouds that
  /// are known, and for a server that the token itself is for.
  ///
  /// Without this, a description that combines a real cloud's login with a server of its own would
  /// have that cloud's tokens sent to the server.
  static func mayReceiveTokens(
    _ manager: Endpoint, of audiences: [String], from login: Endpoint
  ) -> Bool {
    !isOwn(login) || areFitting(audiences, for: manager)
  }

  /// Whether a token of these audiences may go to the Resource Manager although another than this
  /// cloud's login server gave it: a managed identity, another program.
  ///
  /// The issuer looks at nothing but the audience, so a description with a real cloud's audience and
  /// a server of its own must not get that cloud's tokens. A simulated cloud, of which all is on
  /// this machine, may.
  func mayReceiveTokens(ofIssuerAt issuer: Endpoint?) -> Bool {
    guard let manager = Endpoint(resourceManager) else { return false }
    return Self.areFitting(audiences, for: manager)
      || (manager.isLoopback && issuer?.isLoopback == true)
  }

  private static func isOwn(_ endpoint: Endpoint) -> Bool {
    ownDomains.contains { endpoint.isUnder($0) }
  }

  private static func areFitting(_ audiences: [String], for manager: Endpoint) -> Bool {
    manager.scheme == .https && !audiences.isEmpty
      && audiences.allSatisfy { isFitting($0, for: manager) }
  }

  /// Whether a token of that audience is worth nothing but at that Resource Manager.
  private static func isFitting(_ audience: String, for manager: Endpoint) -> Bool {
    guard let audience = Endpoint(audience), audience.scheme == .https else { return false }
    if audience.host == manager.host { return true }
    // An Azure Stack is an application of its operator's tenant.
    if audience.isUnder("onmicrosoft.com") { return true }
    return builtIn.contains { cloud in
      // Regions have Resource Managers of their own: westeurope.management.azure.com.
      guard let known = Endpoint(cloud.resourceManager), manager.isUnder(known.host) else {
        return false
      }
      return cloud.audiences.contains { Endpoint($0)?.host == audience.host }
    }
  }
}
