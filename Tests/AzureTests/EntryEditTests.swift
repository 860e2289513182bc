import Platform
import Testing

@testable import Azure

@Suite struct EntryEditTests {
  private static let vm = JITPoliciesTests.vm

  private func ports(_ text: String) throws -> JSONTree {
    try tree(
      #"{"properties":{"virtualMachines":[{"id":"\#(Self.vm)","x":1.50,"ports":[\#(text)]}]}}"#)
  }

  private let rule =
    #"{"number":"22","protocol":"Tcp","allowedSourceAddressPrefix":"10.0.0.0/8","maxRequestAccessDuration":"PT180M","y":2}"#

  private func apply(_ changes: PortChange..., to text: String) throws -> String {
    let body = try PolicyEdit.apply([EntryEdit(try id(Self.vm), .ports(changes))], in: ports(text))
    let entry = try #require(PolicyEdit.entry(of: try id(Self.vm), in: body))
    #expect(entry["x"] == .number("1.50"))
    return (entry["ports"]?.elements ?? []).map(\.jsonText).joined(separator: ",")
  }

  @Test("a member that is empty counts as one that is not there")
  func emptyMember() throws {
    let entry = try tree(
      """
      {"id":"\(Self.vm)","ports":[{"number":22,"protocol":"TCP","allowedSourceAddressPrefix":"",
       "allowedSourceAddressPrefixes":["10.0.0.0/8"],"maxRequestAccessDuration":"PT1H"}]}
      """)
    #expect(PolicyEdit.problems(of: entry, for: try id(Self.vm)).isEmpty)
  }

  @Test("only the fields that are given change; the rest keeps its very spelling")
  func fields() throws {
    #expect(try apply(PortChange(.change, number: 22), to: rule) == rule)
    // The same in another spelling is no change.
    #expect(
      try apply(
        PortChange(
          .set, number: 22, protocol: .tcp, sources: [SourcePrefix(wire: "10.1.2.3/8")],
          maximum: .seconds(3 * 3600)), to: rule) == rule)
    #expect(
      try apply(PortChange(.change, number: 22, maximum: .seconds(3600)), to: rule)
        == rule.replacing("PT180M", with: "PT1H"))
    #expect(
      try apply(
        PortChange(.change, number: 22, addedSources: [SourcePrefix(wire: "10.1.1.1")]), to: rule)
        == rule)
    #expect(
      try apply(
        PortChange(.change, number: 22, addedSources: [SourcePrefix(wire: "192.0.2.1")]), to: rule
      ).contains(#""allowedSourceAddressPrefixes":["10.0.0.0/8","192.0.2.1"]"#))
  }

  @Test("any beside others is any alone")
  func any() throws {
    #expect(
      try apply(PortChange(.change, number: 22, addedSources: [.any]), to: rule)
        == rule.replacing("10.0.0.0/8", with: "*"))
  }

  @Test("a port may have a rule for each protocol; one that is named is meant alone")
  func protocols() throws {
    let udp = rule.replacing("Tcp", with: "UDP")
    let both = "\(rule),\(udp)"
    let limit = Duration.seconds(3600)
    #expect(
      try apply(PortChange(.change, number: 22, protocol: .udp, maximum: limit), to: both)
        == "\(rule),\(udp.replacing("PT180M", with: "PT1H"))")
    #expect(
      try apply(PortChange(.change, number: 22, maximum: limit), to: both)
        == both.replacing("PT180M", with: "PT1H"))
    #expect(throws: Failure.self) {
      try self.apply(PortChange(.remove, number: 22), to: both)
    }
  }

  @Test("a port that must be there and is not, and the last one, are refused")
  func refused() throws {
    for change in [PortChange(.change, number: 23), PortChange(.remove, number: 22)] {
      #expect(throws: Failure.self) { try self.apply(change, to: self.rule) }
    }
  }

  @Test("done is what the policy says, not how")
  func done() throws {
    let edit = EntryEdit(
      try id(Self.vm),
      .replace(
        try tree(
          #"{"id":"\#(Self.vm)","ports":[{"number":443,"protocol":"*","allowedSourceAddressPrefix":"*","maxRequestAccessDuration":"PT1H"},\#(rule)]}"#
        )))
    let spelled = rule.replacing(#""22""#, with: "22").replacing("PT180M", with: "PT3H")
    let more =
      #"{"number":443,"protocol":"*","allowedSourceAddressPrefixes":["*"],"maxRequestAccessDuration":"PT60M","added":0}"#
    #expect(PolicyEdit.isDone([edit], in: try ports("\(spelled),\(more)")))
    #expect(!PolicyEdit.isDone([edit], in: try ports(spelled)))
    let removal = EntryEdit(try id(Self.vm), .remove)
    #expect(!PolicyEdit.isDone([removal], in: try ports(spelled)))
    #expect(PolicyEdit.isDone([removal], in: ["properties": ["virtualMachines": []]]))
  }

  @Test("an edit undoes what somebody else did only where it names the same field")
  func overwrites() throws {
    func entry(_ ports: String) throws -> JSONTree {
      try tree(#"{"id":"\#(Self.vm)","ports":[\#(ports)]}"#)
    }
    func port(_ number: Int = 22, source: String = "*", most: String = "PT3H") -> String {
      #"{"number":\#(number),"protocol":"*","allowedSourceAddressPrefix":"\#(source)","maxRequestAccessDuration":"\#(most)"}"#
    }
    let shown = try entry(port())
    let longer = try entry(port(most: "PT5H"))
    let other = try entry(port() + "," + port(443))
    func edit(_ change: PortChange) throws -> EntryEdit {
      EntryEdit(try id(Self.vm), .ports([change]))
    }
    let limit = try edit(PortChange(.change, number: 22, maximum: .seconds(3600)))
    #expect(!limit.overwrites(shown, shown))
    #expect(!limit.overwrites(shown, other))
    #expect(!limit.overwrites(shown, try entry(port(source: "10.0.0.0/8"))))
    #expect(limit.overwrites(shown, longer))
    #expect(!limit.overwrites(shown, try entry(port(most: "PT60M"))))
    #expect(limit.overwrites(shown, nil))
    #expect(limit.overwrites(shown, try entry(port(443))))
    let source = SourcePrefix(wire: "203.0.113.7")
    let added = try edit(PortChange(.change, number: 22, addedSources: [source]))
    #expect(!added.overwrites(shown, longer))
    let set = try edit(PortChange(.change, number: 22, sources: [source]))
    #expect(set.overwrites(shown, try entry(port(source: "10.0.0.0/8"))))
    // The portal's values leave a port alone that came meanwhile.
    let bare = try edit(PortChange(.set, number: 443))
    #expect(!bare.overwrites(shown, other))
    #expect(!bare.overwrites(nil, other))
    let removal = try edit(PortChange(.remove, number: 22))
    #expect(removal.overwrites(shown, longer))
    #expect(!removal.overwrites(shown, other))
    let gone = EntryEdit(try id(Self.vm), .remove)
    #expect(gone.overwrites(shown, longer))
    #expect(!gone.overwrites(shown, nil))
    let whole = EntryEdit(try id(Self.vm), .replace(longer))
    #expect(whole.overwrites(shown, other))
    #expect(!whole.overwrites(shown, longer))
  }

  @Test("the plan is on as Standard with P2 or without a word; the rest is off")
  func plan() throws {
    func plan(_ properties: String) throws -> DefenderPlan? {
      DefenderPlan(tree: try tree(#"{"properties":{\#(properties)}}"#))
    }
    #expect(try plan(#""pricingTier":"Standard","subPlan":"P2""#) == .on)
    #expect(try plan(#""pricingTier":"standard""#) == .on)
    #expect(try plan(#""pricingTier":"Standard","subPlan":"P1""#) == .off)
    #expect(try plan(#""pricingTier":"Free","resourcesCoverageStatus":"NotCovered""#) == .off)
    #expect(
      try plan(#""pricingTier":"Free","resourcesCoverageStatus":"PartiallyCovered""#) == .partly)
    // What does not say it says nothing.
    for odd in [#""subPlan":"P2""#, #""pricingTier":null"#, #""pricingTier":"""#] {
      #expect(try plan(odd) == nil)
    }
  }

  @Test(
    "permissions: some grant must hold the action and not take it out itself",
    arguments: [
      (["*"], [String](), true), (["*/read"], [], false),
      (["Microsoft.Compute/*"], [], true), (["MICROSOFT.COMPUTE/virtualmachines/WRITE"], [], true),
      (["*"], ["Microsoft.Compute/*/write"], false), (["*/virtualMachines/*"], [], true),
      (["Microsoft.Compute/virtualMachines"], [], false), ([], [], false),
      (["Microsoft.Compute/*write*/x"], [], false),
    ])
  func permissions(actions: [String], notActions: [String], expected: Bool) {
    let set = PermissionSet(items: [
      [
        "actions": .array(actions.map { .string($0) }),
        "notActions": .array(notActions.map { .string($0) }),
      ]
    ])
    #expect(set.allows(.writeMachine) == expected)
  }

  @Test("actions have the smallest role that is known for them")
  func roles() {
    #expect(AzureAction.readPolicy.role == "Security Reader")
    #expect(AzureAction.writePolicy.role == "Security Admin")
    #expect(AzureAction.writeMachine.role == "Virtual Machine Contributor")
    #expect(AzureAction.writeSecurityRule.role == "Network Contributor")
    #expect(AzureAction.readSecurityGroup.role == "Reader")
    #expect(AzureAction(rawValue: "Contoso.Odd/things/write").role == nil)
  }
}
