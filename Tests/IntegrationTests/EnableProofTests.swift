import AzureSimulator
import Platform
import Testing

/// Whether a port is really shut, and what shuts it.
@Suite(.limited) struct EnableProofTests {
  @Test("a rule that outranks just-in-time access's is named, with how to mend it")
  func stillOpen() async throws {
    let stage = try EnableTests.stage {
      $0.machines[0].rules = [
        SecurityRule("default-allow-ssh", priority: 1002, allows: true, ports: ["22"])
      ]
    }
    let run = try await stage.run(["enable", "web1", "--yes", "--json"])
    #expect(run.ending == .exited(1))
    let report = try JSON(parsing: run.output)
    #expect(report["proofs"]?.elements?.first?["state"] == "open")
    let error = try JSON(parsing: run.errorBytes)["error"]
    #expect(error?["code"] == "port-still-open")
    let why = error?["why"]?.text ?? ""
    #expect(
      why.contains("'default-allow-ssh' (priority 1002, web1-nsg) lets everybody in to port 22"))
    #expect(why.contains("before the deny rule of just-in-time access (4096)"))
    #expect(why.contains("az network nsg rule delete"))
    #expect(stage.simulator.reaches("web1", port: 22, from: "198.51.100.1"))

    // Words for people.
    let plain = try await stage.run(["enable", "web1"])
    #expect(plain.code == "port-still-open")
    try Golden.compare(plain.error, with: "port-still-open.txt")
  }

  @Test("--fix shuts this machine's port before the rule and leaves the rule and others alone")
  func fix() async throws {
    let stage = try EnableTests.stage {
      for index in 0...1 { $0.machines[index].securityGroupName = "shared" }
      $0.machines[0].rules = [
        SecurityRule("ssh", priority: 1002, allows: true, ports: ["20-25"]),
        SecurityRule("taken", priority: 1001, allows: false, ports: ["9"]),
      ]
    }
    // Asked about on a terminal; No changes nothing.
    let terminal = try stage.terminal(["enable", "web1", "--fix"])
    try await terminal.wait(for: "Write this? [y/N]")
    try terminal.type("y\r")
    try await terminal.wait(for: "Write it? [y/N]")
    try terminal.type("n\r")
    #expect(try await terminal.end() == .exited(1))
    #expect(stage.simulator.rules(of: "shared").count == 3)

    let run = try await stage.run(["enable", "web1", "--fix", "--yes"])
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    let rules = stage.simulator.rules(of: "shared")
    let own = try #require(rules.first { $0.name.hasPrefix("jitconnect-shut-") })
    #expect(own.priority == 1000)
    #expect(own.ports == ["22"])
    #expect(!own.allows)
    #expect(rules.contains { $0.name == "ssh" })
    #expect(!stage.simulator.reaches("web1", port: 22, from: "198.51.100.1"))
    #expect(stage.simulator.reaches("web1", port: 21, from: "198.51.100.1"))
    #expect(stage.simulator.reaches("web2", port: 22, from: "198.51.100.1"))

    // A window still opens, and a second port joins the rule.
    #expect(try await stage.run(["enable", "web1", "--port", "23", "--fix", "--yes"]).status == 0)
    let joined = stage.simulator.rules(of: "shared").first { $0.name == own.name }
    #expect(joined?.ports == ["22", "23"])
    #expect(joined?.priority == 1000)

    // A port that leaves the policy leaves the rule's reason too: what still shuts others is told.
    let less = try await stage.run(["edit", "web1", "--remove-port", "23", "--yes"])
    #expect(less.status == 0, "\(less.error)")
    #expect(less.error.contains("still shuts port 23"))

    // It goes with the policy.
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    #expect(stage.simulator.rules(of: "shared").map(\.name) == ["ssh", "taken"])
  }

  @Test("--fix's rule goes with the port that it shut; one that stays is an error")
  func removedPort() async throws {
    let stage = try EnableTests.stage {
      $0.machines[0].rules = [SecurityRule("ssh", priority: 1002, allows: true, ports: ["22"])]
    }
    let options = ["enable", "web1", "--port", "22", "--port", "443", "--fix", "--yes"]
    #expect(try await stage.run(options).status == 0)
    let isShut = {
      stage.simulator.rules(of: "web1-nsg").contains { $0.name.hasPrefix("jitconnect-") }
    }
    #expect(isShut())
    stage.simulator.change { $0.locksSecurityGroups = true }
    let kept = try await stage.run(["edit", "web1", "--remove-port", "22", "--yes"])
    #expect(kept.status != 0)
    #expect(kept.error.contains("is still there"), "\(kept.error)")
    #expect(kept.error.contains("az network nsg rule delete"))
    stage.simulator.change { $0.locksSecurityGroups = false }
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    #expect(!isShut())
    #expect(try await stage.run(options).status == 0)
    let run = try await stage.run(["edit", "web1", "--remove-port", "22", "--yes"])
    #expect(run.status == 0, "\(run.error)")
    #expect(!isShut())
  }

  @Test("two machines behind one group: each gets a rule and a number of its own")
  func fixTwo() async throws {
    let stage = try EnableTests.stage {
      for index in 0...1 { $0.machines[index].securityGroupName = "shared" }
      $0.machines[0].rules = [SecurityRule("ssh", priority: 1002, allows: true, ports: ["22"])]
    }
    let run = try await stage.run(["enable", "web1", "web2", "--fix", "--yes"])
    #expect(run.ending == .exited(0))
    let own = stage.simulator.rules(of: "shared").filter { $0.name.hasPrefix("jitconnect-shut-") }
    #expect(own.map(\.priority).sorted() == [1000, 1001])
    for name in ["web1", "web2"] {
      #expect(!stage.simulator.reaches(name, port: 22, from: "198.51.100.1"))
    }
  }

  @Test("a window opens through --fix's rule")
  func windowAfterFix() async throws {
    let stage = try await Stage.greeting(hasPolicy: false) {
      $0.machines[0].rules = [SecurityRule("all", priority: 300, allows: true, ports: ["*"])]
    }
    let port = stage.port()
    let run = try await stage.run(["enable", "web1", "--port", "\(port)", "--fix", "--yes"])
    #expect(run.ending == .exited(0))
    #expect(!stage.simulator.reaches("web1", port: port, from: "203.0.113.7"))
    _ = try await stage.connect()
    #expect(stage.simulator.reaches("web1", port: port, from: "203.0.113.7"))
    #expect(!stage.simulator.reaches("web1", port: port, from: "203.0.113.8"))
    // An open window is no hole.
    #expect(try await stage.run(["enable", "web1"]).status == 0)
  }

  @Test("where no number is free before the rule, --fix says so")
  func noRoom() async throws {
    let stage = try EnableTests.stage {
      $0.machines[0].rules = [SecurityRule("first", priority: 120, allows: true, ports: ["22"])]
    }
    let run = try await stage.run(["enable", "web1", "--fix", "--yes"])
    #expect(run.code == "port-still-open")
    #expect(run.error.contains("no number is free before the rule first"))
    #expect(stage.simulator.policy() != nil)
  }

  @Test("subnet and interface: shut by one of them is shut; open in both is open")
  func bothGroups() async throws {
    let stage = try EnableTests.stage {
      $0.machines[0].securityGroup = .both
      $0.machines[0].rules = [SecurityRule("ssh", priority: 300, allows: true, ports: ["22"])]
      $0.behaviour.denyPriority = 1000
    }
    #expect(try await stage.run(["enable", "web1", "--yes"]).code == "port-still-open")
    let run = try await stage.run(["enable", "web1", "--fix", "--yes"])
    #expect(run.ending == .exited(0))
    #expect(stage.simulator.rules(of: "web1-nsg").contains { $0.name.hasPrefix("jitconnect-") })
    #expect(
      !stage.simulator.rules(of: "rg-demo-subnet-nsg").contains { $0.name.hasPrefix("jitconnect-") }
    )
  }

  @Test("a deny rule that just-in-time access put first shuts the port by itself, in both names")
  func denyFirst() async throws {
    for old in [false, true] {
      let stage = try EnableTests.stage {
        $0.machines[0].rules = [SecurityRule("ssh", priority: 1002, allows: true, ports: ["22"])]
        $0.behaviour.denyPriority = 1000
        $0.behaviour.usesOldRuleNames = old
      }
      let run = try await stage.run(["enable", "web1", "--yes"])
      #expect(run.ending == .exited(0))
      #expect(run.error == "")
    }
  }

  @Test("behind a firewall its rules decide, which is said")
  func firewall() async throws {
    let stage = try EnableTests.stage {
      var entry = SimulatedPolicy.Entry("web1", ports: [.init(22)])
      entry.firewallAddress = "198.51.100.20"
      $0.policies = [SimulatedPolicy(entries: [entry])]
    }
    let run = try await stage.run(["enable", "web1"])
    #expect(run.ending == .exited(0))
    #expect(run.error.contains("the firewall 198.51.100.20 stands before it"))
  }

  @Test("open to the virtual network alone is a warning, not a failure")
  func insideOnly() async throws {
    let stage = try EnableTests.stage {
      $0.machines[0].rules = [
        SecurityRule("inside", priority: 300, allows: true, ports: ["22"], sources: ["10.0.0.0/8"])
      ]
    }
    let run = try await stage.run(["enable", "web1", "--yes", "--json"])
    #expect(run.ending == .exited(0))
    #expect(run.error.contains("the rule 'inside' (priority 300, web1-nsg) lets 10.0.0.0/8 in"))
    #expect(try JSON(parsing: run.output)["proofs"]?.elements?.first?["state"] == "inside")
  }

  @Test("rules that may not be read are a warning with the missing action, and no proof")
  func unreadableRules() async throws {
    let stage = try EnableTests.stage {
      $0.identities[0].grants = [
        .init(notActions: ["Microsoft.Network/networkSecurityGroups/*"])
      ]
    }
    let run = try await stage.run(["enable", "web1", "--yes"])
    #expect(run.ending == .exited(0))
    #expect(run.error.contains("cannot tell whether port 22 of web1 is shut"))
    #expect(run.error.contains("Microsoft.Network/networkSecurityGroups/read"))
    #expect(stage.simulator.policy() != nil)
  }
}
