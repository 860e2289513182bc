import Testing

@testable import AzureSimulator

/// What lies between a client and a machine beside the rules: routes and firewalls.
@Suite struct WayTests {
  @Test("effective routes: 202 with a Location, then the routes; not while the machine is off")
  func routes() throws {
    let azure = try TestAzure(SimulatorConfiguration(machines: [SimulatedMachine("web1")]))
    azure.simulator.change { $0.defaultNextHop = ("VirtualAppliance", "10.1.1.4") }
    let path =
      azure.group + "/providers/Microsoft.Network/networkInterfaces/web1-nic/effectiveRouteTable"
    let accepted = try azure.call("POST", path, version: "2024-05-01")
    #expect(accepted.status == 202)
    azure.simulator.advance(by: .seconds(5))
    let location = accepted.headers["location"] ?? ""
    let routes = try azure.call(
      "GET", String(location.dropFirst(azure.simulator.baseURL.count)), version: nil)
    let last = routes.json["value"]?.elements?.last
    #expect(last?["nextHopType"] == "VirtualAppliance")
    #expect(last?["addressPrefix"] == ["0.0.0.0/0"])
    azure.simulator.changeMachine("web1") { $0.power = .deallocated }
    #expect(
      try azure.call("POST", path, version: "2024-05-01").code
        == "NetworkInterfaceNotAttachedToRunningVm")
  }

  @Test("a firewall that a policy speaks of has its DNAT rule, classic or by a firewall policy")
  func firewalls() throws {
    var entry = SimulatedPolicy.Entry("web1", ports: [.init(22)])
    entry.firewallAddress = "198.51.100.80"
    entry.mappedPorts = [22: 5022]
    let azure = try TestAzure(
      SimulatorConfiguration(
        machines: [SimulatedMachine("web1")], policies: [SimulatedPolicy(entries: [entry])]))
    let path = "/subscriptions/\(azure.subscription)/providers/Microsoft.Network/azureFirewalls"
    let list = try azure.call("GET", path, version: "2024-05-01")
    let properties = list.json["value"]?.elements?.first?["properties"]
    let rule = properties?["natRuleCollections"]?.elements?.first?["properties"]?["rules"]?
      .elements?.first
    #expect(rule?["destinationPorts"] == ["5022"])
    #expect(rule?["translatedPort"] == "22")
    #expect(properties?["firewallPolicy"] == nil)
    azure.simulator.change { $0.firewallsHavePolicies = true }
    let other = try azure.call("GET", path, version: "2024-05-01").json["value"]?.elements?.first
    #expect(other?["properties"]?["firewallPolicy"]?["id"] != nil)
  }
}
