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

  package init(
    name: String, loginEndpoint: String, resourceManager: String, audiences: [String],
    portal: String?
  ) {
    self.name = name
    self.loginEndpoint = loginEndpoint
    self.resourceManager = resourceManager
    self.audiences = audiences
    self.portal = portal
  }
}
