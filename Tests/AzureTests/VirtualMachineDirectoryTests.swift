import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

@Suite struct VirtualMachineDirectoryTests {
  static let graph = "POST /providers/Microsoft.ResourceGraph/resources"
  private func find(
    _ world: World, _ name: String = "web1", group: String? = nil, subscription: String? = nil
  ) async throws -> VirtualMachineDirectory.Matches {
    try await VirtualMachineDirectory(client: world.client).find(
      .init(name: name, resourceGroup: group, subscription: subscription))
  }

  /// One row of the query's answer.
  private func row(_ changes: (inout JSONTree) -> Void = { _ in }) -> JSONTree {
    var row: JSONTree = [
      "id": .string(Fixture.vm), "name": "Web1", "resourceGroup": "rg", "subscriptionId": "s1",
      "tenantId": "t1", "location": "westeurope", "zones": ["1"], "tags": ["role": "web"],
      "vmId": "AAAAAAAA-1111-2222-3333-444444444444", "osType": "Linux",
      "powerState": "PowerState/running", "adminUsername": "azureuser", "computerName": "web1",
      "nicId": .string(Fixture.nic),
      "nicPrimary": true, "ipPrimary": true, "privateIp": "10.0.0.4",
      "nicNsgId": .string(Fixture.nsg), "subnetKey": .string(Fixture.subnet.lowercased()),
      "subnetNsgId": "", "subnetKey1": .string(Fixture.subnet.lowercased()),
      "pipKey": .string(Fixture.pip.lowercased()),
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
    #expect(machine.vmID == "aaaaaaaa-1111-2222-3333-444444444444")
    #expect(machine.operatingSystem == .linux)
    #expect(machine.powerState == .running)
    #expect(machine.tags == ["role": "web"])
    #expect(
      machine.addresses == [
        VMAddress(
          privateIPv4: "10.0.0.4", publicIPv4: "198.51.100.7", fqdn: "web1.example",
          isPrimary: true, networkInterface: try id(Fixture.nic),
          networkSecurityGroup: try id(Fixture.nsg),
          subnet: try id(Fixture.subnet), subnetSecurityGroup: .none, publicIP: try id(Fixture.pip))
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
    let other = "\(Fixture.network)/networkInterfaces/nic2"
    world.azure.expect(
      Self.graph,
      answer([
        row {
          $0.set(
            "id",
            to: .string(Fixture.vm.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions"))
          )
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
      row { $0.set("subnetNsgId", to: .string(Fixture.nsg)) },
    ]
    let groups = rows.map {
      VirtualMachineQuery.machines([$0]).first?.addresses.first?.subnetSecurityGroup
    }
    #expect(
      groups == [.unknown, .unknown, VMAddress.SubnetSecurityGroup.none, .id(try id(Fixture.nsg))])
  }

  @Test("missing columns, nulls and empty texts are nothing, and never a trap")
  func sparse() throws {
    let rows: [JSONTree] = [
      ["id": .string(Fixture.vm)], ["id": .null], ["name": "x"], .null, "x",
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
    let lower = Fixture.vm.replacing("Web1", with: "web1").replacing("RG", with: "other")
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
      #"{"columns":[{"name":"id","type":"string"},{"name":"n"}],"rows":[["\#(Fixture.vm)",1],["x"]]}"#
    )
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

  @Test(
    "where Resource Graph is refused, silent or ignorant, lists of each subscription are read",
    arguments: [
      [FakeAzure.Reply.error(403, "AccessDenied")], [.json(#"{"data":[],"count":0}"#)],
      [.json("", status: 429, [("Retry-After", "500")])], [.json("<html>")],
      [.error(503, "X")],
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
        #"{"value":[{"id":"\#(Fixture.vm)2"}],"nextLink":"https://management.azure.com/more"}"#))
    world.azure.expect("GET /more", .json(#"{"value":[{"id":"\#(Fixture.vm)"}]}"#))
    world.azure.expect(
      "GET /subscriptions/s2/providers/Microsoft.Compute/virtualMachines", .error(403, "No"))
    Fixture.expectMachine(world.azure)
    Fixture.expectNetwork(world.azure)
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

  // MARK: Names and memory

  @Test("names near to a mistyped one are ranked: prefixes first, then by edits")
  func near() async throws {
    let world = World()
    let names = ["web10", "wbe1", "zzz", "web1-old", "myweb1", "we1"]
    world.azure.expect(
      Self.graph,
      answer(
        names.map {
          ["id": .string("\(Fixture.group)/providers/Microsoft.Compute/virtualMachines/\($0)")]
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
