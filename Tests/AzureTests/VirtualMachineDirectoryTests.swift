import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

@Suite struct VirtualMachineDirectoryTests {
  static let graph = "POST /providers/Microsoft.ResourceGraph/resources"
  static let group = "/subscriptions/s1/resourceGroups/RG"
  static let vm = "\(group)/providers/Microsoft.Compute/virtualMachines/Web1"
  static let network = "\(group)/providers/Microsoft.Network"
  static let nic = "\(network)/networkInterfaces/nic1"
  static let pip = "\(network)/publicIPAddresses/pip1"
  static let subnet = "\(network)/virtualNetworks/v/subnets/n"
  static let nsg = "\(network)/networkSecurityGroups/nsg1"

  private func find(
    _ world: World, _ name: String = "web1", group: String? = nil, subscription: String? = nil
  ) async throws -> VirtualMachineDirectory.Matches {
    try await VirtualMachineDirectory(client: world.client).find(
      .init(name: name, resourceGroup: group, subscription: subscription))
  }

  /// One row of the query's answer.
  private func row(_ changes: (inout JSONTree) -> Void = { _ in }) -> JSONTree {
    var row: JSONTree = [
      "id": .string(Self.vm), "name": "Web1", "resourceGroup": "rg", "subscriptionId": "s1",
      "tenantId": "t1", "location": "westeurope", "zones": ["1"], "tags": ["role": "web"],
      "vmId": "AAAA", "osType": "Linux", "powerState": "PowerState/running",
      "adminUsername": "azureuser", "computerName": "web1", "nicId": .string(Self.nic),
      "nicPrimary": true, "ipPrimary": true, "privateIp": "10.0.0.4",
      "nicNsgId": .string(Self.nsg), "subnetKey": .string(Self.subnet.lowercased()),
      "subnetNsgId": "", "subnetKey1": .string(Self.subnet.lowercased()),
      "pipKey": .string(Self.pip.lowercased()),
      "publicIp": "198.51.100.7", "fqdn": "web1.example",
    ]
    changes(&row)
    return row
  }

  private func answer(_ rows: [JSONTree], token: String? = nil) -> FakeAzure.Reply {
    var tree: JSONTree = [
      "totalRecords": .number(String(rows.count)), "count": .number(String(rows.count)),
      "data": .array(rows), "facets": [], "resultTruncated": "false",
    ]
    if let token { tree.set("$skipToken", to: .string(token)) }
    return .json(tree.jsonText)
  }

  // MARK: Resource Graph

