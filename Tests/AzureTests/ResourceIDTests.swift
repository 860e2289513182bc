import FoundationEssentials
import Platform
import Testing

@testable import Azure

@Suite struct ResourceIDTests {
  static let vm =
    "/subscriptions/S1/resourcegroups/RG/providers/microsoft.compute/virtualMachines/Web1"

  @Test("an id keeps its spelling and compares without case")
  func spelling() throws {
    let id = try id(Self.vm)
    #expect(id.text == Self.vm)
    #expect(
      id == ResourceID(Self.vm.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions")))
    #expect(Set([id, try self.id(Self.vm.lowercased())]).count == 1)
    #expect((id.subscription, id.resourceGroup, id.name) == ("S1", "RG", "Web1"))
    #expect(id.isType("Microsoft.Compute/VirtualMachines"))
  }

  private func id(_ text: String) throws -> ResourceID { try ResourceID(parsing: text) }

  @Test(
    "types of nested, extension and bare ids",
    arguments: [
      ("/subscriptions/s", "", "s"),
      ("/subscriptions/s/resourceGroups/g", "", "g"),
      (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
        "Microsoft.Network/virtualNetworks/subnets", "n"
      ),
      (
        "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/providers/E.F/g/h", "E.F/g", "h"
      ),
      ("/subscriptions/s/providers/A.B/c/d", "A.B/c", "d"),
    ])
  func types(text: String, type: String, name: String) throws {
    let id = try id(text)
    #expect((id.type, id.name) == (type, name))
  }

  @Test(
    "what is no id, or could steer a request elsewhere, is refused",
    arguments: [
      "", "web1", "subscriptions/s", "/", "/subscriptions", "/subscriptions/", "/subscriptions//x",
      "/subscriptions/s/", "/subscriptions/subscriptions/s", "/subscriptions//subscriptions/s",
      "/subscriptions/s/resourceGroups/resourceGroups/g",
      "/subscriptions/s/resourceGroups/providers/g/A.B/c/d",
      "/subscriptions/s/resourceGroups/../providers/A.B/c/d",
      "/subscriptions/s/resourceGroups/./providers/A.B/c/d",
      "/subscriptions/s/resourceGroups/g?x=1", "/subscriptions/s/resourceGroups/g#f",
      "/subscriptions/s/resourceGroups/g%2e", "/subscriptions/s/resourceGroups/g\n",
      "/subscriptions/s/resourceGroups/g h", "/subscriptions/s/resourceGroups/g\u{1B}[0m",
      "/subscriptions/s/resourceGroups/g\\h", "/subscriptions/s/resourceGroups/g/providers/A.B",
      "/subscriptions/s/resourceGroups/g/providers/A.B/c",
      "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/e",
      "/subscriptions/s/subscriptions/t", "/subscriptions/" + String(repeating: "a", count: 3000),
    ])
  func refused(text: String) {
    #expect(ResourceID(text) == nil)
  }

  @Test("parts that would change the kind of an id are refused when it is built")
  func builders() throws {
    let id = try ResourceID.virtualMachine(subscription: "s", resourceGroup: "g", name: "v")
    #expect(
      id.text == "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v")
    #expect(throws: Failure.self) {
      try ResourceID.virtualMachine(subscription: "s", resourceGroup: "g", name: "v/extensions/e")
    }
    #expect(throws: Failure.self) {
      try ResourceID.virtualMachine(subscription: "s", resourceGroup: "", name: "v")
    }
    let policy = try ResourceID.policy(
      subscription: "s", resourceGroup: "g", location: "West Europe", name: "default")
    #expect(policy.segment(after: "locations") == "westeurope")
  }

  @Test("an id survives the disk")
  func codable() throws {
    let id = try id(Self.vm)
    let data = try JSONEncoder().encode([id])
    #expect(try JSONDecoder().decode([ResourceID].self, from: data).first?.text == Self.vm)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([ResourceID].self, from: Data(#"["/subscriptions/../x"]"#.utf8))
    }
  }
}

@Suite struct TargetNameTests {
  @Test("the three forms of a target")
  func forms() throws {
    #expect(try TargetName(parsing: "web1") == .name("web1"))
    #expect(try TargetName(parsing: "prod (eu)/web1".replacing(" ", with: "_")).name == "web1")
    #expect(try TargetName(parsing: "Grp/web_1.x") == .inGroup("Grp", name: "web_1.x"))
    #expect(try TargetName(parsing: ResourceIDTests.vm).name == "Web1")
    #expect(try TargetName(parsing: "grüppe/web1").description == "grüppe/web1")
  }

  @Test(
    "what can name no machine is refused as usage",
    arguments: [
      "", "a/", "/b", "a/b/c", "..", "../x", "-x", "a b", "a'b", "a\u{7}", "a;b", "$(x)", "a:22",
      "/subscriptions/s/resourceGroups/../x", String(repeating: "a", count: 91), "a\nb", "*",
    ])
  func refused(text: String) async {
    let failure = await failure { try TargetName(parsing: text) }
    #expect(failure?.code == .usage)
  }
}
