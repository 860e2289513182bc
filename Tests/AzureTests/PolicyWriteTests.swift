import Platform
import Testing

@testable import Azure

/// Rules as a change that names every field of them.
private func edit(_ rules: [PortRule], on machine: ResourceID) -> EntryEdit {
  EntryEdit(
    machine,
    .ports(
      rules.map {
        PortChange(
          .set, number: $0.number, protocol: $0.protocol, sources: $0.allowedSources,
          maximum: $0.maximumDuration)
      }))
}

private func applied(
  _ rules: [PortRule], on machine: ResourceID, in tree: JSONTree?
) throws -> JSONTree {
  try #require(try PolicyEdit.apply([edit(rules, on: machine)], in: tree))
}

private func written(
  _ world: World, _ machine: VirtualMachine, _ rules: [PortRule], known: [JITPolicy],
  dropping: [ResourceID] = []
) async throws -> JITPolicies.Written {
  let policy = try JITPolicies.home(of: machine, among: known)
  try JITPolicies.checkNames(policy, machine)
  let edits = [edit(rules, on: machine.id)]
  return try await JITPolicies(client: world.client).write(
    policy, purpose: "enable just-in-time access on \(machine.name)",
    isDone: { PolicyEdit.isDone(edits, dropping: dropping, in: $0) },
    edit: { tree throws(Failure) in
      try PolicyEdit.apply(edits, dropping: dropping, in: tree)
    })
}

@Suite struct PolicyEditTests {
  @Test("the portal's values widen no rule that somebody else has put there meanwhile")
  func neverWidens() throws {
    let before = try tree(existing)
    let bare = EntryEdit(try id(Self.vm), .ports([PortChange(.set, number: 22)]))
    let body = try #require(try PolicyEdit.apply([bare], in: before))
    #expect(PolicyEdit.machines(of: body) == PolicyEdit.machines(of: before))
    #expect(PolicyEdit.isDone([bare], in: before))
  }

  @Test("the order of members is no difference; a value is")
  func memberOrder() throws {
    let one = try tree(#"{"a":[{"x":1,"y":"2"}],"b":null}"#)
    #expect(one.isSame(as: try tree(#"{"b":null,"a":[{"y":"2","x":1}]}"#)))
    #expect(!one.isSame(as: try tree(#"{"b":null,"a":[{"y":"3","x":1}]}"#)))
  }

  private static let vm = JITPoliciesTests.vm

  @Test("a new policy is the body of the contract, with the portal's defaults")
  func newPolicy() throws {
    let body = try applied([PortRule(number: 22)], on: try id(Self.vm), in: nil)
    #expect(
      body.jsonText
        == #"{"kind":"Basic","properties":{"virtualMachines":[{"id":"\#(Self.vm)","ports":[{"number":22,"protocol":"*","allowedSourceAddressPrefix":"*","maxRequestAccessDuration":"PT3H"}]}]}}"#
    )
  }

  private let existing = """
    {"kind":"Basic","id":"x","name":"n","type":"t","location":"l","systemData":{},"futureTop":[1.0],
     "properties":{"virtualMachines":[
      {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/other",
       "ports":[{"number":22,"strange":1.50}],"publicIpAddress":"198.51.100.1"},
      {"id":"\(vm.lowercased())","future":{"b":1,"a":2},
       "ports":[{"number":22,"protocol":"TCP","allowedSourceAddressPrefixes":["10.0.0.0/8"],
        "maxRequestAccessDuration":"PT180M","newer":true},{"number":443}]}],
      "requests":[{"a":1}],"provisioningState":"Succeeded","appendMode":false}}
    """