  @Test("a name is found everywhere by one query, with all that is needed to connect")
  func oneQuery() async throws {
    let world = World()
    world.azure.expect(Self.graph, answer([row()]))
    let matches = try await find(world)
    let machine = try #require(matches.machines.first)
    #expect(matches.cameFromGraph)
    #expect(machine.name == "Web1")
    #expect(machine.resourceGroup == "RG")
    #expect(machine.vmID == "aaaa")
    #expect(machine.operatingSystem == .linux)
    #expect(machine.powerState == .running)
    #expect(machine.tags == ["role": "web"])
    #expect(
      machine.addresses == [
        VMAddress(
          privateIPv4: "10.0.0.4", publicIPv4: "198.51.100.7", fqdn: "web1.example",
          isPrimary: true, networkInterface: try id(Self.nic),
          networkSecurityGroup: try id(Self.nsg),
          subnet: try id(Self.subnet), subnetSecurityGroup: .none, publicIP: try id(Self.pip))
      ])
    let body = try #require(world.azure.calls.first?.json)
    #expect(body["subscriptions"] == nil)
    #expect(body["options"] == ["$top": 1000, "resultFormat": "objectArray"])
    #expect(body["query"]?.text?.contains("where name =~ 'web1'\n") == true)
    #expect(body.members.map(\.name).sorted() == ["options", "query"])
    #expect(world.azure.calls.first?.query == "api-version=2021-03-01")
    world.azure.finish()
  }

  @Test("names and groups cannot leave their literal")
  func escaping() async throws {
    #expect(ResourceGraph.literal("a'b\\c\nd") == #"'a\'b\\c d'"#)
    let world = World()
    world.azure.expect(Self.graph, answer([row { $0.set("name", to: "x") }]))
    world.azure.expect("GET /subscriptions", .json(#"{"value":[]}"#))
    _ = try await find(world, "x' or 1==1 //", group: "g'")
    let query = world.azure.calls.first?.json?["query"]?.text ?? ""
    #expect(query.contains(#"where name =~ 'x\' or 1==1 //'"#))
    #expect(query.contains(#"where resourceGroup =~ 'g\''"#))
  }

  @Test("the query keeps to the limits of its language: three joins, two expansions")
  func queryLimits() {
    let query = VirtualMachineQuery.text(name: "x", resourceGroup: nil)
    #expect(query.split(separator: "join kind").count == 4)
    #expect(query.split(separator: "mv-expand").count == 3)
  }

  @Test("rows of one machine are folded, the primary address first")
  func folding() async throws {
    let world = World()
    let other = "\(Self.network)/networkInterfaces/nic2"
    world.azure.expect(
      Self.graph,
      answer([
        row {
          $0.set(
            "id",
            to: .string(Self.vm.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions")))
          $0.set("nicId", to: .string(other))
          $0.set("nicPrimary", to: false)
          $0.set("privateIp", to: "10.0.0.9")
        },
        row {
          $0.set("ipPrimary", to: .null)
          $0.set("privateIp", to: "10.0.0.5")
        },
        row(), row(),
      ]))
    let matches = try await find(world)
    #expect(matches.machines.count == 1)
    #expect(
      matches.machines.first?.addresses.map(\.privateIPv4) == ["10.0.0.4", "10.0.0.5", "10.0.0.9"])
    #expect(matches.machines.first?.addresses.map(\.isPrimary) == [true, false, false])
  }

  @Test("a subnet that could not be read is unknown, not without a group")
  func subnetUnknown() throws {
    let rows = [
      row { $0.set("subnetKey1", to: "") }, row { $0.remove("subnetKey1") }, row(),
      row { $0.set("subnetNsgId", to: .string(Self.nsg)) },
    ]
    let groups = rows.map {
      VirtualMachineQuery.machines([$0]).first?.addresses.first?.subnetSecurityGroup
    }
    #expect(
      groups == [.unknown, .unknown, VMAddress.SubnetSecurityGroup.none, .id(try id(Self.nsg))])
  }

  @Test("missing columns, nulls and empty texts are nothing, and never a trap")
  func sparse() throws {
    let rows: [JSONTree] = [
      ["id": .string(Self.vm)], ["id": .null], ["name": "x"], .null, "x",
      ["id": "/subscriptions/s/resourceGroups/g/providers/A.B/c/d"],
    ]
    let machines = VirtualMachineQuery.machines(rows)
    #expect(machines.count == 1)
    #expect(machines.first?.powerState == nil)
    #expect(machines.first?.addresses == [])
  }

  @Test("an exact spelling comes before others, and all are given")
  func exactFirst() async throws {
    let world = World()
    let lower = Self.vm.replacing("Web1", with: "web1").replacing("RG", with: "other")
    world.azure.expect(
      Self.graph, answer([row(), row { $0.set("id", to: .string(lower)) }]))
    #expect(try await find(world).machines.map(\.name) == ["web1", "Web1"])
  }

  @Test("pages follow the skip token, slower where the quota is used up")
  func pages() async throws {
    let world = World()
    var first = answer([row()], token: "T1")
    first.headers = [
      ("x-ms-user-quota-remaining", "0"), ("x-ms-user-quota-resets-after", "00:00:05"),
    ]
    world.azure.expect(
      Self.graph, first, answer([row { $0.set("privateIp", to: "10.0.0.5") }]))
    #expect(try await find(world).machines.first?.addresses.count == 2)
    #expect(world.azure.calls[1].json?["options", "$skipToken"]?.text == "T1")
    #expect(world.azure.calls[1].json?["query"] == world.azure.calls[0].json?["query"])
    #expect(world.time.sleeps == [.seconds(5)])
  }

  @Test("rows that come as a table are read too")
  func table() throws {
    let data = try tree(
      #"{"columns":[{"name":"id","type":"string"},{"name":"n"}],"rows":[["\#(Self.vm)",1],["x"]]}"#)
    #expect(ResourceGraph.objects(data).first?["n"]?.integer == 1)
    #expect(ResourceGraph.objects(data).count == 2)
  }

  @Test("a subscription narrows the query, by id at once, by name after a look")
  func subscription() async throws {
    let guid = "0B1F6471-1BF0-4DDA-AEC3-CB9272F09590"
    let world = World()
    world.azure.expect(Self.graph, answer([row()]), answer([row()]))
    world.azure.expect(
      "GET /subscriptions", .json(#"{"value":[{"subscriptionId":"s1","displayName":"Prod EU"}]}"#))
    _ = try await find(world, subscription: guid)
    _ = try await find(world, subscription: "prod eu")
    let bodies = world.azure.calls.compactMap { $0.json?["subscriptions"] }
    #expect(bodies == [[.string(guid.lowercased())], ["s1"]])
    world.azure.finish()
  }

  @Test("a subscription nobody knows is named, with those in sight")
  func unknownSubscription() async {
    let world = World()
    world.azure.expect(
      "GET /subscriptions", .json(#"{"value":[{"subscriptionId":"s1","displayName":"Prod EU"}]}"#))
    let failure = await failure { try await find(world, subscription: "nope") }
    #expect(failure?.code == .notFound)
    #expect(failure?.why == "in sight: Prod EU")
  }

  // MARK: Without Resource Graph

  private func expectMachine(_ azure: FakeAzure, status: String = "PowerState/running") {
    azure.expect(
      "GET \(Self.vm)",
      .json(
        """
        {"id":"\(Self.vm)","name":"Web1","location":"West Europe","tags":{"a":"b"},"zones":["2"],
         "resources":[{"id":"\(Self.vm)/extensions/AADSSHLoginForLinux"}],
         "properties":{"vmId":"BBBB","osProfile":{"computerName":"w","adminUsername":"adm"},
          "storageProfile":{"osDisk":{"osType":"Linux"}},
          "networkProfile":{"networkInterfaces":[{"id":"\(Self.nic)"}]},
          "instanceView":{"statuses":[{"code":"ProvisioningState/succeeded"},{"code":"\(status)"}]}}}
        """))
  }

  private func expectNetwork(_ azure: FakeAzure) {
    azure.expect(
      "GET \(Self.nic)",
      .json(
        """
        {"id":"\(Self.nic)","properties":{"networkSecurityGroup":{"id":"\(Self.nsg)"},
         "ipConfigurations":[
          {"properties":{"privateIPAddress":"fd00::4","privateIPAddressVersion":"IPv6"}},
          {"properties":{"privateIPAddress":"10.0.0.4","primary":true,
           "publicIPAddress":{"id":"\(Self.pip)"},"subnet":{"id":"\(Self.subnet)"}}}]}}
        """))
    azure.expect(
      "GET \(Self.pip)",
      .json(#"{"properties":{"ipAddress":"198.51.100.7","dnsSettings":{"fqdn":"f"}}}"#))
    azure.expect("GET \(Self.subnet)", .json(#"{"properties":{}}"#))
  }

  @Test(
    "where Resource Graph is refused, silent or ignorant, lists of each subscription are read",
    arguments: [
      [FakeAzure.Reply.error(403, "AccessDenied")], [.json(#"{"data":[],"count":0}"#)],
      [.json("", status: 429, [("Retry-After", "500")])], [.json("<html>")],
      [.error(503, "X"), .error(503, "X"), .error(503, "X"), .error(503, "X")],
    ])
  func fallBack(graph: [FakeAzure.Reply]) async throws {
    let world = World()
    for reply in graph { world.azure.expect(Self.graph, reply) }
    world.azure.expect(
      "GET /subscriptions",
      .json(
        #"{"value":[{"subscriptionId":"s1","state":"Enabled"},{"subscriptionId":"s2"},{"subscriptionId":"s3","state":"Deleted"}]}"#
      ))
    world.azure.expect(
      "GET /subscriptions/s1/providers/Microsoft.Compute/virtualMachines",
      .json(
        #"{"value":[{"id":"\#(Self.vm)2"}],"nextLink":"https://management.azure.com/more"}"#))
    world.azure.expect("GET /more", .json(#"{"value":[{"id":"\#(Self.vm)"}]}"#))
    world.azure.expect(
      "GET /subscriptions/s2/providers/Microsoft.Compute/virtualMachines", .error(403, "No"))
    expectMachine(world.azure)
    expectNetwork(world.azure)
    let matches = try await find(world)
    #expect(!matches.cameFromGraph)
    #expect(matches.machines.map(\.name) == ["Web1"])
    #expect(matches.machines.first?.addresses.first?.publicIPv4 == "198.51.100.7")
    #expect(matches.unread.count == 1)
    world.azure.finish()
  }

  @Test("where nothing may be listed, that is the failure, and not an unknown name")
  func nothingReadable() async {
    let world = World()
    world.azure.expect(Self.graph, .error(403, "AccessDenied"))
    world.azure.expect("GET /subscriptions", .json(#"{"value":[{"subscriptionId":"s1"}]}"#))
    world.azure.expect(
      "GET /subscriptions/s1/providers/Microsoft.Compute/virtualMachines", .error(403, "No"))
    let failure = await failure { try await find(world) }
    #expect(failure?.code == .notPermitted)
  }

  @Test("a network that is down is told at once, without the lists")
  func networkDown() async {
    let world = World()
    let reply = FakeAzure.Reply.broken(.nameNotFound)
    world.azure.expect(Self.graph, reply, reply, reply, reply)
    let failure = await failure { try await find(world) }
    #expect(failure?.code == .networkFailed)
    world.azure.finish()
  }

  // MARK: Compute and Network

  @Test("a machine is read with its state and addresses")
  func get() async throws {
    let world = World()
    expectMachine(world.azure)
    expectNetwork(world.azure)
    let machine = try await VirtualMachineDirectory(client: world.client).get(try id(Self.vm))
    #expect(machine.vmID == "bbbb")
    #expect(machine.location == "West Europe")
    #expect(machine.powerState == .running)
    #expect(machine.hasEntraLogin == true)
    #expect(machine.addresses.map(\.privateIPv4) == ["10.0.0.4"])
    #expect(machine.addresses.first?.subnetSecurityGroup == VMAddress.SubnetSecurityGroup.none)
    #expect(machine.addresses.first?.fqdn == "f")
    #expect(machine.unread == [])
    #expect(
      world.azure.calls.first?.query == "$expand=instanceView&api-version=2024-07-01")
    world.azure.finish()
  }

  @Test("what is known of a machine makes its parts be asked for once, and out of date ones again")
  func known() async throws {
    let world = World()
    expectMachine(world.azure)
    expectNetwork(world.azure)
    let old = "\(Self.network)/publicIPAddresses/old"
    world.azure.expect("GET \(old)", .error(404, "ResourceNotFound"))
    let known = VirtualMachine(
      id: try id(Self.vm), tenantID: "t1", location: "x",
      addresses: [
        VMAddress(isPrimary: true, networkInterface: try id(Self.nic), publicIP: try id(old))
      ])
    let machine = try await VirtualMachineDirectory(client: world.client).get(
      try id(Self.vm), known: known)
    #expect(machine.addresses.first?.publicIPv4 == "198.51.100.7")
    #expect(machine.tenantID == "t1")
    #expect(machine.unread == [])
    world.azure.finish()
  }

  @Test("an address that may not be read is a gap that is told")
  func gaps() async throws {
    let world = World()
    expectMachine(world.azure, status: "ProvisioningState/x")
    world.azure.expect(
      "GET \(Self.nic)",
      .json(
        #"{"properties":{"ipConfigurations":[{"properties":{"privateIPAddress":"10.0.0.4","publicIPAddress":{"id":"\#(Self.pip)"},"subnet":{"id":"\#(Self.subnet)"}}}]}}"#
      ))
    world.azure.expect("GET \(Self.pip)", .error(403, "AuthorizationFailed", "no right"))
    world.azure.expect("GET \(Self.subnet)", .error(403, "AuthorizationFailed", "no right"))
    let machine = try await VirtualMachineDirectory(client: world.client).get(try id(Self.vm))
    #expect(machine.powerState == nil)
    #expect(machine.addresses.first?.publicIPv4 == nil)
    #expect(machine.addresses.first?.publicIP == (try id(Self.pip)))
    #expect(machine.addresses.first?.subnetSecurityGroup == .unknown)
    #expect(machine.unread.count == 1)
    #expect(machine.unread.first?.hasPrefix("pip1: no right") == true)
  }

  @Test(
    "a machine that is gone is vm-not-found, with Azure's own words",
    arguments: [
      "ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound",
    ])
  func gone(code: String) async throws {
    let world = World()
    world.azure.expect("GET \(Self.vm)", .error(404, code, "It was not found."))
    let directory = VirtualMachineDirectory(client: world.client)
    let target = try id(Self.vm)
    let failure = await failure { try await directory.get(target) }
    #expect(failure?.code == .vmNotFound)
    #expect(failure?.what == "there is no virtual machine Web1 in RG")
    #expect(failure?.why?.contains("It was not found.") == true)
  }

  @Test(
    "machines of other kinds are named as what they are",
    arguments: [
      ("Microsoft.HybridCompute/machines/m", "an Arc machine"),
      (
        "Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0",
        "an instance of a scale set"
      ),
      ("Microsoft.ClassicCompute/virtualMachines/c", "a classic virtual machine"),
    ])
  func otherKinds(type: String, noun: String) async throws {
    let world = World()
    let directory = VirtualMachineDirectory(client: world.client)
    let target = try id("\(Self.group)/providers/\(type)")
    let failure = await failure { try await directory.get(target) }
    #expect(failure?.code == .vmUnsupported)
    #expect(failure?.what.hasSuffix(noun) == true)
  }

  @Test("a machine is started and waited for")
  func start() async throws {
    let world = World()
    world.azure.expect(
      "POST \(Self.vm)/start",
      .json("", status: 202, [("Azure-AsyncOperation", "https://management.azure.com/op")]))
    world.azure.expect(
      "GET /op", .json(#"{"status":"InProgress"}"#), .json(#"{"status":"Succeeded"}"#))
    var states: [String] = []
    try await VirtualMachineDirectory(client: world.client).start(try id(Self.vm)) {
      states.append($0)
    }
    #expect(states == ["InProgress", "Succeeded"])
    world.azure.finish()
  }

  @Test("a start that fails gives Azure's reason")
  func startFailed() async throws {
    let world = World()
    world.azure.expect(
      "POST \(Self.vm)/start",
      .json("", status: 202, [("Azure-AsyncOperation", "https://management.azure.com/op")]))
    world.azure.expect(
      "GET /op",
      .json(
        #"{"status":"Failed","error":{"code":"AllocationFailed","message":"Allocation failed."}}"#))
    let directory = VirtualMachineDirectory(client: world.client)
    let target = try id(Self.vm)
    let failure = await failure { try await directory.start(target) }
    #expect(failure?.code == .vmStartFailed)
    #expect(failure?.why?.hasPrefix("Allocation failed.") == true)
  }

  // MARK: Names and memory

  @Test("names near to a mistyped one are ranked: prefixes first, then by edits")
  func near() async throws {
    let world = World()
    let names = ["web10", "wbe1", "zzz", "web1-old", "myweb1", "we1"]
    world.azure.expect(
      Self.graph,
      answer(
        names.map {
          ["id": .string("\(Self.group)/providers/Microsoft.Compute/virtualMachines/\($0)")]
        }
      ))
    let near = try await VirtualMachineDirectory(client: world.client).near(.init(name: "Web1"))
    #expect(near.map(\.name) == ["web1-old", "web10", "myweb1", "wbe1", "we1"])
  }

  @Test(
    "edits between names",
    arguments: [
      ("", "", 0), ("a", "", 1), ("web", "wbe", 1), ("web1", "web2", 1), ("kitten", "sitting", 3),
    ])
  func edits(left: String, right: String, expected: Int) {
    #expect(NameDistance.edits(Array(left), Array(right)) == expected)
    #expect(NameDistance.edits(Array(right), Array(left)) == expected)
  }

  @Test("a machine survives the disk, under keys that stay")
  func codable() throws {
    let machine = try #require(VirtualMachineQuery.machines([row()]).first)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(machine)
    #expect(try JSONDecoder().decode(VirtualMachine.self, from: data) == machine)
    let keys = try JSONTree(parsing: Array(data)).members.map(\.name)
    #expect(
      keys == [
        "addresses", "admin", "host", "id", "location", "os", "power", "tags", "tenant", "unread",
        "vmId", "zones",
      ])
  }
}
