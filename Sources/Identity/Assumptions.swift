/// What the sign-in takes for granted about Entra ID and its surroundings without proof: stated here
/// once, so that a live tenant can prove or refute it.
enum Assumptions {
  /// The audience of tokens that Entra ID exchanges, of the public cloud and of the others.
  ///
  /// Only the public one is documented where we could read it.
  static func exchangeAudience(of cloud: Cloud) -> String {
    switch cloud.family {
    case .china: "api://AzureADTokenExchangeChina"
    case .usGovernment: "api://AzureADTokenExchangeUSGov"
    case .global, nil: "api://AzureADTokenExchange"
    }
  }

  /// The chassis asset tag of every virtual machine of Azure (`/sys/class/dmi/id`).
  static let azureChassisTag = "7783-7084-3265-9085-8269-3286-77"

  /// Where the Azure Arc agent keeps the files that prove a caller to be privileged.
  static let arcKeyFolder = "/var/opt/azcmagent/tokens"

  /// The Azure Arc agent's own program: where it is, its endpoint is.
  static let arcAgent = "/opt/azcmagent/bin/himds"

  /// That endpoint, where no variable names another.
  static let arcEndpoint = "http://localhost:40342/metadata/identity/oauth2/token"

  /// How the metadata service says that no identity is assigned to the machine: HTTP 400. Its text
  /// was never captured, so the status decides.
  static let noIdentityStatus = 400
}
