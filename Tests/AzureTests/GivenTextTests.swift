import Testing

@testable import Azure

@Suite struct GivenTextTests {
  @Test(
    "a vmId that is no GUID is none: it would be written into files",
    arguments: [
      "x\nProxyCommand touch /tmp/owned", "aaaa", "", "../../known_hosts",
      "0f47b100-583c-48e3-a4c0-aefc2c9bbcc1\n", "0f47b100-583c-48e3-a4c0-aefc2c9bbcg1",
      "0f47b100583c48e3a4c0aefc2c9bbcc1----",
    ])
  func noGUID(text: String) throws {
    let machine = try id(Fixture.vm)
    #expect(GivenText.guid(text) == nil)
    let tree: JSONTree = ["properties": ["vmId": .string(text)]]
    #expect(VirtualMachineDirectory.machine(machine, tree).vmID == nil)
    let row: JSONTree = ["id": .string(machine.text), "vmId": .string(text)]
    #expect(VirtualMachineQuery.machines([row]).map(\.vmID) == [nil])
  }

  @Test("a GUID is one in any letters")
  func isGUID() {
    #expect(
      GivenText.guid("0F47B100-583C-48E3-a4c0-aefc2c9bbcc1")
        == "0f47b100-583c-48e3-a4c0-aefc2c9bbcc1")
  }

  @Test(
    "a name that is no DNS name is none",
    arguments: ["a b", "a\r\nfull address:s:b", "-oProxyCommand=x", "", "a;b", "$(x)"])
  func noHostName(text: String) {
    #expect(GivenText.hostName(text) == nil)
  }

  @Test("a firewall's address that is no address is none")
  func firewall() throws {
    let machine = try id(Fixture.vm)
    let tree: JSONTree = [
      "properties": [
        "virtualMachines": [
          ["id": .string(machine.text), "ports": [], "publicIpAddress": "evil.example"],
          ["id": .string(machine.text + "2"), "ports": [], "publicIpAddress": "192.0.2.1"],
        ]
      ]
    ]
    let policy = JITPolicy(id: machine, tree: tree)
    #expect(policy.machines.map(\.publicIPAddress) == [nil, "192.0.2.1"])
  }
}
