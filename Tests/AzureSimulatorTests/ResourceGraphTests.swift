import Testing

@testable import AzureSimulator

@Suite struct ResourceGraphTests {
  /// The query of the contract, with a filter put in.
  static func query(_ filter: String) -> String {
    """
    Resources
    | where type =~ 'microsoft.compute/virtualmachines'
    | where \(filter)
    | project id, name, resourceGroup, subscriptionId, tenantId, location, zones, tags,
        vmKey = tolower(id), vmId = tostring(properties.vmId),
        osType = tostring(properties.storageProfile.osDisk.osType),
        powerState = tostring(properties.extended.instanceView.powerState.code),
        adminUsername = tostring(properties.osProfile.adminUsername),
        image = properties.storageProfile.imageReference
    | join kind=leftouter (
        Resources
        | where type =~ 'microsoft.network/networkinterfaces' and isnotnull(properties.virtualMachine)
        | extend nIp = array_length(properties.ipConfigurations)
        | mv-expand ip = properties.ipConfigurations
        | project vmKey = tolower(tostring(properties.virtualMachine.id)), nicId = id,
            nicPrimary = tobool(properties.primary), ipPrimary = nIp == 1 or tobool(ip.properties.primary),
            privateIp = tostring(ip.properties.privateIPAddress),
            nicNsgId = tostring(properties.networkSecurityGroup.id),
            subnetKey = tolower(tostring(ip.properties.subnet.id)),
            pipKey = tolower(tostring(ip.properties.publicIPAddress.id))
      ) on vmKey
    | join kind=leftouter (
        Resources
        | where type =~ 'microsoft.network/publicipaddresses'
        | project pipKey = tolower(id), publicIp = tostring(properties.ipAddress), fqdn = tostring(properties.dnsSettings.fqdn)
      ) on pipKey
    | join kind=leftouter (
        Resources
        | where type =~ 'microsoft.network/virtualnetworks'
        | mv-expand subnet = properties.subnets limit 400
        | project subnetKey = tolower(tostring(subnet.id)), subnetNsgId = tostring(subnet.properties.networkSecurityGroup.id)
      ) on subnetKey
    | project-away vmKey, vmKey1, pipKey, pipKey1, subnetKey1
    | order by subscriptionId asc, resourceGroup asc, name asc, id asc
    """
  }

  static let columns = [
    "id", "name", "resourceGroup", "subscriptionId", "tenantId", "location", "zones", "tags",
    "vmId", "osType", "powerState", "adminUsername", "image", "nicId", "nicPrimary", "ipPrimary",
    "privateIp", "nicNsgId", "subnetKey", "publicIp", "fqdn", "subnetNsgId",
  ]

  private func fleet() throws -> TestAzure {
    var web = SimulatedMachine("Web1")
    web.resourceGroup = "RG-Demo"
    web.extraInterfaces = 1
    web.publicAddress = .fixed("198.51.100.20")
    var other = SimulatedMachine("web2")
    other.securityGroup = .both
    other.publicAddress = .dynamic("198.51.100.21")
    other.power = .deallocated
    other.hasOSProfile = false
    var odd = SimulatedMachine("new")
    odd.knownToGraph = false
    return try TestAzure(SimulatorConfiguration(machines: [web, other, odd]))
  }

  @Test("the contract's query answers a row for each IP configuration with its columns")
  func contractQuery() throws {
    let azure = try fleet()
    let answer = try azure.query(Self.query("name =~ 'WEB1'"))
    #expect(answer.status == 200, "\(answer.text)")
    let rows = answer.json["data"]?.elements ?? []
    #expect(rows.count == 2)
    #expect(rows.first?.members?.map(\.name) == Self.columns)
    #expect(rows.first?["publicIp"] == "198.51.100.20")
    #expect(rows.first?["resourceGroup"] == "rg-demo")
    #expect(rows.first?["nicPrimary"] == true)
    #expect(rows.last?["nicPrimary"] == false)
    #expect(rows.last?["publicIp"] == "")
    #expect(answer.json["resultTruncated"] == "false")
    #expect(answer.headers["x-ms-user-quota-remaining"] != nil)
  }

  @Test("a dynamic address is empty while the machine is off, a missing profile too")
  func emptyValues() throws {
    let azure = try fleet()
    let id = azure.machineID("web2").uppercased()
    let row = try azure.query(Self.query("id =~ '\(id)'")).json["data"]?.elements?.first
    #expect(row?["publicIp"] == "")
    #expect(row?["adminUsername"] == "")
    #expect(row?["powerState"] == "PowerState/deallocated")
    #expect(row?["subnetNsgId"]?.text?.hasSuffix("/rg-demo-subnet-nsg") == true)
    azure.simulator.change { $0.graphEmptyIsNull = true }
    #expect(try azure.query(Self.query("name =~ 'web2'")).text.contains("\"publicIp\":null"))
    azure.simulator.change { $0.graphOmitsEmpty = true }
    #expect(try !azure.query(Self.query("name =~ 'web2'")).text.contains("publicIp"))
  }

