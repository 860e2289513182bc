import FoundationEssentials
import Platform

@testable import Identity

/// An az folder written as az writes it.
struct AzureCLIFixture {
  let folder: ScratchFolder
  static let subscription = "aaaaaaaa-0000-0000-0000-000000000001"
  static let home = "0b1ec7-0000.9e9e9e9e-0000-0000-0000-000000000009"

  /// - Parameters:
  ///   - profile: whether Ada is signed in, with a subscription in ``tenantA``.
  init(profile: Bool = true) throws {
    folder = try ScratchFolder()
    if profile { try writeProfile([Self.account()]) }
  }

  var variables: [String: String] { ["AZURE_CONFIG_DIR": folder.path] }

  func fixture(
    _ more: [String: String] = [:], login: FakeLogin = FakeLogin(), cloud: Cloud = .azureCloud,
    subscription: String? = nil, state: String? = nil
  ) -> ChainFixture {
    ChainFixture(
      variables.merging(more) { $1 }, login: login, state: state, cloud: cloud,
      subscription: subscription)
  }

  func writeProfile(_ accounts: [String]) throws {
    try folder.write(
      "azureProfile.json",
      "\u{FEFF}{\"installationId\":\"x\",\"subscriptions\":[\(accounts.joined(separator: ","))]}",
      mode: 0o644)
  }

  func writeCache(_ parts: CacheEntry..., mode: UInt32 = 0o600) throws {
    try folder.write("msal_token_cache.json", CacheEntry.document(parts), mode: mode)
  }

  /// A program `az` that runs `script` under sh.
  func writeAz(_ script: String) throws -> [String: String] {
    try folder.write("bin/az", "#!/bin/sh\n\(script)\n", mode: 0o755)
    return ["PATH": folder.path + "/bin:/usr/bin:/bin"]
  }

  static func account(
    id: String = subscription, name: String = "Production", tenant: String = tenantA,
    user: String = #"{"name":"ada@example.com","type":"user"}"#, isDefault: Bool = true,
    cloud: String = "AzureCloud"
  ) -> String {
    """
    {"id":"\(id)","name":"\(name)","state":"Enabled","user":\(user),"isDefault":\(isDefault),
     "tenantId":"\(tenant)","environmentName":"\(cloud)","homeTenantId":"\(tenant)",
     "managedByTenants":[]}
    """
  }
}

/// One entry of the unified token cache.
struct CacheEntry {
  var map: String
  var members: [String: String?]

  static let armTarget =
    "https://management.core.windows.net//.default "
    + "https://management.core.windows.net//user_impersonation"

  static func account(
    _ changes: [String: String?] = [:], home: String = AzureCLIFixture.home
  ) -> CacheEntry {
    CacheEntry(
      map: "Account",
      members: [
        "home_account_id": home, "environment": "login.microsoftonline.com", "realm": tenantA,
        "local_account_id": "x", "username": "Ada@Example.com", "authority_type": "MSSTS",
      ].merging(changes) { $1 })
  }

  static func access(_ secret: String, _ changes: [String: String?] = [:]) -> CacheEntry {
    CacheEntry(
      map: "AccessToken",
      members: [
        "credential_type": "AccessToken", "secret": secret,
        "home_account_id": AzureCLIFixture.home, "environment": "login.microsoftonline.com",
        "client_id": AzureCLITokenCache.clientID, "target": armTarget, "realm": tenantA,
        "token_type": "Bearer", "cached_at": "1789999000", "expires_on": "1790003600",
        "extended_expires_on": "1790003600",
      ].merging(changes) { $1 })
  }

  static func refresh(_ secret: String, _ changes: [String: String?] = [:]) -> CacheEntry {
    CacheEntry(
      map: "RefreshToken",
      members: [
        "credential_type": "RefreshToken", "secret": secret,
        "home_account_id": AzureCLIFixture.home, "environment": "login.microsoftonline.com",
        "client_id": AzureCLITokenCache.clientID, "target": armTarget,
        "last_modification_time": "1789999000", "family_id": "1",
      ].merging(changes) { $1 })
  }

  static func document(_ entries: [CacheEntry]) -> String {
    var maps: [String: [String]] = ["AppMetadata": [#""x":{"client_id":"y","family_id":"1"}"#]]
    for (index, entry) in entries.enumerated() {
      let members = entry.members.sorted { $0.key < $1.key }.map { name, value in
        "\"\(name)\":" + (value.map { "\"\($0)\"" } ?? "null")
      }
      maps[entry.map, default: []].append(
        "\"KEY-\(index)\":{\(members.joined(separator: ","))}")
    }
    let body = maps.sorted { $0.key < $1.key }.map {
      "\"\($0.key)\":{\($0.value.joined(separator: ","))}"
    }
    return "{" + body.joined(separator: ",") + ",\"Unknown\":{\"a\":1}}"
  }
}
