import Testing

@testable import Azure

@Suite struct SecurityGroupTests {
  private static let base = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
  private static let deny = "MicrosoftDefenderForCloud-JITRule_-2060018277_0123456789ABCDEF"
  private static let window = "MicrosoftDefenderForCloud-JITRule-2060018277-0123456789ABCDEF"

  private struct Rule {
    var name: String
    var priority: Int
    var access: String
    var ports = #""destinationPortRange":"22","destinationPortRanges":[]"#
    var sources = #""sourceAddressPrefix":"*","sourceAddressPrefixes":[]"#
    var destination = "*"
    var more = #""protocol":"*","sourcePortRange":"*","direction":"Inbound""#

    init(_ name: String, _ priority: Int, _ access: String) {
      self.name = name
      self.priority = priority
      self.access = access
    }

    func from(_ sources: String...) -> Rule {
      var rule = self
      let list = sources.map { "\"\($0)\"" }.joined(separator: ",")
      rule.sources =
        sources.count == 1
        ? #""sourceAddressPrefix":\#(list),"sourceAddressPrefixes":[]"#
        : #""sourceAddressPrefixes":[\#(list)]"#
      return rule
    }

    func ports(_ text: String) -> Rule {
      var rule = self
      rule.ports = text
      return rule
    }

    func to(_ destination: String) -> Rule {
      var rule = self
      rule.destination = destination
      return rule
    }

    func more(_ text: String) -> Rule {
      var rule = self
      rule.more = text
      return rule
    }

    var json: String {
      """
      {"name":"\(name)","id":"\(base)/networkSecurityGroups/n/securityRules/\(name)","properties":{
       "access":"\(access)","priority":\(priority),\(ports),\(sources),\(more),
       "destinationAddressPrefix":"\(destination)","destinationAddressPrefixes":[]}}
      """
    }
  }

