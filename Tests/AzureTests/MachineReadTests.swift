import FoundationEssentials
import Platform
import Testing

@testable import Azure

@Suite struct MachineReadTests {
  @Test("a machine is read with its state and addresses")
  func get() async throws {
    let world = World()
    Fixture.expectMachine(world.azure)
    Fixture.expectNetwork(world.azure)
    let machine = try await VirtualMachineDirectory(client: world.client).get(try id(Fixture.vm))
    #expect(machine.vmID == "bbbbbbbb-1111-2222-3333-444444444444")
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
    Fixture.expectMachine(world.azure)
    Fixture.expectNetwork(world.azure)
    let old = "\(Fixture.network)/publicIPAddresses/old"
    world.azure.expect("GET \(old)", .error(404, "ResourceNotFound"))
    let known = VirtualMachine(
      id: try id(Fixture.vm), tenantID: "t1", location: "x",
      addresses: [
        VMAddress(isPrimary: true, networkInterface: try id(Fixture.nic), publicIP: try id(old))
      ])
    let machine = try await VirtualMachineDirectory(client: world.client).get(
      try id(Fixture.vm), known: known)
    #expect(machine.addresses.first?.publicIPv4 == "198.51.100.7")
    #expect(machine.tenantID == "t1")
    #expect(machine.unread == [])
    world.azure.finish()
  }

  @Test("an address that may not be read is a gap that is told")
  func gaps() async throws {
    let world = World()
    Fixture.expectMachine(world.azure, status: "ProvisioningState/x")
    world.azure.expect(
      "GET \(Fixture.nic)",
      .json(
        #"{"properties":{"ipConfigurations":[{"properties":{"privateIPAddress":"10.0.0.4","publicIPAddress":{"id":"\#(Fixture.pip)"},"subnet":{"id":"\#(Fixture.subnet)"}}}]}}"#
      ))
    world.azure.expect("GET \(Fixture.pip)", .error(403, "AuthorizationFailed", "no right"))
    world.azure.expect("GET \(Fixture.subnet)", .error(403, "AuthorizationFailed", "no right"))
    let machine = try await VirtualMachineDirectory(client: world.client).get(try id(Fixture.vm))
    #expect(machine.powerState == nil)
    #expect(machine.addresses.first?.publicIPv4 == nil)
    #expect(machine.addresses.first?.publicIP == (try id(Fixture.pip)))
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
    world.azure.expect("GET \(Fixture.vm)", .error(404, code, "It was not found."))
    let directory = VirtualMachineDirectory(client: world.client)
    let target = try id(Fixture.vm)
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
    let target = try id("\(Fixture.group)/providers/\(type)")
    let failure = await failure { try await directory.get(target) }
    #expect(failure?.code == .vmUnsupported)
    #expect(failure?.what.hasSuffix(noun) == true)
  }

  @Test("a machine is started and waited for")
  func start() async throws {
    let world = World()
    world.azure.expect(
      "POST \(Fixture.vm)/start",
      .json("", status: 202, [("Azure-AsyncOperation", "https://management.azure.com/op")]))
    world.azure.expect(
      "GET /op", .json(#"{"status":"InProgress"}"#), .json(#"{"status":"Succeeded"}"#))
    var states: [String] = []
    try await VirtualMachineDirectory(client: world.client).start(try id(Fixture.vm)) {
      states.append($0)
    }
    #expect(states == ["InProgress", "Succeeded"])
    world.azure.finish()
  }

  @Test("a start that fails gives Azure's reason")
  func startFailed() async throws {
    let world = World()
    world.azure.expect(
      "POST \(Fixture.vm)/start",
      .json("", status: 202, [("Azure-AsyncOperation", "https://management.azure.com/op")]))
    world.azure.expect(
      "GET /op",
      .json(
        #"{"status":"Failed","error":{"code":"AllocationFailed","message":"Allocation failed."}}"#))
    let directory = VirtualMachineDirectory(client: world.client)
    let target = try id(Fixture.vm)
    let failure = await failure { try await directory.start(target) }
    #expect(failure?.code == .vmStartFailed)
    #expect(failure?.why?.hasPrefix("Allocation failed.") == true)
  }
}
