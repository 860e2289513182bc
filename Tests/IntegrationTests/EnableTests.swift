import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite(.limited) struct EnableTests {
  /// `web1` (Linux), `web2` (Linux) and `win1` (Windows), no policy.
  static func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var windows = SimulatedMachine("win1")
    windows.system = .windows
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2"), windows])
    change(&configuration)
    return try Stage(configuration)
  }

  private static func ports(_ stage: Stage, _ machine: String) -> [JSON] {
    let entries = stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements ?? []
    return entries.first { $0["id"]?.text?.hasSuffix("/\(machine)") == true }?["ports"]?.elements
      ?? []
  }

  @Test("without ports it is the portal's for the operating system, and the ports are proved shut")
  func defaults() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["enable", "web1", "win1", "--yes", "--json"])
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    try Golden.compare(run.text, with: "enable.json")
    #expect(Self.ports(stage, "web1").map { $0["number"]?.integer } == [22])
    #expect(Self.ports(stage, "win1").map { $0["number"]?.integer } == [3389])
    #expect(Self.ports(stage, "web2").isEmpty)
    // One policy takes both with one call.
    #expect(stage.count("PUT", "/jitNetworkAccessPolicies/") == 1)
    #expect(!stage.simulator.reaches("web1", port: 22, from: "203.0.113.7"))

    let again = try await stage.run(["enable", "web1"])
    #expect(again.ending == .exited(0))
    #expect(again.text == "")
    #expect(stage.count("PUT", "/jitNetworkAccessPolicies/") == 1)
  }

  @Test("the diff is shown and asked about; nobody to ask and No leave everything as it is")
  func question() async throws {
    let stage = try Self.stage()
    let refused = try await stage.run(["enable", "web1"])
    #expect(refused.ending == .exited(1))
    #expect(refused.code == "declined")
    try Golden.compare(refused.error, with: "enable-declined.txt")
    let spelled = try await stage.run([
      "enable", "web1", "--port", "22:from=any", "--fix", "--resource-group", "rg-demo",
    ])
    let next =
      "next: jitconnect enable --resource-group rg-demo --port 22:from=any --fix web1 --yes"
    #expect(spelled.error.contains(next))
    #expect(stage.simulator.policy() == nil)

    let terminal = try stage.terminal(["enable", "web1"])
    try await terminal.wait(for: "Write this? [y/N]")
    #expect(terminal.screen.contains("new policy default of rg-demo in westeurope"))
    try terminal.type("n\r")
    #expect(try await terminal.end() == .exited(1))
    #expect(stage.simulator.policy() == nil)

    let second = try stage.terminal(["enable", "web1"])
    try await second.wait(for: "Write this? [y/N]")
    try second.type("y\r")
    #expect(try await second.end() == .exited(0))
    #expect(second.screen.contains("enabled just-in-time access on web1"))
    #expect(second.screen.contains("shut on web1: port 22"))
    #expect(Self.ports(stage, "web1").count == 1)
  }

  @Test("ports as they are spelled, and the recommended ones")
  func spelled() async throws {
    let stage = try Self.stage()
    let run = try await stage.run([
      "enable", "web1", "--yes", "--port", "22:max=30m", "--port",
      "8443/tcp:from=10.0.0.0/8,203.0.113.7:max=1h",
    ])
    #expect(run.ending == .exited(0))
    let ports = Self.ports(stage, "web1")
    #expect(ports.map { $0["number"]?.integer } == [22, 8443])
    #expect(ports.first?["maxRequestAccessDuration"]?.text == "PT30M")
    #expect(ports.last?["protocol"]?.text == "TCP")
    #expect(
      ports.last?["allowedSourceAddressPrefixes"]?.elements?.compactMap(\.text)
        == ["10.0.0.0/8", "203.0.113.7"])

    let recommended = try await stage.run([
      "enable", "web2", "--recommended", "--port", "22:max=1h", "--yes",
    ])
    #expect(recommended.ending == .exited(0))
    let all = Self.ports(stage, "web2")
    #expect(all.map { $0["number"]?.integer } == [3389, 5985, 5986, 22])
    #expect(all.last?["maxRequestAccessDuration"]?.text == "PT1H")
    // What is there already keeps what is not named.
    _ = try await stage.run(["enable", "web1", "--port", "8443:max=2h", "--yes"])
    let changed = Self.ports(stage, "web1").last
    #expect(changed?["maxRequestAccessDuration"]?.text == "PT2H")
    #expect(changed?["protocol"]?.text == "TCP")
    #expect(changed?["allowedSourceAddressPrefixes"]?.elements?.count == 2)
  }

  @Test(
    "bad words are told before Azure is asked",
    arguments: [
      ["enable", "web1", "--port", "x"], ["enable", "web1", "--port", "70000"],
      ["enable", "web1", "--port", "22/icmp"], ["enable", "web1", "--port", "22:max=1x"],
      ["enable", "web1", "--port", "22:max=25h"], ["enable", "web1", "--port", "22:max=1m"],
      ["enable", "web1", "--port", "22:from=2001:db8::1"],
      ["enable", "web1", "--port", "22:from=10.0.0.0/33"], ["enable", "web1", "--port", "22:to=x"],
      ["enable", "web1", "--port", "22:max=1h:max=2h"],
      ["enable", "web1", "--port", "22/tcp", "--port", "22/udp"],
      ["enable", "web1", "--print", "yaml"],
      ["enable"], ["edit"], ["edit", "web1", "web2"], ["disable"],
      ["edit", "web1", "--max", "forever"], ["edit", "web1", "--allow-source", "web"],
      ["edit", "web1", "--remove-port", "ssh"],
      ["edit", "web1", "--port", "22:max=1h", "--remove-port", "22"],
      ["list", "--state", "broken"], ["list", "--os", "plan9"], ["list", "--tag", "=x"],
    ])
  func badWords(words: [String]) async throws {
    let stage = try Self.stage()
    let run = try await stage.run(words)
    #expect(run.ending == .exited(64))
    #expect(run.code == "usage")
    #expect(run.text == "")
    #expect(stage.simulator.report.count(.arm, .graph) == 0)
  }

  @Test("a missing action is named with its scope and a role")
  func notPermitted() async throws {
    let stage = try Self.stage {
      $0.identities[0].grants = [.init(actions: ["*/read"])]
    }
    let run = try await stage.run(["enable", "web1", "--yes"])
    #expect(run.ending == .exited(5))
    #expect(run.code == "not-permitted")
    #expect(run.error.contains("Microsoft.Security/locations/jitNetworkAccessPolicies/write"))
    #expect(run.error.contains("such as Security Admin"))

    let blind = try Self.stage {
      $0.policies = [SimulatedPolicy(machine: "web1", ports: .init(22))]
      $0.identities[0].grants = [.init(notActions: ["Microsoft.Security/*"])]
    }
    for verb in ["enable", "edit", "disable"] {
      let run = try await blind.run([verb, "web1", "--yes"])
      #expect(run.code == "not-permitted")
      #expect(run.error.contains("jitNetworkAccessPolicies/read"))
    }
  }

  @Test("the plan that is missing is named")
  func noPlan() async throws {
    let stage = try Self.stage { $0.subscriptions[0].plan = .free }
    let run = try await stage.run(["enable", "web1", "--yes"])
    #expect(run.ending == .exited(6))
    #expect(run.code == "defender-plan-missing")
  }

  @Test("names that are too long together are refused before anything is sent")
  func nameLimit() async throws {
    let long = String(repeating: "v", count: 50)
    let stage = try Self.stage { $0.machines.append(SimulatedMachine(long)) }
    let run = try await stage.run(["enable", long, "--yes"])
    #expect(run.code == "jit-enable-failed")
    #expect(run.error.contains("more than 56 characters"))
    #expect(stage.count("PUT", "/") == 0)

    // Another policy's long name does not keep out what fits the standard one.
    let roomy = String(repeating: "v", count: 40)
    let other = try Self.stage {
      $0.machines.append(SimulatedMachine(roomy))
      $0.policies = [
        SimulatedPolicy(
          String(repeating: "p", count: 30), entries: [.init("web1", ports: [.init(22)])])
      ]
    }
    #expect(try await other.run(["enable", roomy, "--yes"]).status == 0)
    #expect(other.simulator.policy() != nil)
  }

  @Test("policies in three locations, and names other than default")
  func locations() async throws {
    let regions = ["westeurope", "northeurope", "eastus"]
    let stage = try Self.stage {
      for (index, region) in regions.enumerated() { $0.machines[index].location = region }
      var policy = SimulatedPolicy("team", entries: [.init("web2", ports: [.init(2222)])])
      policy.location = "northeurope"
      $0.policies = [policy]
    }
    let run = try await stage.run([
      "enable", "web1", "web2", "win1", "--port", "8022", "--yes", "--json",
    ])
    #expect(run.ending == .exited(0))
    let changes = try JSON(parsing: run.output)["policies"]?.elements ?? []
    #expect(changes.map { $0["change"]?.text } == ["created", "changed", "created"])
    let put = stage.simulator.report.calls.filter { $0.method == "PUT" }.map(\.path)
    #expect(put.count == 3)
    for region in regions { #expect(put.contains { $0.contains("/locations/\(region)/") }) }
    let team = stage.simulator.policy("team")?["properties"]?["virtualMachines"]?.elements
    #expect(team?.first?["ports"]?.elements?.compactMap { $0["number"]?.integer } == [2222, 8022])
  }

  @Test("40 machines in one policy: the other 39 and what nobody knows keep their value")
  func manyMachines() async throws {
    let names = (1...40).map { "vm\($0)" }
    let stage = try Self.stage {
      $0.machines += names.map { SimulatedMachine($0) }
      var policy = SimulatedPolicy(
        entries: names.map { .init($0, ports: [.init(22, sources: ["203.0.113.0/24"])]) })
      policy.unknownMembers = [.init("futureMode", ["deep": [1, .number("2.50"), "x"]])]
      policy.spelling = .upper
      $0.policies = [policy]
    }
    let before = stage.simulator.policy()?["properties"] ?? .null
    #expect(try await stage.run(["enable", "web1", "--yes"]).status == 0)
    #expect(try await stage.run(["edit", "vm7", "--max", "1h", "--yes"]).status == 0)
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    let after = stage.simulator.policy()?["properties"] ?? .null
    let old = before["virtualMachines"]?.elements ?? []
    let new = after["virtualMachines"]?.elements ?? []
    #expect(new.count == 40)
    for (one, other) in zip(old, new) where !(one["id"]?.text?.hasSuffix("/VM7") ?? false) {
      #expect(one == other)
    }
    #expect(after["futureMode"] == before["futureMode"])
  }

  @Test("an entry of a deleted machine that Azure refuses is offered to be taken out")
  func deletedMachine() async throws {
    let stage = try Self.stage {
      $0.policies = [SimulatedPolicy(machine: "web2", ports: .init(22))]
      $0.behaviour.refusesDeletedMachines = true
    }
    stage.simulator.removeMachine("web2")
    let refused = try await stage.run(["enable", "web1", "--yes"])
    #expect(refused.code == "jit-enable-failed")
    #expect(refused.error.contains("--drop-deleted takes the entry of web2 out"))

    let terminal = try stage.terminal(["enable", "web1", "--yes"])
    try await terminal.wait(for: "was deleted. Take its entry out? [y/N]")
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0))
    let machines = stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements ?? []
    #expect(machines.compactMap { $0["id"]?.text?.split(separator: "/").last } == ["web1"])

    // Without a question.
    stage.simulator.add(SimulatedMachine("web2"))
    _ = try await stage.run(["enable", "web2", "--yes"])
    stage.simulator.removeMachine("web2")
    let run = try await stage.run(["edit", "web1", "--max", "1h", "--yes", "--drop-deleted"])
    #expect(run.ending == .exited(0))
    #expect(run.error.contains("web2 was deleted"))
  }

  @Test("printed for other tools, and as the calls, nothing is written")
  func printed() async throws {
    let stage = try Self.stage {
      var policy = SimulatedPolicy(
        machine: "web2", ports: .init(22, sources: ["10.0.0.0/8", "203.0.113.7"]))
      policy.unknownMembers = [.init("note", "it's [1] ${x}"), .init("ratio", .number("0.5"))]
      $0.policies = [policy]
    }
    for format in ["bicep", "azapi", "arm", "rest"] {
      let run = try await stage.run(["enable", "web1", "--print", format])
      #expect(run.ending == .exited(0))
      #expect(run.error == "")
      let text = run.text.replacing(stage.simulator.baseURL, with: "https://management.azure.com")
      try Golden.compare(text, with: "policy.\(format).txt")
    }
    let calls = try await stage.run(["enable", "web1", "--dry-run"])
    #expect(calls.text.hasPrefix("az rest --method put --url '"))
    #expect(try await stage.run(["enable", "web2", "--dry-run"]).text == "")
    let edit = try await stage.run(["edit", "web2", "--max", "1h", "--dry-run"])
    #expect(edit.text.contains("PT1H"))
    let disable = try await stage.run(["disable", "web2", "--dry-run"])
    #expect(disable.text.hasPrefix("az rest --method delete --url '"))
    #expect(stage.count("PUT", "/") == 0)
    #expect(stage.count("DELETE", "/") == 0)
  }

  @Test("interrupted in the write: the policy may have been written; before it: nothing was")
  func interrupted() async throws {
    let stage = try Self.stage()
    stage.simulator.inject(Fault(.slow(.seconds(60)), method: "PUT"))
    let writing = try stage.start(["enable", "web1", "--yes"])
    try await writing.wait(for: "the write") { stage.count("PUT", "/jitNetwork") == 1 }
    writing.signal(SIGINT)
    let run = try await writing.finish(timeout: .seconds(10))
    #expect(run.ending == .exited(130))
    #expect(run.error.contains("the policy default may have been written"))

    let terminal = try stage.terminal(["enable", "web2"])
    try await terminal.wait(for: "Write this? [y/N]")
    try terminal.type("\u{3}")
    #expect(try await terminal.end() == .exited(130))
    #expect(terminal.screen.contains("nothing was written"))
  }

  @Test("a machine that does not exist is named as such by each verb")
  func noSuchMachine() async throws {
    let stage = try Self.stage()
    for verb in ["enable", "edit", "disable"] {
      let run = try await stage.run([verb, "nobody", "--yes"])
      #expect(run.ending == .exited(3))
      #expect(run.code == "vm-not-found")
    }
  }

  @Test("a dry run as JSON: the calls with method, url and body, and nothing written")
  func dryRunJSON() async throws {
    let stage = try Self.stage {
      $0.policies = [SimulatedPolicy(machine: "web2", ports: .init(22))]
    }
    func calls(_ words: [String]) async throws -> [JSON] {
      let run = try await stage.run(words + ["--dry-run", "--json"])
      #expect(run.status == 0, "\(run.error)")
      return try #require(try JSON(parsing: run.output)["calls"]?.elements)
    }
    let enable = try await calls(["enable", "web1"])
    #expect(enable.map { $0["method"] } == ["PUT"])
    #expect(enable.first?["url"]?.text?.hasSuffix("api-version=2020-01-01") == true)
    let body = try JSON(parsing: Array((enable.first?["body"]?.text ?? "").utf8))
    #expect(body["properties"]?["virtualMachines"]?.elements?.count == 2)
    #expect(try await calls(["enable", "web2"]).isEmpty)
    let edit = try await calls(["edit", "web2", "--max", "1h"])
    #expect(edit.first?["body"]?.text?.contains("PT1H") == true)
    let disable = try await calls(["disable", "web2"])
    #expect(disable.map { $0["method"] } == ["DELETE"])
    #expect(disable.first?["body"] == nil)
    #expect(stage.count("PUT", "/") + stage.count("DELETE", "/") == 0)
  }

  @Test("two at once, each with its own machine in one policy: both entries are there in the end")
  func twoWriters() async throws {
    let stage = try Self.stage()
    // The first one's answer is late; the second one does all its work meanwhile.
    var fault = Fault(.slow(.seconds(5)), method: "PUT")
    fault.isCarriedOut = true
    stage.simulator.inject(fault)
    let first = try stage.start(["enable", "web1", "--yes"])
    try await first.wait(for: "the write") { stage.simulator.policy() != nil }
    let second = try await stage.run(["enable", "web2", "--yes"])
    #expect(second.status == 0, "\(second.error)")
    let run = try await first.finish()
    #expect(run.status == 0, "\(run.error)")
    #expect(!Self.ports(stage, "web1").isEmpty)
    #expect(!Self.ports(stage, "web2").isEmpty)
  }
}