  @Test(
    "filters: names, groups, prefixes, lists, escapes",
    arguments: [
      ("name =~ 'nobody'", 0), ("name == 'web1'", 0), ("name == 'Web1'", 2),
      ("name startswith 'WEB'", 3), ("name contains 'eb2'", 1), ("name endswith 'B2'", 1),
      ("name in~ ('web1', 'web2')", 3),
      ("name =~ 'web1' and resourceGroup =~ 'RG-DEMO'", 2),
      ("name =~ 'web1' or name =~ 'web2'", 3), ("(name =~ 'web2')", 1), ("name =~ 'it\\'s'", 0),
      ("name =~ 'new'", 0),
    ])
  func filters(filter: String, count: Int) throws {
    let answer = try fleet().query(Self.query(filter))
    #expect(answer.json["count"]?.integer == count, "\(answer.text)")
  }

  @Test(
    "what is not recognised is refused as a parser failure",
    arguments: [
      "", "Resources", "Resources | where type =~ 'microsoft.compute/virtualmachines'",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project id | summarize count()",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project x = tostring(properties.nope)",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project id, id",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | where name =~ 'a | project id",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | where name =~ a | project id",
      "securityresources | where type == 'x' | project id",
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project id; drop",
      query("name =~ 'a'") + " | project-away nope",
      query("name =~ 'a'") + " | join kind=inner (Resources) on id",
    ])
  func refusals(text: String) throws {
    let answer = try fleet().query(text)
    #expect(answer.status == 400)
    #expect(answer.text.contains("ParserFailure"))
  }

  @Test("more than three joins are refused")
  func joins() throws {
    let join =
      " | join kind=leftouter (Resources | where type =~ 'microsoft.network/publicipaddresses' | project id, fqdn = tostring(properties.dnsSettings.fqdn)) on id"
    let base = "Resources | where type =~ 'microsoft.compute/virtualmachines' | project id"
    #expect(try fleet().query(base + join + join + join).status == 200)
    #expect(try fleet().query(base + join + join + join + join).status == 400)
  }

  @Test("5,000 machines: one name in one small answer, all of them page by page")
  func scale() throws {
    let machines = (0..<5000).map { number -> SimulatedMachine in
      var machine = SimulatedMachine("vm\(number)")
      machine.resourceGroup = "rg-\(number % 50)"
      return machine
    }
    let azure = try TestAzure(SimulatorConfiguration(machines: machines))
    #expect(try azure.query(Self.query("name =~ 'vm4711'")).json["count"] == 1)

    let list =
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name | order by id asc"
    var seen: Set<String> = []
    var token: JSON?
    repeat {
      var options: JSON = ["$top": 1000, "resultFormat": "objectArray"]
      options["$skipToken"] = token
      let page = try azure.query(list, options: options).json
      for row in page["data"]?.elements ?? [] { seen.insert(row["name"]?.text ?? "") }
      token = page["$skipToken"]
    } while token != nil && seen.count < 5000
    #expect(seen.count == 5000)
    let cut = try azure.query(
      "Resources | where type =~ 'microsoft.compute/virtualmachines' | project name")
    #expect(cut.json["resultTruncated"] == "true")
    #expect(cut.json["$skipToken"] == nil)
  }

  @Test("throttled, denied, and limited to what the caller may read")
  func limits() throws {
    let azure = try fleet()
    azure.simulator.change { $0.graphIsThrottled = true }
    let throttled = try azure.query(Self.query("name =~ 'web1'"))
    #expect(throttled.status == 429)
    #expect(throttled.headers["x-ms-user-quota-resets-after"] != nil)
    azure.simulator.change {
      $0.graphIsThrottled = false
      $0.graphIsDenied = true
    }
    #expect(try azure.query(Self.query("name =~ 'web1'")).code == "AccessDenied")

    var configuration = SimulatorConfiguration(machines: [SimulatedMachine("web1")])
    configuration.identities[0].grants = []
    let stranger = try TestAzure(configuration)
    #expect(try stranger.query(Self.query("name =~ 'web1'")).json["count"] == 0)
  }

  @Test("a network that the caller may not read leaves its columns empty")
  func unreadableNetwork() throws {
    var configuration = SimulatorConfiguration(machines: [SimulatedMachine("web1")])
    configuration.identities[0].grants = [
      .init(actions: ["*/read"], notActions: ["Microsoft.Network/virtualNetworks/*"])
    ]
    let azure = try TestAzure(configuration)
    let text = Self.query("name =~ 'web1'").replacing(
      "| project-away", with: "| extend subnetRead = isnotempty(subnetKey1)\n| project-away")
    let row = try azure.query(text).json["data"]?.elements?.first
    #expect(row?["subnetRead"] == false)
    let all = try fleet().query(text).json["data"]?.elements?.first
    #expect(all?["subnetRead"] == true)
    #expect(row?["subnetKey"]?.text?.isEmpty == false)
    #expect(row?["nicNsgId"]?.text?.isEmpty == false)
  }

  @Test("names that resemble a mistyped one can be listed")
  func nearNames() throws {
    let azure = try fleet()
    let answer = try azure.query(
      """
      Resources
      | where type =~ 'microsoft.compute/virtualmachines'
      | where name startswith 'w' or name contains 'wbe1' or name endswith 'be1'
      | where resourceGroup =~ 'rg-demo'
      | project id, name, resourceGroup, subscriptionId
      | order by name asc, id asc
      """)
    #expect(answer.json["data"]?.elements?.map { $0["name"] } == ["Web1", "web2"])
  }
}
