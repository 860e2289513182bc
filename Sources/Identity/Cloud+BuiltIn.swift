/// The clouds that need no metadata document.
///
/// Sources: azure-cli `cloud.py` (names, audiences), the 2019-05-01 metadata documents (login,
/// Resource Manager, portal). The audience that azure-cli asks for stands first, so that its cached
/// tokens and ours are the same.
extension Cloud {
  package static let builtIn: [Cloud] = [
    .azureCloud,
    Cloud(
      name: "AzureUSGovernment",
      loginEndpoint: "https://login.microsoftonline.us",
      resourceManager: "https://management.usgovcloudapi.net",
      audiences: [
        "https://management.core.usgovcloudapi.net/", "https://management.usgovcloudapi.net",
      ],
      portal: "https://portal.azure.us"),
    Cloud(
      name: "AzureChinaCloud",
      loginEndpoint: "https://login.chinacloudapi.cn",
      resourceManager: "https://management.chinacloudapi.cn",
      audiences: [
        "https://management.core.chinacloudapi.cn/", "https://management.chinacloudapi.cn",
      ],
      portal: "https://portal.azure.cn"),
  ]

  package static let azureCloud = Cloud(
    name: "AzureCloud",
    loginEndpoint: "https://login.microsoftonline.com",
    resourceManager: "https://management.azure.com",
    audiences: ["https://management.core.windows.net/", "https://management.azure.com/"],
    portal: "https://portal.azure.com")

  /// Login hosts that are one cloud, as MSAL lists them.
  ///
  /// Source: microsoft-authentication-library-for-go `authority/known_metadata.go`.
  static let loginAliases: [Set<String>] = [
    [
      "login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
    ],
    ["login.chinacloudapi.cn", "login.partner.microsoftonline.cn"],
    ["login.microsoftonline.us", "login.usgovcloudapi.net"],
  ]

  /// The domains under which Microsoft's clouds sign in and answer.
  static let ownDomains = [
    "microsoftonline.com", "windows.net", "microsoft.com", "azure.com", "microsoftonline.us",
    "usgovcloudapi.net", "azure.us", "microsoftonline.cn", "chinacloudapi.cn", "azure.cn",
    "sovcloud-identity.fr", "sovcloud-identity.de", "sovcloud-identity.sg", "sovcloud-api.fr",
  ]

  enum National: Sendable {
    case global, usGovernment, china
  }

  /// Which of Microsoft's clouds the audiences belong to: a metadata document may describe one under
  /// a name and addresses of its own. Nil for a cloud that is none of them.
  var family: National? {
    let hosts = audiences.compactMap { Endpoint($0) }
    func has(_ domains: String...) -> Bool {
      hosts.contains { host in domains.contains { host.isUnder($0) } }
    }
    if has("usgovcloudapi.net") { return .usGovernment }
    if has("chinacloudapi.cn") { return .china }
    return has("windows.net", "azure.com") ? .global : nil
  }

  /// The scope of SSH certificates for VMs; nil where the cloud gives none.
  ///
  /// Source: azure-cli-extensions `azext_ssh/custom.py`.
  package var sshCertificateScope: String? {
    let host: String
    switch family {
    case .global: host = "pas.windows.net"
    case .usGovernment: host = "pasff.usgovcloudapi.net"
    case .china: host = "pas.chinacloudapi.cn"
    case nil: return nil
    }
    return "https://\(host)/CheckMyAccess/Linux/.default"
  }
}
