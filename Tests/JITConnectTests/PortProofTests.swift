import Azure
import Platform
import Testing

@testable import JITConnect

/// What is taken for shut, and what is not.
@Suite struct PortProofTests {
  private static let base = "/subscriptions/s/resourceGroups/g/providers"

  private func id(_ text: String) throws -> ResourceID { try #require(ResourceID(text)) }

  private func machine(unread: [String] = []) throws -> VirtualMachine {
    var machine = VirtualMachine(
      id: try id("\(Self.base)/Microsoft.Compute/virtualMachines/web1"), location: "westeurope")
    machine.unreadInterfaces = unread
    return machine
  }

  private func entry(_ rules: PortRule...) throws -> JITPolicy.Machine {
    let ports = rules.map { rule in
      #"{"number":\#(rule.number),"protocol":"\#(rule.protocol.rawValue)"}"#
    }
    let text = """
      {"id":"\(Self.base)/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default",
       "properties":{"virtualMachines":[{"id":"\(try machine().id.text)",
        "ports":[\(ports.joined(separator: ","))]}]}}
      """
    let policy = try #require(JITPolicy(tree: try JSONTree(parsing: Array(text.utf8))))
    return try #require(policy.machines.first)
  }

  private func rule(
    _ name: String, _ priority: Int, allows: Bool, from source: String = "*",
    protocol word: String = "*"
  ) -> String {
    """
    {"name":"\(name)","properties":{"access":"\(allows ? "Allow" : "Deny")","priority":\(priority),
     "direction":"Inbound","protocol":"\(word)","sourcePortRange":"*","destinationPortRange":"22",
     "sourceAddressPrefix":"\(source)","destinationAddressPrefix":"*"}}
    """
  }

  private func path(_ rules: String..., unread: [String] = []) throws -> InboundPath {
    let text = #"{"properties":{"securityRules":[\#(rules.joined(separator: ","))]}}"#
    let group = NetworkSecurityGroup(
      id: try id("\(Self.base)/Microsoft.Network/networkSecurityGroups/n"),
      tree: try JSONTree(parsing: Array(text.utf8)))
    return InboundPath(
      destination: InboundPath.Destination(privateAddress: "10.0.0.4", groups: []),
      groups: [group], unread: unread)
  }

  private func verdict(
    _ paths: [InboundPath], _ rules: [PortRule] = [PortRule(number: 22)], unread: [String] = [],
    live: [RequestedPort] = []
  ) throws -> PortProof.Verdict? {
    var entry = try entry(PortRule(number: 22))
    entry.ports = rules
    let proof = PortProof(of: try machine(unread: unread), entry: entry, paths: paths, live: live)
    #expect(proof.ports.count == 1)
    return proof.ports.first?.verdict
  }

  private func isOpen(_ verdict: PortProof.Verdict?) -> Bool {
    if case .open? = verdict { true } else { false }
  }

  @Test("a hole for UDP is a hole, whichever of the port's two rules comes first")
  func bothProtocols() throws {
    let path = try path(rule("dns", 300, allows: true, protocol: "Udp"))
    let rules = [PortRule(number: 22, protocol: .tcp), PortRule(number: 22, protocol: .udp)]
    #expect(isOpen(try verdict([path], rules)))
    #expect(isOpen(try verdict([path], rules.reversed())))
    #expect(try verdict([path], [rules[0]]) == .shut)
  }

  @Test("an interface that could not be read may be open")
  func unreadInterface() throws {
    let path = try path(rule("no", 300, allows: false))
    #expect(try verdict([path]) == .shut)
    #expect(try verdict([path], unread: ["nic2: no right"]) == .unknown("nic2: no right"))
  }

  @Test("what one way proves, another that could not be read does not take back")
  func unreadPath() throws {
    let open = try path(rule("ssh", 300, allows: true))
    let unread = try path(rule("ssh", 300, allows: true), unread: ["no right"])
    #expect(isOpen(try verdict([unread, open])))
    #expect(isOpen(try verdict([open, unread], unread: ["nic2: no right"])))
    #expect(try verdict([unread]) == .unknown("no right"))
  }

  @Test("only the rule of a live window is passed over; one that was left behind is a hole")
  func leftBehind() throws {
    let name = "MicrosoftDefenderForCloud-JITRule-1-0123456789ABCDEF"
    let path = try path(rule(name, 100, allows: true, from: "203.0.113.7"))
    func live(_ source: String) throws -> [RequestedPort] {
      let text = #"{"number":22,"allowedSourceAddressPrefix":"\#(source)","status":"Initiated"}"#
      return [try #require(RequestedPort(tree: try JSONTree(parsing: Array(text.utf8))))]
    }
    #expect(try verdict([path], live: try live("203.0.113.7")) == .shut)
    #expect(isOpen(try verdict([path], live: try live("198.51.100.4"))))
    #expect(isOpen(try verdict([path])))
  }
}
