import Identity
import Platform
import Testing

@testable import Azure

@Suite struct FleetTests {
  private static let graph = "POST /providers/Microsoft.ResourceGraph/resources"

  private func id(_ name: String, _ type: String = "Compute/virtualMachines") -> String {
    "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.\(type)/\(name)"
  }

  /// A row for each pair of a machine and an interface.
  private func page(
    _ rows: (machine: String, interface: String)..., next: String? = nil
  ) -> FakeAzure.Reply {
    let data = rows.map { row -> JSONTree in
      [
        "id": .string(id(row.machine)), "location": "westeurope",
        "tags": ["Role": .string(row.machine)], "nicPrimary": .boolean(row.interface == "a"),
        "ipPrimary": true,
        "nicId": .string(id(row.machine + row.interface, "Network/networkInterfaces")),
      ]
    }
    var body: JSONTree = ["data": .array(data)]
    if let next { body.set("$skipToken", to: .string(next)) }
    return .json(body.jsonText)
  }

  private func fleet(
    _ world: World, _ filter: FleetFilter = FleetFilter(), tenants: [String] = []
  ) async throws -> (pages: [[String]], machines: [VirtualMachine], unread: [String]) {
    let directory = VirtualMachineDirectory(client: world.client) { () async throws(Failure) in
      tenants
    }
    var pages: [[String]] = []
    var machines: [VirtualMachine] = []
    let unread = try await directory.fleet(filter) { page throws(Failure) in
      pages.append(page.map(\.name))
      machines += page
    }
    return (pages, machines, unread)
  }

  @Test("a machine whose rows lie on two pages is given once, whole, and pages go out as they come")
  func twoPages() async throws {
    let world = World()
    world.azure.expect(
      Self.graph, page(("v1", "a"), ("v2", "a"), next: "x"), page(("v2", "b"), ("v3", "a")))
    let found = try await fleet(world)
    #expect(found.pages == [["v1"], ["v2", "v3"]])
    #expect(found.machines.map(\.addresses.count) == [1, 2, 1])
    #expect(world.azure.calls.last?.json?["options", "$skipToken"] == "x")
    world.azure.finish()
  }

  @Test("filters that Azure sifts by are in the query, tags are sifted here without letter case")
  func filters() async throws {
    let world = World()
    world.azure.expect(Self.graph, page(("v1", "a"), ("v2", "a")))
    let filter = FleetFilter(
      resourceGroup: "RG", tags: [try FleetFilter.Tag(parsing: "role=v2")])
    #expect(try await fleet(world, filter).pages == [["v2"]])
    let query = world.azure.calls.first?.json?["query"]?.text ?? ""
    #expect(query.contains("| where resourceGroup =~ 'RG'"))
    #expect(!query.contains("role"))
  }

  @Test("every tenant signed in to is asked; what both see is given once; one may refuse")
  func tenants() async throws {
    let world = World()
    world.azure.expect(
      Self.graph, page(("v1", "a")), page(("v1", "a"), ("v2", "a")),
      .error(400, "BadRequest", "no"))
    world.azure.expect("GET /subscriptions", .error(403, "AuthorizationFailed", "no"))
    let found = try await fleet(world, tenants: ["t1", "t2", "t3"])
    #expect(found.pages == [["v1"], ["v2"]])
    #expect(found.unread.count == 1)
    #expect(found.unread.first?.hasPrefix("tenant t3: ") == true)
    #expect(Set(world.tokens.requests.compactMap(\.tenant)) == ["t1", "t2", "t3"])
    world.azure.finish()
  }

  @Test("a failure after the first page is a failure: a second way would give machines again")
  func failureInBetween() async throws {
    let world = World()
    world.azure.expect(
      Self.graph, page(("v1", "a"), ("v2", "a"), next: "x"), .error(400, "BadRequest", "no"))
    #expect(await failure { try await fleet(world) }?.code == .azureRefused)
    world.azure.finish()
  }
}
