import Testing

@testable import AzureSimulator

/// Rules of network security groups: those that policies make, and those that callers write.
@Suite struct SecurityRuleTests {
  private static let group =
    "/subscriptions/\(SimulatedSubscription().id)/resourceGroups/rg-demo/providers/"
    + "Microsoft.Network/networkSecurityGroups/web1-nsg"

  private func azure(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) throws
    -> TestAzure
  {
    var machine = SimulatedMachine("web1")
    machine.securityGroup = .both
    var configuration = SimulatorConfiguration(
      machines: [machine], policies: [SimulatedPolicy(machine: "web1", ports: .init(22))])
    change(&configuration)
    return try TestAzure(configuration)
  }

  private func put(
    _ azure: TestAzure, _ name: String = "mine", priority: JSON = 300,
    changing changes: [String: JSON] = [:]
  ) throws -> Answer {
    var properties: JSON = [
      "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22",
      "sourceAddressPrefix": "*", "destinationAddressPrefix": "10.0.0.4", "access": "Deny",
      "direction": "Inbound", "priority": priority,
    ]
    for (name, value) in changes { properties[name] = value }
    return try azure.call(
      "PUT", "\(Self.group)/securityRules/\(name)", version: "2024-05-01",
      body: ["properties": properties])
  }

  @Test(
    "a policy's deny rule is in both groups, under each name of the service and each priority",
    arguments: [(false, 4096), (false, 1000), (true, 4096), (true, 1000)])
  func denyRules(old: Bool, priority: Int) throws {
    let azure = try azure {
      $0.behaviour.usesOldRuleNames = old
      $0.behaviour.denyPriority = priority
    }
    for group in ["web1-nsg", "rg-demo-subnet-nsg"] {
      let rules = azure.simulator.rules(of: group)
      let rule = try #require(rules.first)
      #expect(rules.count == 1)
      let prefix = old ? "SecurityCenter-JITRule_" : "MicrosoftDefenderForCloud-JITRule_"
      #expect(rule.name.hasPrefix(prefix))
      #expect(rule.name.split(separator: "_").last?.count == 32)
      #expect(rule.priority == priority)
      #expect(!rule.allows)
      #expect(rule.destinations == ["10.0.0.4"])
      #expect(
        rule.description
          == "\(old ? "ASC" : "MDC") JIT Network Access rule for policy 'default' of VM 'web1'.")
    }
  }

  @Test("a rule is written, replaced and deleted")
  func writing() throws {
    let azure = try azure()
    #expect(try put(azure).status == 201)
    #expect(try put(azure, priority: 301).status == 200)
    let rules = azure.simulator.rules(of: "web1-nsg").filter { $0.name == "mine" }
    #expect(rules.map(\.priority) == [301])
    let path = "\(Self.group)/securityRules/mine"
    #expect(
      try azure.call("GET", path, version: "2024-05-01").json["properties"]?["access"] == "Deny")
    #expect(try azure.call("DELETE", path, version: "2024-05-01").status == 200)
    #expect(try azure.call("DELETE", path, version: "2024-05-01").status == 204)
    #expect(try azure.call("GET", path, version: "2024-05-01").status == 404)
  }

  @Test("what Azure refuses in a rule")
  func refusals() throws {
    let azure = try azure()
    #expect(try put(azure, priority: 99).code == "SecurityRuleInvalidPriority")
    #expect(try put(azure, priority: 4097).code == "SecurityRuleInvalidPriority")
    // The deny rule's.
    #expect(try put(azure, priority: 4096).code == "SecurityRuleConflict")
    #expect(try put(azure, changing: ["destinationPortRanges": ["22", "23"]]).status == 400)
    #expect(try put(azure, changing: ["access": "Perhaps"]).status == 400)
    #expect(try put(azure, changing: ["protocol": .null]).status == 400)
    #expect(
      try put(azure, changing: ["description": .string(String(repeating: "x", count: 141))]).status
        == 400)
    #expect(azure.simulator.rules(of: "web1-nsg").count == 1)

    let reader = try self.azure { $0.identities[0].grants = [.init(actions: ["*/read"])] }
    let forbidden = try put(reader)
    #expect(forbidden.status == 403)
    #expect(forbidden.message?.contains("securityRules/write") == true)
    let locked = try self.azure { $0.behaviour.locksSecurityGroups = true }
    #expect(try put(locked).code == "ScopeLocked")
  }
}
