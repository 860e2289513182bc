import AzureSimulator
import Platform
import Testing

/// What the doctor says of security groups, and whether its commands mend them.
@Suite(.limited) struct DoctorRulesTests {
  private func rule(_ name: String, _ priority: Int, allows: Bool = false) -> SecurityRule {
    SecurityRule(name, priority: priority, allows: allows, ports: ["*"])
  }

  @Test("somebody's rule before the window's is named, with a free number that mends it")
  func shadowed() async throws {
    let stage = try await Stage.ssh()
    stage.simulator.add(rule("block all", 100), to: "web1-nsg")
    stage.simulator.add(rule("old", 141), to: "web1-nsg")
    #expect(try await stage.openWindow().status == 0)
    let report = try await stage.examine()
    #expect(report.text("nsg").contains("out by block all (100)"))
    let subscription = SimulatedSubscription().id
    #expect(
      report.text("nsg", "next")
        == "az network nsg rule update --subscription \(subscription) -g rg-demo "
        + "--nsg-name web1-nsg -n 'block all' --priority 142")
    #expect(report.details("nsg").contains("as 142 it comes behind old (141) too"))
    #expect(report.text("jit-rule").contains("come behind block all (100)"))

    // What was advised is what mends it.
    stage.simulator.removeRules("block all", from: "web1-nsg")
    stage.simulator.add(rule("block all", 142), to: "web1-nsg")
    let mended = try await stage.examine()
    #expect(mended.wrong.isEmpty, "\(mended.run.text)")
  }

  @Test("where no number is free behind the windows no wrong one is named")
  func crowded() async throws {
    let stage = try await Stage.ssh { $0.behaviour.denyPriority = 142 }
    stage.simulator.add(rule("block", 100), to: "web1-nsg")
    stage.simulator.add(rule("old", 141), to: "web1-nsg")
    #expect(try await stage.openWindow().status == 0)
    let report = try await stage.examine()
    #expect(report.text("nsg").contains("out by block (100)"))
    #expect(report.text("nsg", "next").isEmpty)
    #expect(report.details("nsg").contains { $0.contains("no number is free") })
  }

  @Test("a window whose rule somebody removed is asked for anew, and then it is there")
  func ruleRemoved() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.openWindow().status == 0)
    stage.simulator.removeRules("MicrosoftDefenderForCloud-JITRule-", from: "web1-nsg")
    let report = try await stage.examine()
    #expect(report.details("nsg").contains("a window is open, and its rule is not here"))
    let next = report.text("nsg", "next")
    #expect(next.hasPrefix("jitconnect request --for 1h"))
    let words = next.split(separator: " ").dropFirst().map(String.init)
    let again = try await stage.run(words)
    #expect(again.status == 0, "\(again.error)")
    #expect(try await stage.examine().wrong.isEmpty)
  }

  @Test("without the own address the rules are shown all the same")
  func noAddress() async throws {
    let stage = try await Stage.ssh { configuration in
      for index in configuration.addressServices.indices {
        configuration.addressServices[index].answer = .status(503)
      }
    }
    let report = try await stage.examine()
    #expect(report.wrong.contains("source problem"))
    #expect(report.wrong.contains("nsg unknown"))
    #expect(report.text("nsg").contains("cannot be told without your address"))
    let rules = report.details("nsg")
    #expect(rules.count == 4)
    #expect(rules.first?.hasPrefix("4096 MicrosoftDefenderForCloud-JITRule_") == true)
    #expect(rules.last == "65500 DenyAllInBound denies *")
    #expect(report.text("jit-rule").contains("come first"))
    #expect(report.wrong.contains("port problem"))
  }

  @Test("subnet and interface each have their group, in that order")
  func both() async throws {
    let stage = try await Stage.ssh { $0.machines[0].securityGroup = .both }
    let report = try await stage.examine()
    let groups = report.text("nsg").split(separator: "\n").map(String.init)
    #expect(groups.count == 2)
    #expect(groups.first?.hasPrefix("rg-demo-subnet-nsg (subnet) keeps") == true)
    #expect(groups.last?.hasPrefix("web1-nsg (interface) keeps") == true)
    #expect(report.all("jit-rule").count == 2)
  }

  @Test("a group that just-in-time access does not write into is wrong only where it keeps us out")
  func oneOfTwo() async throws {
    let stage = try await Stage.ssh { $0.machines[0].securityGroup = .both }
    #expect(try await stage.openWindow().status == 0)
    stage.simulator.removeRules("MicrosoftDefenderForCloud-JITRule", from: "rg-demo-subnet-nsg")
    let shut = try await stage.examine()
    #expect(
      shut.wrong.filter { !$0.hasPrefix("nsg") && !$0.hasPrefix("jit-rule") }.allSatisfy {
        $0.hasPrefix("port") || $0.hasPrefix("banner") || $0.hasPrefix("host-key")
      }, "\(shut.run.text)")
    let next = shut.text("nsg", "next")
    #expect(
      next.hasPrefix(
        "az network nsg rule create --subscription \(SimulatedSubscription().id) -g rg-demo "
          + "--nsg-name rg-demo-subnet-nsg "), "\(next)")
    #expect(next.hasSuffix(" --source-address-prefixes 203.0.113.7"), "\(next)")
    #expect(shut.all("jit-rule").allSatisfy { $0["state"] == "ok" })

    stage.simulator.add(rule("let", 200, allows: true), to: "rg-demo-subnet-nsg")
    let open = try await stage.examine()
    #expect(open.wrong.isEmpty, "\(open.run.text)")
    #expect(open.text("jit-rule").contains("needs none: web1-nsg has it"))
  }

  @Test("a request that the policy would refuse is not advised")
  func refusedRequest() async throws {
    let bare = try await Stage.ssh(hasPolicy: false)
    let report = try await bare.examine()
    #expect(!report.run.text.contains("jitconnect request"), "\(report.run.text)")
    #expect(report.text("nsg", "next") == "jitconnect enable rg-demo/web1")
    let other = try await Stage.ssh {
      $0.policies = [SimulatedPolicy(machine: "web1", ports: .init(443))]
    }
    let second = try await other.examine()
    #expect(
      second.text("nsg", "next") == "jitconnect edit --add-port \(other.port()) rg-demo/web1")
  }

  @Test("no security group at all: what makes one, and says what that shuts")
  func unguarded() async throws {
    let stage = try await Stage.ssh { $0.machines[0].securityGroup = .none }
    let report = try await stage.examine()
    let next = report.text("nsg", "next")
    #expect(next.contains("az network nsg create --subscription \(SimulatedSubscription().id) "))
    #expect(next.contains(" && az network nic update --ids /subscriptions/"))
    #expect(report.details("nsg").count == 1)
  }

  @Test("names that mean something to a shell are quoted in what is to be typed")
  func quoted() async throws {
    let stage = try await Stage.ssh {
      $0.machines[0].resourceGroup = "rg(1)"
      $0.policies[0].resourceGroup = "rg(1)"
    }
    let report = try await stage.examine()
    #expect(
      report.text("window", "next") == "jitconnect request 'rg(1)/web1:\(stage.port())'")
  }
}
