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

  /// The domains under which the built-in clouds sign in and answer.
  static let ownDomains = [
    "microsoftonline.com", "windows.net", "microsoft.com", "azure.com", "microsoftonline.us",
    "usgovcloudapi.net", "azure.us", "microsoftonline.cn", "chinacloudapi.cn", "azure.cn",
  ]
}
