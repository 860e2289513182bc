import FoundationEssentials
import Platform
import Testing

@testable import Identity

@Suite struct AzureCLIProfileTests {
  private func read(_ az: AzureCLIFixture, cloud: String = "AzureCloud") async -> AzureCLIProfile? {
    await AzureCLIProfile.read(
      in: Environment(variables: az.variables, home: nil), cloud: cloud, sleep: { _ in })
  }

  @Test("subscriptions, tenants and defaults are those of the cloud that is asked for")
  func perCloud() async throws {
    let az = try AzureCLIFixture(profile: false)
    try az.writeProfile([
      AzureCLIFixture.account(id: "s-1", name: "One", isDefault: false),
      AzureCLIFixture.account(id: "s-2", name: "Two", tenant: tenantB, isDefault: true),
      AzureCLIFixture.account(id: "g-1", isDefault: false, cloud: "AzureUSGovernment"),
      AzureCLIFixture.account(id: "g-2", isDefault: false, cloud: "AzureUSGovernment"),
      AzureCLIFixture.account(id: tenantA, isDefault: false, cloud: "AzureChinaCloud"),
      "42", #"{"id":"no tenant"}"#, AzureCLIFixture.account(id: "bad/id"),
    ])
    try az.folder.write("config", "[defaults]\ngroup = web\nLocation: westeurope\n# x = y\n")
    try az.folder.write("clouds.config", "[AzureUSGovernment]\nsubscription = G-2\n")
    let profile = try #require(await read(az))
    #expect(profile.subscriptions.map(\.id) == ["s-1", "s-2"])
    #expect(profile.defaultSubscription?.id == "s-2")
    #expect(profile.tenants == [tenantB, tenantA])
    #expect(profile.defaultGroup == "web")
    #expect(profile.defaultLocation == "westeurope")
    #expect(profile.subscription("one")?.id == "s-1")
    #expect(profile.subscription("S-2")?.name == "Two")
    #expect(await read(az, cloud: "azureusgovernment")?.subscriptions.count == 2)
    #expect(await read(az, cloud: "AzureUSGovernment")?.defaultSubscription?.id == "g-2")
    #expect(await read(az, cloud: "AzureChinaCloud")?.defaultSubscription?.isTenantLevel == true)
    #expect(await read(az, cloud: "Own") == nil)
  }

  @Test(
    "who is signed in is told by the name before the type, as az does",
    arguments: [
      (#"{"name":"a@b","type":"user"}"#, AzureCLIProfile.User.Kind.person),
      (#"{"name":"app","type":"servicePrincipal"}"#, .servicePrincipal),
      (#"{"name":"userAssignedIdentity","type":"servicePrincipal"}"#, .managedIdentity),
      (#"{"name":"a@b","type":"user","cloudShellID":true}"#, .cloudShell),
    ])
  func kinds(user: String, kind: AzureCLIProfile.User.Kind) async throws {
    let az = try AzureCLIFixture(profile: false)
    try az.writeProfile([AzureCLIFixture.account(user: user)])
    #expect(await read(az)?.defaultSubscription?.user.kind == kind)
  }

  @Test(
    "a profile that is no profile is no login",
    arguments: [
      "", "{", "[]", "{}", #"{"subscriptions":null}"#, #"{"subscriptions":5}"#, "\u{FEFF}",
    ])
  func broken(text: String) async throws {
    let az = try AzureCLIFixture(profile: false)
    try az.folder.write("azureProfile.json", text)
    #expect(await read(az) == nil)
  }
}