  @Test("what is not known survives, what Azure writes itself is not sent back")
  func unknownMembers() throws {
    let rule = PortRule(number: 22, allowedSources: [SourcePrefix(wire: "1.2.3.4")])
    let body = try applied(
      [rule, PortRule(number: 3389)], on: try id(Self.vm), in: try tree(existing))
    let expected = """
      {"kind":"Basic","futureTop":[1.0],"properties":{"virtualMachines":[\
      {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/other",\
      "ports":[{"number":22,"strange":1.50}],"publicIpAddress":"198.51.100.1"},\
      {"id":"\(Self.vm.lowercased())","future":{"b":1,"a":2},\
      "ports":[{"number":22,"protocol":"*","maxRequestAccessDuration":"PT180M","newer":true,\
      "allowedSourceAddressPrefix":"1.2.3.4"},{"number":443},\
      {"number":3389,"protocol":"*","allowedSourceAddressPrefix":"*",\
      "maxRequestAccessDuration":"PT3H"}]}],"appendMode":false}}
      """
    #expect(body.jsonText == expected)
    #expect(PolicyEdit.isDone([edit([rule], on: try id(Self.vm))], in: body))
    #expect(!PolicyEdit.isDone([edit([PortRule(number: 22)], on: try id(Self.vm))], in: body))
  }

  @Test("a machine is taken out alone; the last one leaves no policy")
  func removing() throws {
    let tree = try tree(existing)
    let other = try #require(PolicyEdit.machines(of: tree).first)
    let body = try #require(PolicyEdit.remove(try id(Self.vm), from: tree))
    #expect(PolicyEdit.machines(of: body) == [other])
    let otherID = try #require(ResourceID(other["id"]?.text))
    #expect(PolicyEdit.remove(otherID, from: body) == nil)
  }

