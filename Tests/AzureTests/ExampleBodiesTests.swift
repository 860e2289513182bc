import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

/// The published examples of Azure's interface, where they lie beside the checkout.
///
/// They are not part of the repository: a clone without them skips these tests, and the fixtures of
/// the other suites cover the same shapes.
enum PublishedExamples {
  static let folder: String? = {
    let environment = Environment.current()
    let shared = environment["JITCONNECT_SHARED"] ?? "../shared"
    let folder = shared + "/azure/examples"
    return Files.kind(of: folder, followingLinks: true)?.isDirectory == true ? folder : nil
  }()

  static func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: try #require(folder))
      .filter { $0.hasSuffix(".json") }
  }

  static func document(_ name: String) throws -> JSONTree {
    try JSONTree(parsing: try Files.read(try #require(folder) + "/" + name))
  }

  /// The body of the answer of that status, as JSON text.
  static func body(_ name: String, status: Int = 200) throws -> String {
    try #require(try document(name)["responses", "\(status)", "body"]).jsonText
  }
}

@Suite(
  .enabled(
    if: PublishedExamples.folder != nil,
    "the published examples do not lie beside this checkout (../shared or JITCONNECT_SHARED)"))
struct ExampleBodiesTests {
  /// Every file of the folder: the ones that are used below, and the others with the reason.
  private static let used: Set<String> = [
    "compute.vm.get.json", "compute.vm.list-by-location.json", "compute.vm.start.json",
    "network.nic.get.json", "network.publicip.get.json", "resourcegraph.resources.basic.json",
    "resourcegraph.resources.first-page.json", "resourcegraph.resources.next-page.json",
    "resourcegraph.resources.managementgroups-2021-03-01.json",
    "resourcegraph.resources.properties-2021-03-01.json",
    "resourcegraph.resources.tenant-2021-03-01.json", "resources.subscriptions.list.json",
    "security.jit.get.json", "security.jit.initiate.json",
    "security.jit.list-resourcegroup-location.json", "security.jit.list-resourcegroup.json",
    "security.jit.list-subscription-location.json", "security.jit.list-subscription.json",
    "security.jit.put.json",
  ]

  private static let unused: [String: String] = [
    "authorization.permissions.list-resource.json": "permissions are not read yet",
    "authorization.permissions.list-resourcegroup.json": "permissions are not read yet",
    "compute.vm.create-ssh.json": "no machine is created",
    "compute.vm.deallocate.json": "no machine is stopped",
    "compute.vm.instance-view.json": "the view comes with the machine, by $expand",
    "compute.vm.runcommand.json": "no command is run on a machine",
    "insights.activitylog.filtered-selected.json": "the activity log is not read yet",
    "insights.activitylog.filtered.json": "the activity log is not read yet",
    "insights.eventcategories.json": "event categories are not asked for",
    "metadata.endpoints.2019-05-01.json": "the cloud's metadata belongs to the sign-in",
    "network.firewall.get.json": "firewalls are not read: the policy tells address and port",
    "network.firewall.list-subscription.json":
      "firewalls are not read: the policy tells address and port",
    "network.nic.effective-nsg.json": "security groups are not read yet",
    "network.nic.effective-routes.json": "routes are not read",
    "network.nic.list-all.json": "interfaces are read one by one, those of the machine alone",
    "network.nic.list-resourcegroup.json":
      "interfaces are read one by one, those of the machine alone",
    "network.nsg.get.json": "security groups are not read yet",
    "network.nsg.list-all.json": "security groups are not read yet",
    "network.nsg.rule-delete.json": "rules are not changed yet",
    "network.nsg.rule-get.json": "security groups are not read yet",
    "network.nsg.rule-list.json": "security groups are not read yet",
    "network.nsg.rule-put.json": "rules are not changed yet",
    "network.publicip.list-all.json": "addresses are read one by one, those of the machine alone",
    "network.watcher.get.json": "Network Watcher is not asked",
    "network.watcher.ip-flow-verify.json": "Network Watcher is not asked",
    "network.watcher.list-all.json": "Network Watcher is not asked",
    "network.watcher.security-group-view.json": "Network Watcher is not asked",
    "resources.subscriptions.get.json": "subscriptions are listed, never read alone",
    "resources.subscriptions.locations.json": "locations come with the machines",
    "resources.tenants.list-2022-12-01.json": "tenants are not listed yet",
    "resources.tenants.list.json": "tenants are not listed yet",
    "security.jit.delete.json": "policies are not deleted yet",
    "security.locations.get.json": "policies lie in the machine's region",
    "security.locations.list.json": "policies lie in the machine's region",
    "security.pricings.get-2018-06-01.json": "plans are not read yet",
    "security.pricings.get-virtualmachines-resource.json": "plans are not read yet",
    "security.pricings.get-virtualmachines.json": "plans are not read yet",
    "security.pricings.list-2018-06-01.json": "plans are not read yet",
  ]

  @Test("every example is used, or not used for a reason that is written down")
  func complete() throws {
    let names = Set(try PublishedExamples.names())
    #expect(names.subtracting(Self.used).subtracting(Self.unused.keys) == [])
    #expect(Self.used.union(Self.unused.keys).subtracting(names) == [])
    #expect(Self.used.isDisjoint(with: Self.unused.keys))
  }

  @Test("every example, used or not, is read and written again with the same value")
  func roundTrip() throws {
    for name in try PublishedExamples.names() {
      let tree = try PublishedExamples.document(name)
      #expect(try JSONTree(parsing: tree.bytes) == tree, "\(name)")
    }
  }

  @Test("a machine, its interface and its public address")
  func machine() async throws {
    let world = World()
    let machine = try PublishedExamples.body("compute.vm.get.json")
    let vm = try id(try #require(try tree(machine)["id"]?.text))
    world.azure.expect("GET \(URLText.path(vm.text))", .json(machine))
    let list = try tree(machine)["properties", "networkProfile", "networkInterfaces"]
    let interface = try #require(list?.elements.first?["id"]?.text)
    let example = try PublishedExamples.body("network.nic.get.json")
    world.azure.expect("GET \(URLText.path(interface))", .json(example))
    let network = "/subscriptions/subid/resourceGroups/rg1/providers/Microsoft.Network"
    world.azure.expect(
      "GET \(network)/publicIPAddresses/test-ip",
      .json(try PublishedExamples.body("network.publicip.get.json")))
    world.azure.expect(
      "GET \(network)/virtualNetworks/rg1-vnet/subnets/default", .error(403, "X"))
    let read = try await VirtualMachineDirectory(client: world.client).get(vm)
    #expect(read.name == "myVM")
    #expect(read.operatingSystem == .windows)
    #expect(read.vmID == "0f47b100-583c-48e3-a4c0-aefc2c9bbcc1")
    #expect(read.tags == ["myTag1": "tagValue1"])
    #expect(read.addresses.map(\.privateIPv4) == ["172.20.2.4"])
    // A dynamic address that is not given out has no text.
    #expect(read.addresses.first?.publicIPv4 == nil)
    #expect(read.addresses.first?.publicIP?.name == "test-ip")
    #expect(read.addresses.first?.networkSecurityGroup?.name == "nsg")
    world.azure.finish()
  }

  @Test("a list of machines")
  func machineList() async throws {
    let world = World()
    world.azure.expect(
      "GET /x", .json(try PublishedExamples.body("compute.vm.list-by-location.json")))
    let items = try await world.client.list("/x", .compute, purpose: "p")
    #expect(items.compactMap { ResourceID($0["id"]?.text) }.count == 2)
  }

  @Test("the answers to a start")
  func start() async throws {
    let example = try PublishedExamples.document("compute.vm.start.json")
    let location = try #require(example["responses", "202", "headers", "location"]?.text)
    // The example's host is a placeholder, and no token goes to it.
    let own = location.replacing("https://foo.com", with: FakeAzure.host)
    let vm = try id(JITPoliciesTests.vm)
    let world = World()
    world.azure.expect(
      "POST \(vm)/start", .json(""), .json("", status: 202, [("location", own)]),
      .json("", status: 202, [("location", location)]))
    world.azure.expect("GET /operationstatus", .json(""))
    let directory = VirtualMachineDirectory(client: world.client)
    try await directory.start(vm)
    try await directory.start(vm)
    let failure = await failure { try await directory.start(vm) }
    #expect(failure?.code == .azureAnswerInvalid)
    world.azure.finish()
  }

  @Test(
    "rows of Resource Graph",
    arguments: [
      ("basic", 3), ("first-page", 3), ("next-page", 3), ("managementgroups-2021-03-01", 3),
      ("properties-2021-03-01", 2), ("tenant-2021-03-01", 3),
    ])
  func graph(name: String, count: Int) async throws {
    let world = World()
    let body = try PublishedExamples.body("resourcegraph.resources.\(name).json")
    let graph = "POST /providers/Microsoft.ResourceGraph/resources"
    let token = try tree(body)["$skipToken"]?.text
    world.azure.expect(graph, .json(body))
    if token != nil { world.azure.expect(graph, .json(#"{"data":[]}"#)) }
    let rows = try await ResourceGraph(client: world.client).rows("q", purpose: "p")
    #expect(rows.count == count)
    #expect(world.azure.calls.last?.json?["options", "$skipToken"]?.text == token)
    world.azure.finish()
  }

  @Test("a list of subscriptions")
  func subscriptions() async throws {
    let world = World()
    // The link of the example is a placeholder.
    var body = try tree(try PublishedExamples.body("resources.subscriptions.list.json"))
    #expect(body["nextLink"]?.text == "...")
    body.remove("nextLink")
    world.azure.expect("GET /subscriptions", .json(body.jsonText))
    let read = try await VirtualMachineDirectory(client: world.client).subscriptions()
    #expect(read.map(\.name) == ["Example Subscription", "Example Subscription2"])
    #expect(read.allSatisfy { $0.state == "Enabled" && $0.tenantID != nil })
  }

  @Test(
    "lists of policies",
    arguments: [
      "resourcegroup-location", "resourcegroup", "subscription-location", "subscription",
    ])
  func policyList(name: String) async throws {
    let world = World()
    world.azure.expect(
      "GET /subscriptions/s/providers/Microsoft.Security/jitNetworkAccessPolicies",
      .json(try PublishedExamples.body("security.jit.list-\(name).json")))
    let policies = try await JITPolicies(client: world.client).list(subscription: "s")
    let machine = try #require(policies.first?.machines.first)
    #expect(machine.ports.map(\.number) == [22, 3389])
    #expect(machine.rule(for: 22)?.maximumDuration == .seconds(3 * 3600))
    #expect(machine.rule(for: 22)?.allowsAnySource == true)
    #expect(policies.first?.requests.first?.requestor == "barbara@contoso.com")
  }

  @Test("one policy, and the body that puts it back")
  func policy() async throws {
    let body = try PublishedExamples.body("security.jit.get.json")
    let policy = try #require(JITPolicy(tree: try tree(body)))
    #expect(policy.location == "westeurope")
    let window = try #require(policy.windows(of: policy.machines[0].id).first)
    #expect(window.port.status == .initiated)
    #expect(window.port.sources.map(\.text) == ["192.127.0.2"])
    #expect(window.requestor == "barbara@contoso.com")

    let example = try PublishedExamples.document("security.jit.put.json")
    let edit = EntryEdit(
      policy.machines[0].id,
      .ports(policy.machines[0].ports.map { PortChange(.set, number: $0.number) }))
    let sent = try #require(try PolicyEdit.apply([edit], in: policy.tree))
    let expected = try #require(example["parameters", "body"])
    #expect(sent["kind"] == expected["kind"])
    #expect(sent["properties", "virtualMachines"] == expected["properties", "virtualMachines"])
    let answer = try tree(try PublishedExamples.body("security.jit.put.json"))
    #expect(PolicyEdit.isDone([edit], in: answer))
  }

  @Test("a request for access, as it is sent and as it is answered")
  func initiate() async throws {
    let example = try PublishedExamples.document("security.jit.initiate.json")
    let sent = try #require(example["parameters", "body"])
    let entry = try #require(sent["virtualMachines"]?.elements.first)
    let vm = try id(try #require(entry["id"]?.text))
    let request = AccessRequest(
      machines: [
        .init(
          id: vm,
          ports: [
            .init(
              number: 3389, sources: [SourcePrefix(wire: "192.127.0.2")], duration: .seconds(3600))
          ])
      ], justification: "testing a new version of the product")
    #expect(sorted(try request.body()) == sorted(sent))

    let world = World()
    let policy = try id(JITPoliciesTests.policyID)
    world.azure.expect(
      "POST \(policy)/initiate",
      .json(try PublishedExamples.body("security.jit.initiate.json", status: 202), status: 202))
    let granted = try await JITPolicies(client: world.client).initiate(policy, request)
    // The example answers with another subscription's machine.
    let port = try #require(granted.port(3389, of: vm, at: 0))
    #expect(port.status == .initiating)
    #expect(port.end == Date(iso8601: "2018-07-12T09:53:03.3658798Z"))
  }

  /// The tree with every object's members in the order of their names.
  private func sorted(_ tree: JSONTree) -> JSONTree {
    switch tree {
    case .object(let members):
      .object(
        members.sorted { $0.name < $1.name }.map { JSONTree.Member($0.name, sorted($0.value)) })
    case .array(let elements): .array(elements.map(sorted))
    default: tree
    }
  }
}