  private func group(_ rules: Rule..., name: String = "n") throws -> NetworkSecurityGroup {
    let standard = [
      Rule("AllowVnetInBound", 65000, "Allow").from("VirtualNetwork").to("VirtualNetwork")
        .ports(#""destinationPortRange":"*""#),
      Rule("AllowAzureLoadBalancerInBound", 65001, "Allow").from("AzureLoadBalancer")
        .ports(#""destinationPortRange":"*""#),
      Rule("DenyAllInBound", 65500, "Deny").ports(#""destinationPortRange":"*""#),
    ]
    let lists = [rules, standard].map { $0.map(\.json).joined(separator: ",") }
    return NetworkSecurityGroup(
      id: try id("\(Self.base)/networkSecurityGroups/\(name)"),
      tree: try tree(
        #"{"properties":{"securityRules":[\#(lists[0])],"defaultSecurityRules":[\#(lists[1])]}}"#))
  }

  private func path(_ groups: NetworkSecurityGroup...) -> InboundPath {
    InboundPath(
      destination: InboundPath.Destination(privateAddress: "10.0.0.4", groups: []), groups: groups)
  }

  @Test(
    "just-in-time access's rules are told by one character, in both names of the service",
    arguments: [
      ("MicrosoftDefenderForCloud-JITRule_-2060018277_ABC", JITRule.Kind.deny),
      ("MicrosoftDefenderForCloud-JITRule_2060018277_ABC", .deny),
      ("MicrosoftDefenderForCloud-JITRule-2060018277-ABC", .window),
      ("MicrosoftDefenderForCloud-JITRule--2060018277-ABC", .window),
      ("SecurityCenter-JITRule_-1_ABC", .deny), ("SECURITYCENTER-JITRULE-1-ABC", .window),
      ("my-JITRule-1-ABC", nil), ("MicrosoftDefenderForCloud-JITRule", nil), ("allow-ssh", nil),
    ])
  func names(name: String, kind: JITRule.Kind?) {
    #expect(JITRule(name: name, description: nil)?.kind == kind)
  }

  @Test("the description tells it too, and names policy and machine")
  func descriptions() {
    let deny = JITRule(
      name: "x", description: "MDC JIT Network Access rule for policy 'default' of VM 'web1'.")
    #expect(deny?.kind == .deny)
    #expect(deny?.policy == "default")
    #expect(deny?.machine == "web1")
    let window = JITRule(
      name: "x",
      description:
        "ASC JIT Network Access rule created by an initiation request for policy 'p' of VM 'X'.")
    #expect(window?.kind == .window)
    #expect(JITRule(name: "x", description: "allows JIT Network Access rule") == nil)
  }

  @Test("shut: the deny rule is first; windows do not count, and neither do rules behind it")
  func shut() throws {
    for priority in [1000, 4096] {
      let group = try group(
        Rule(Self.window, 100, "Allow").from("203.0.113.7").to("10.0.0.4"),
        Rule(Self.deny, priority, "Deny").to("10.0.0.4"), Rule("late", 4097, "Allow"))
      #expect(path(group).exposure(port: 22).isShut)
      #expect(path(group).denyRules(port: 22).map(\.rule.priority) == [priority])
      #expect(path(group).windowRules(port: 22).map(\.rule.priority) == [100])
      #expect(path(group).denyRules(port: 23).isEmpty)
      // A lock may keep a window's rule beyond its end: then it is a hole like any other.
      let left = path(group).exposure(port: 22, isWindow: { _ in false })
      #expect(left.holes.map { $0.openings.map(\.rule.name) } == [[Self.window]])
    }
  }

  @Test("a customer's allow rule before the deny is a hole, and is named")
  func hole() throws {
    let group = try group(
      Rule("ssh", 1002, "Allow").more(
        #""protocol":"Tcp","sourcePortRange":"*","direction":"Inbound""#),
      Rule(Self.deny, 4096, "Deny").to("10.0.0.4"))
    let exposure = path(group).exposure(port: 22)
    #expect(!exposure.isShut)
    #expect(exposure.holes.map { $0.openings.map(\.rule.name) } == [["ssh"]])
    #expect(exposure.holes.allSatisfy { $0.reachesInternet && $0.isCertain })
    #expect(path(group).exposure(port: 22, protocol: .udp).isShut)
    #expect(path(group).exposure(port: 2222).holes.allSatisfy { !$0.reachesInternet })
  }

  @Test("subnet and interface both must allow")
  func bothGroups() throws {
    let open = try group(Rule("ssh", 1002, "Allow").from("203.0.113.0/24", "198.51.100.9"))
    let narrow = try group(Rule("office", 300, "Allow").from("203.0.113.7"), name: "nic")
    let shut = try group(Rule(Self.deny, 1000, "Deny").to("10.0.0.4"), name: "nic")
    #expect(path(open, shut).exposure(port: 22).isShut)
    #expect(path(shut, open).exposure(port: 22).isShut)
    // What the virtual network may do by default it may in both.
    let holes = path(open, narrow).exposure(port: 22).holes.filter(\.reachesInternet)
    #expect(holes.map { $0.openings.map(\.rule.name) } == [["ssh", "office"]])
    #expect(holes.first?.sources == SourceSet(prefixes: ["203.0.113.7"]))
    #expect(path(open, narrow).allows(SourcePrefix(wire: "203.0.113.7"), port: 22) == true)
    #expect(path(open, narrow).allows(SourcePrefix(wire: "203.0.113.8"), port: 22) == false)
  }

  @Test("a rule for other ports, machines, directions or protocols is none of ours")
  func otherRules() throws {
    let group = try group(
      Rule("ports", 200, "Allow").ports(#""destinationPortRanges":["80","1000-2000"]"#),
      Rule("other", 201, "Allow").to("10.0.0.5"), Rule("tag", 202, "Allow").to("Sql.WestEurope"),
      Rule("out", 203, "Allow").more(
        #""protocol":"*","sourcePortRange":"*","direction":"Outbound""#),
      Rule("icmp", 204, "Allow").more(
        #""protocol":"Icmp","sourcePortRange":"*","direction":"Inbound""#),
      Rule("probe", 205, "Allow").from("AzureLoadBalancer"), Rule(Self.deny, 4096, "Deny"))
    #expect(path(group).exposure(port: 22).isShut)
    #expect(path(group).exposure(port: 1500).holes.map { $0.openings[0].rule.name } == ["ports"])
  }

  @Test("a deny that leaves some sources does not shut; one that takes them all does")
  func partialDeny() throws {
    let half = try group(
      Rule("half", 200, "Deny").from("0.0.0.0/1"), Rule("all", 300, "Allow"),
      Rule(Self.deny, 4096, "Deny"))
    let left = try #require(path(half).exposure(port: 22).holes.first)
    #expect(left.sources.ranges == [0x8000_0000...UInt32.max])
    let both = try group(
      Rule("half", 200, "Deny").from("0.0.0.0/1", "128.0.0.0/1"), Rule("all", 300, "Allow"),
      Rule(Self.deny, 4096, "Deny"))
    #expect(path(both).exposure(port: 22).isShut)
    let ports = try group(
      Rule("some", 200, "Deny").more(
        #""protocol":"*","sourcePortRange":"1-9","direction":"Inbound""#),
      Rule("all", 300, "Allow"))
    #expect(!path(ports).exposure(port: 22).isShut)
  }

  @Test("service tags: the Internet is the public addresses, others may be anybody")
  func tags() throws {
    let internet = try group(
      Rule("web", 200, "Allow").from("Internet"), Rule(Self.deny, 4096, "Deny"))
    #expect(path(internet).exposure(port: 22).holes.first?.reachesInternet == true)
    #expect(path(internet).allows(SourcePrefix(wire: "10.1.2.3"), port: 22) == false)
    #expect(path(internet).allows(SourcePrefix(wire: "203.0.113.7"), port: 22) == true)
    let inside = try group(
      Rule("vnet", 200, "Allow").from("VirtualNetwork"), Rule(Self.deny, 4096, "Deny"))
    let hole = try #require(path(inside).exposure(port: 22).holes.first)
    #expect(!hole.reachesInternet)
    #expect(path(inside).allows(SourcePrefix(wire: "203.0.113.7"), port: 22) == false)
    #expect(path(inside).allows(SourcePrefix(wire: "10.1.2.3"), port: 22) == nil)
    let cloud = try group(Rule("c", 200, "Allow").from("AzureCloud"), Rule(Self.deny, 4096, "Deny"))
    #expect(path(cloud).exposure(port: 22).holes.first?.reachesInternet == true)
    let decision = cloud.decision(
      from: SourcePrefix(wire: "203.0.113.7"), port: 22, protocol: .tcp,
      destination: path(cloud).destination)
    #expect(decision.access == nil)
    #expect(decision.rule?.name == Self.deny)
    #expect(decision.doubtful.map(\.name) == ["c"])
  }

  @Test(
    "an allow rule whose sources or destinations cannot be read may be for everybody",
    arguments: [
      #""destinationAddressPrefix":"*""#, #""sourceAddressPrefix":"203.0.113.7""#,
      #""sourceAddressPrefix":"*","destinationApplicationSecurityGroups":[{"id":"?"}]"#,
      #""destinationAddressPrefix":"*","sourceApplicationSecurityGroups":[{}]"#,
      #""destinationAddressPrefix":"*","sourceAddressPrefixes":[7]"#,
    ])
  func unreadable(members: String) throws {
    let text = """
      {"properties":{"securityRules":[{"name":"odd","properties":{"access":"Allow","priority":200,
       "direction":"Inbound","protocol":"*","sourcePortRange":"*","destinationPortRange":"22",
       \(members)}}]}}
      """
    let group = NetworkSecurityGroup(
      id: try id("\(Self.base)/networkSecurityGroups/n"), tree: try tree(text))
    #expect(path(group).exposure(port: 22).holes.count == 1)
    #expect(path(group).allows(SourcePrefix(wire: "203.0.113.7"), port: 22) != false)
  }

  @Test("rules that shut: numbers a customer may use, each once in a group, the Internet alone")
  func shutting() throws {
    let machine = try id(
      "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/a")
    let open = try group(
      Rule("late", 4096, "Allow"), Rule("inside", 300, "Allow").from("10.0.0.0/8"))
    var other = path(open)
    other.destination = InboundPath.Destination(privateAddress: "10.0.0.5", groups: [])
    var taken: [ResourceID: Set<Int>] = [:]
    var rules: [ShuttingRule] = []
    for path in [path(open), other] {
      rules += try ShuttingRule.plan(
        for: [path.exposure(port: 22)], on: path, of: machine, taken: &taken)
    }
    #expect(rules.map(\.priority) == [4095, 4094])
    #expect(rules.map(\.outranked) == [["late"], ["late"]])
    let own = try #require(rules.first)
    let rule = try #require(
      SecurityGroupRule(
        tree: ["name": .string(own.id.name), "properties": own.properties]))
    #expect(ShuttingRule.isOwn(rule, of: machine, address: "10.0.0.4"))
    #expect(!ShuttingRule.isOwn(rule, of: machine, address: "10.0.0.5"))
    let stranger = try id(
      "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/b")
    #expect(!ShuttingRule.isOwn(rule, of: stranger, address: "10.0.0.4"))
    var none: [ResourceID: Set<Int>] = [:]
    let inside = path(try group(Rule("inside", 300, "Allow").from("10.0.0.0/8")))
    #expect(
      try ShuttingRule.plan(
        for: [inside.exposure(port: 22)], on: inside, of: machine, taken: &none
      ).isEmpty)
  }

  @Test("application security groups count as the machine's own only where they are")
  func applicationGroups() throws {
    let asg = "\(Self.base)/applicationSecurityGroups/web"
    let rule = """
      {"name":"asg","properties":{"access":"Allow","priority":200,"direction":"Inbound",
       "protocol":"Tcp","sourcePortRange":"*","destinationPortRange":"22","sourceAddressPrefix":"*",
       "destinationApplicationSecurityGroups":[{"id":"\(asg)"}]}}
      """
    let group = NetworkSecurityGroup(
      id: try id("\(Self.base)/networkSecurityGroups/n"),
      tree: try tree(#"{"properties":{"securityRules":[\#(rule)]}}"#))
    func holes(_ groups: [ResourceID]?) -> [PortExposure.Hole] {
      InboundPath(
        destination: InboundPath.Destination(privateAddress: "10.0.0.4", groups: groups),
        groups: [group]
      ).exposure(port: 22).holes
    }
    #expect(
      holes([try id(asg.uppercased().replacing("/SUBSCRIPTIONS", with: "/subscriptions"))]).count
        == 1)
    #expect(holes([]).isEmpty)
    #expect(holes(nil).map(\.isCertain) == [false])
  }

  @Test("no group at all, and a group that may not be read, are no proof")
  func noProof() throws {
    #expect(!path().exposure(port: 22).isShut)
    var unread = path(try group(Rule("all", 200, "Allow")))
    unread.unread = ["the subnet's"]
    #expect(!unread.exposure(port: 22).isShut)
    #expect(unread.allows(SourcePrefix(wire: "203.0.113.7"), port: 22) == nil)
  }

  @Test("what cannot be read makes an allow rule wide and a deny rule void")
  func unreadable() throws {
    let odd = #""destinationPortRange":"ssh""#
    let allow = try group(Rule("a", 200, "Allow").ports(odd), Rule(Self.deny, 4096, "Deny"))
    #expect(!path(allow).exposure(port: 22).isShut)
    let deny = try group(Rule("d", 200, "Deny").ports(odd), Rule("a", 300, "Allow"))
    #expect(!path(deny).exposure(port: 22).isShut)
  }

  @Test("openings and decisions agree on every address, for any rules")
  func agreement() throws {
    var random = SplitMix(seed: 7)
    let blocks = ["*", "203.0.113.0/24", "203.0.113.7", "128.0.0.0/1", "Internet", "10.0.0.0/8"]
    let addresses = ["203.0.113.7", "203.0.113.8", "8.8.8.8", "200.1.1.1", "10.1.1.1", "0.0.0.1"]
    for _ in 0..<500 {
      var rules: [Rule] = []
      for priority in 0..<Int.random(in: 0...6, using: &random) {
        let sources = blocks.filter { _ in Int.random(in: 0...2, using: &random) == 0 }
        var rule = Rule(
          "r\(priority)", 100 + priority, Bool.random(using: &random) ? "Allow" : "Deny")
        rule.sources =
          #""sourceAddressPrefixes":[\#(sources.map { "\"\($0)\"" }.joined(separator: ","))]"#
        rules.append(rule)
      }
      let json = rules.map(\.json).joined(separator: ",")
      let group = NetworkSecurityGroup(
        id: try id("\(Self.base)/networkSecurityGroups/n"),
        tree: try tree(#"{"properties":{"securityRules":[\#(json)]}}"#))
      let holes = path(group).exposure(port: 22).holes
      for address in addresses {
        let number = try #require(SourcePrefix(wire: address).bounds?.first)
        let isOpen = holes.contains { $0.sources.contains(number) }
        #expect(path(group).allows(SourcePrefix(wire: address), port: 22) == isOpen)
      }
    }
  }
}
