import AzureSimulator
import Platform
import Testing

/// One person, signed in to two tenants by az, and machines in either.
@Suite(.limited) struct FlowTenantTests {
  private static let refreshToken = "0.AXsim-refresh-token-of-ada"
  private static let other = SimulatedTenant("fabrikam")
  private static let subscription = SimulatedSubscription("other", tenant: other.id)

  /// - Parameter isGuest: false is a tenant that no longer lets her in.
  private func stage(
    isGuest: Bool = true, _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    let home = SimulatedTenant()
    let stage = try await Stage.ssh { configuration in
      configuration.tenants.append(Self.other)
      configuration.subscriptions.append(Self.subscription)
      configuration.identities.append(
        SimulatedIdentity(
          person: "ada@contoso.example", tenants: isGuest ? [home.id, Self.other.id] : [home.id],
          refreshToken: Self.refreshToken))
      configuration.machines[0].subscription = Self.subscription.id
      configuration.policies[0].subscription = Self.subscription.id
      change(&configuration)
    }
    let rows = [(SimulatedSubscription(), home), (Self.subscription, Self.other)].map {
      subscription, tenant in
      """
      {"id":"\(subscription.id)","name":"\(subscription.displayName)","state":"Enabled",
      "user":{"name":"ada@contoso.example","type":"user"},"isDefault":\(tenant.id == home.id),
      "tenantId":"\(tenant.id)","environmentName":"AzureSimulator","homeTenantId":"\(home.id)",
      "managedByTenants":[]}
      """
    }
    try stage.write(
      "azure/azureProfile.json",
      "{\"installationId\":\"x\",\"subscriptions\":[\(rows.joined(separator: ","))]}")
    let login = stage.simulator.loginURL.dropFirst("http://".count)
    try stage.write(
      "azure/msal_token_cache.json",
      """
      {"Account":{"a":{"home_account_id":"oid.\(home.id)","environment":"\(login)",
      "realm":"\(home.id)","local_account_id":"x","username":"ada@contoso.example",
      "authority_type":"MSSTS"}},
      "RefreshToken":{"r":{"home_account_id":"oid.\(home.id)","environment":"\(login)",
      "client_id":"04b07795-8ddb-461a-bbee-02f9e1bf7b46","credential_type":"RefreshToken",
      "secret":"\(Self.refreshToken)","target":"x","family_id":"1"}}}
      """)
    return stage
  }

  private static let noPrincipal: [String: String?] = [
    "AZURE_CLIENT_ID": nil, "AZURE_CLIENT_SECRET": nil, "AZURE_TENANT_ID": nil,
  ]

  @Test("a bare name finds a machine of another tenant, by one query for each")
  func otherTenant() async throws {
    let stage = try await stage()
    let run = try await stage.connect(environment: Self.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.graph) == 2)
    // No call had the wrong tenant's token.
    #expect(stage.simulator.report.calls.allSatisfy { $0.status < 300 })
    stage.simulator.resetReport()
    try stage.write("state/jitconnect/windows.json", "[]")
    #expect(try await stage.connect(environment: Self.noPrincipal).status == 0)
    #expect(stage.simulator.report.count(.graph) == 0)
    #expect(stage.simulator.report.calls.allSatisfy { $0.status < 300 })
  }

  @Test("a tenant that refuses the sign-in does not keep the others' machines away")
  func refusingTenant() async throws {
    let stage = try await stage(isGuest: false) {
      $0.machines[0].subscription = SimulatedSubscription().id
      $0.policies[0].subscription = SimulatedSubscription().id
    }
    let run = try await stage.connect(environment: Self.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    let missing = try await stage.run(["web2"], environment: Self.noPrincipal)
    #expect(missing.code == "vm-not-found", "\(missing.error)")
    #expect(missing.error.contains("could not be searched: tenant \(Self.other.id)"))
  }

  @Test("machines of one name in two tenants are listed with their subscriptions")
  func ambiguous() async throws {
    let stage = try await stage {
      var twin = $0.machines[0]
      twin.subscription = SimulatedSubscription().id
      $0.machines.append(twin)
    }
    // az's default subscription would break the tie.
    try stage.write(
      "azure/azureProfile.json",
      try #require(stage.read("azure/azureProfile.json"))
        .replacing("\"isDefault\":true", with: "\"isDefault\":false"))
    let run = try await stage.run(["web1"], environment: Self.noPrincipal)
    #expect(run.code == "vm-ambiguous", "\(run.error)")
    #expect(run.error.contains(Self.subscription.id))
    #expect(run.error.contains(SimulatedSubscription().id))
  }
}
