import AzureSimulator
import FoundationEssentials
import Platform

extension Stage {
  /// az's own files for Ada in the simulated cloud.
  func writeAzureLogin(accessToken: String? = nil, refreshToken: String? = nil) throws {
    let tenant = SimulatedTenant().id
    let login = String(simulator.loginURL.dropFirst("http://".count))
    try write(
      "azure/azureProfile.json",
      """
      \u{FEFF}{"installationId":"x","subscriptions":[{"id":"\(SimulatedSubscription().id)",
      "name":"main","state":"Enabled","user":{"name":"ada@contoso.example","type":"user"},
      "isDefault":true,"tenantId":"\(tenant)","environmentName":"AzureSimulator",
      "homeTenantId":"\(tenant)","managedByTenants":[]}]}
      """)
    let shared = """
      "home_account_id":"oid.\(tenant)","environment":"\(login)",
      "client_id":"04b07795-8ddb-461a-bbee-02f9e1bf7b46"
      """
    var maps = [
      """
      "Account":{"a":{"home_account_id":"oid.\(tenant)","environment":"\(login)",
      "realm":"\(tenant)","local_account_id":"x","username":"Ada@Contoso.example",
      "authority_type":"MSSTS"}}
      """
    ]
    if let accessToken {
      let now = Int(Date().timeIntervalSince1970)
      maps.append(
        """
        "AccessToken":{"t":{\(shared),"credential_type":"AccessToken","secret":"\(accessToken)",
        "target":"https://management.core.windows.net//.default","realm":"\(tenant)",
        "token_type":"Bearer","cached_at":"\(now - 60)","expires_on":"\(now + 3000)",
        "extended_expires_on":"\(now + 3000)"}}
        """)
    }
    if let refreshToken {
      maps.append(
        """
        "RefreshToken":{"r":{\(shared),"credential_type":"RefreshToken",
        "secret":"\(refreshToken)","target":"x","family_id":"1"}}
        """)
    }
    try write("azure/msal_token_cache.json", "{\(maps.joined(separator: ","))}")
  }
}