  @Test("any edit of any policy leaves the other machines byte for byte, and repeats to the same")
  func property() throws {
    var random = SplitMix(seed: 4711)
    for _ in 0..<500 {
      let ids = (0..<5).map {
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v\($0)"
      }
      let entries = ids.prefix(Int.random(in: 0...5, using: &random)).map { id -> JSONTree in
        var entry = JSONTree.random(&random, depth: 3)
        if case .object = entry {} else { entry = .object([]) }
        entry.set(
          "id",
          to: .string(
            Bool.random(using: &random)
              ? id.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions") : id))
        return entry
      }
      let before: JSONTree = ["properties": ["virtualMachines": .array(entries)]]
      let target = try id(ids[Int.random(in: 0..<5, using: &random)])
      let rules = [PortRule(number: Int.random(in: 0...65535, using: &random))]
      let after = try applied(rules, on: target, in: before)
      #expect(PolicyEdit.isDone([edit(rules, on: target)], in: after))
      #expect(try applied(rules, on: target, in: after) == after)
      let others = { (tree: JSONTree) in
        PolicyEdit.machines(of: tree).filter { ResourceID($0["id"]?.text) != target }.map(\.bytes)
      }
      #expect(others(after) == others(before))
      let removed = PolicyEdit.remove(target, from: after).map(others) ?? []
      #expect(removed == others(before))
    }
  }
}

@Suite struct PolicyWriteTests {
  private static let vm = JITPoliciesTests.vm
  private static let policyID = JITPoliciesTests.policyID
  private static let other = vm.replacing("Web1", with: "other")
  private let rules = [PortRule(number: 22)]

  private func machine(_ name: String = "Web1") throws -> VirtualMachine {
    VirtualMachine(
      id: try id(Self.vm.replacing("Web1", with: name)), location: "West Europe")
  }

  private func policy(
    _ machines: [String], state: String = "Succeeded", id: String = policyID
  ) -> FakeAzure.Reply {
    .json(JITPoliciesTests.policy(id: id, machines: machines, state: state))
  }

  private func enable(
    _ world: World, known: [JITPolicy] = [], dropping: [ResourceID] = []
  ) async throws -> JITPolicies.Written {
    try await written(world, try machine(), rules, known: known, dropping: dropping)
  }

  private let get = "GET \(policyID)"
  private let put = "PUT \(policyID)"

  @Test("enabling reads, writes and reads back: three calls")
  func create() async throws {
    let world = World()
    world.azure.expect(get, .error(404, "ResourceNotFound"), policy([Self.vm]))
    world.azure.expect(put, policy([Self.vm], state: "Updating"))
    let written = try await enable(world)
    #expect(written.wasCreated)
    #expect(written.notes == [])
    #expect(written.policy?.machine(try id(Self.vm)) != nil)
    #expect(world.azure.callNames == [get, put, get])
    let body = try #require(world.azure.calls[1].json)
    #expect(body.members.map(\.name) == ["kind", "properties"])
    #expect(body["properties"]?.members.map(\.name) == ["virtualMachines"])
    world.azure.finish()
  }

  @Test("another machine's entry goes back as it was")
  func merge() async throws {
    let world = World()
    world.azure.expect(get, policy([Self.other]), policy([Self.other, Self.vm]))
    world.azure.expect(put, policy([Self.other, Self.vm]))
    let written = try await enable(world)
    #expect(!written.wasCreated)
    let sent = PolicyEdit.machines(of: try #require(world.azure.calls[1].json))
    #expect(sent.compactMap { $0["id"]?.text } == [Self.other, Self.vm])
    #expect(world.azure.calls[1].json?["properties", "requests"] == nil)
    #expect(world.azure.calls[1].json?["properties", "provisioningState"] == nil)
  }

  @Test("the read-back waits for Azure, and not for ever")
  func settling() async throws {
    let world = World()
    world.azure.expect(
      get, policy([]), .error(404, "X"), policy([Self.vm], state: "Updating"), policy([Self.vm]))
    world.azure.expect(put, policy([Self.vm], state: "Updating"))
    #expect(try await enable(world).notes == [])
    #expect(world.time.sleeps == [.seconds(1), .seconds(1)])
    world.azure.finish()

    let slow = World()
    slow.azure.expect(get, policy([]))
    slow.azure.expect(put, policy([Self.vm], state: "Updating"))
    for _ in 0...30 { slow.azure.expect(get, policy([Self.vm], state: "Updating")) }
    #expect(try await enable(slow).notes == ["the policy default is still Updating"])
    slow.azure.finish()
  }

  @Test("an entry that our PUT dropped is put back once, and told")
  func dropped() async throws {
    let world = World()
    world.azure.expect(
      get, policy([Self.other]), policy([Self.vm]), policy([Self.vm]),
      policy([Self.vm, Self.other]))
    world.azure.expect(put, policy([Self.vm]), policy([Self.vm, Self.other]))
    let written = try await enable(world)
    #expect(written.notes == ["other fell out of the policy default and was put back"])
    let sent = PolicyEdit.machines(of: try #require(world.azure.calls[4].json))
    #expect(sent.compactMap { $0["id"]?.text } == [Self.vm, Self.other])
    world.azure.finish()
  }

  @Test("an entry that Azure never keeps does not stop the work")
  func neverKept() async throws {
    let world = World()
    world.azure.expect(
      get, policy([Self.other]), policy([Self.vm]), policy([Self.vm]), policy([Self.vm]))
    world.azure.expect(put, policy([Self.vm]), policy([Self.vm]))
    let written = try await enable(world)
    #expect(written.notes.last == "Azure does not keep other in the policy default")
    world.azure.finish()
  }

  @Test("an entry that somebody else took out after our PUT stays out")
  func removedByAnother() async throws {
    let world = World()
    world.azure.expect(get, policy([Self.other]), policy([Self.vm]))
    world.azure.expect(put, policy([Self.other, Self.vm]))
    #expect(try await enable(world).notes == [])
    world.azure.finish()
  }

  @Test("a change that another writer overwrote is made again on what is there then")
  func overwritten() async throws {
    let world = World()
    let third = Self.vm.replacing("Web1", with: "third")
    world.azure.expect(
      get, policy([Self.other]), policy([Self.other, third]), policy([Self.other, third]),
      policy([Self.other, third, Self.vm]))
    world.azure.expect(
      put, policy([Self.other, Self.vm]), policy([Self.other, third, Self.vm]))
    let written = try await enable(world)
    #expect(written.notes.count == 1)
    #expect(written.policy?.machines.count == 3)
    world.azure.finish()
  }

  @Test("a policy that never keeps the change is a failure")
  func lostForEver() async throws {
    let world = World()
    for _ in 0..<3 {
      world.azure.expect(get, policy([Self.other]), policy([Self.other]))
      world.azure.expect(put, policy([Self.other, Self.vm]))
    }
    let failure = await failure { try await enable(world) }
    #expect(failure?.code == .jitEnableFailed)
    world.azure.finish()
  }

  @Test("a refusal that names a deleted machine says which entry to take out")
  func deletedMachine() async throws {
    let world = World()
    world.azure.expect(get, policy([Self.other]), policy([Self.other]), policy([Self.vm]))
    world.azure.expect(
      put, .error(400, "InvalidInput", "The virtual machine '\(Self.other)' does not exist."),
      policy([Self.vm]))
    let failure = await failure { try await enable(world) }
    #expect(failure?.code == .jitEnableFailed)
    #expect(failure?.next?.contains("jitconnect disable \(Self.other)") == true)
    let written = try await enable(world, dropping: [try id(Self.other)])
    #expect(written.policy?.machines.count == 1)
    #expect(written.notes == [])
    world.azure.finish()
  }

  @Test(
    "refusals of a PUT have their codes",
    arguments: [
      (FakeAzure.Reply.error(400, "X", "bad"), Failure.Code.jitEnableFailed),
      (.error(404, "PolicyNotFound", "bad"), .jitEnableFailed),
      (
        .error(
          400, "NoRegisteredProviderFound", "No registered resource provider found for location"),
        .jitEnableFailed
      ),
      (
        .error(400, "X", "'default' is not onboarded to Defender For Servers offering."),
        .defenderPlanMissing
      ),
      (.error(403, "AuthorizationFailed", "perform action 'a' over scope 'b'"), .notPermitted),
      (.error(409, "MissingSubscriptionRegistration", "not registered"), .jitEnableFailed),
    ])
  func refused(reply: FakeAzure.Reply, code: Failure.Code) async {
    let world = World()
    world.azure.expect(get, .error(404, "ResourceNotFound"))
    world.azure.expect(put, reply)
    let failure = await failure { try await enable(world) }
    #expect(failure?.code == code)
    world.azure.finish()
  }

  @Test("a change that Azure ends as Failed is told")
  func endedAsFailed() async {
    let world = World()
    world.azure.expect(get, policy([]), policy([Self.vm], state: "Failed"))
    world.azure.expect(put, policy([Self.vm], state: "Updating"))
    let failure = await failure { try await enable(world) }
    #expect(failure?.code == .jitEnableFailed)
  }

  // MARK: Which policy

  private func known(_ id: String, _ location: String, _ machines: [String]) throws -> JITPolicy {
    try #require(
      JITPolicy(
        tree: try tree(JITPoliciesTests.policy(id: id, location: location, machines: machines))))
  }

  private func named(_ name: String, group: String = "RG", location: String = "westeurope")
    -> String
  {
    Self.policyID.replacing("default", with: name).replacing("/RG/", with: "/\(group)/")
      .replacing("westeurope", with: location)
  }

  @Test("the entry goes to the policy that holds the machine, else default, else the only one")
  func home() throws {
    let machine = try machine()
    let holding = try known(named("held"), "westeurope", [Self.vm])
    let standard = try known(named("Default"), "westeurope", [])
    let single = try known(named("single"), "westeurope", [])
    let second = try known(named("second"), "westeurope", [])
    let elsewhere = try known(named("default", location: "northeurope"), "northeurope", [Self.vm])
    let foreign = try known(named("default", group: "G2"), "westeurope", [])
    func name(_ policies: [JITPolicy]) throws -> String {
      try JITPolicies.home(of: machine, among: policies).text
    }
    #expect(try name([standard, single, holding]) == holding.id.text)
    #expect(try name([single, standard]) == standard.id.text)
    #expect(try name([single, elsewhere, foreign]) == single.id.text)
    #expect(try name([single, second]) == Self.policyID)
    #expect(try name([elsewhere, foreign]) == Self.policyID)
    #expect(try name([]) == Self.policyID)
  }

  @Test("names too long for Azure are told before anything is sent")
  func nameLimit() async throws {
    let world = World()
    let machine = try machine(String(repeating: "v", count: 50))
    let rules = rules
    let failure = await failure {
      try await written(world, machine, rules, known: [])
    }
    #expect(failure?.code == .jitEnableFailed)
    #expect(failure?.why?.contains("56") == true)
    #expect(world.azure.calls.isEmpty)
  }
}
