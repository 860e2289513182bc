import AzureSimulator
import Platform
import Testing

@Suite(.limited) struct ListTests {
  /// A machine in each state.
  private static func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var machines = ["web1", "web2", "fire1", "plain1"].map { SimulatedMachine($0) }
    var windows = SimulatedMachine("win1")
    windows.system = .windows
    windows.tags = ["role": "desktop", "env": "prod"]
    var stopped = SimulatedMachine("stopped1")
    stopped.power = .deallocated
    var open = SimulatedMachine("open1")
    open.securityGroup = .none
    var other = SimulatedMachine("far1")
    other.subscription = SimulatedSubscription("other").id
    other.resourceGroup = "rg-far"
    other.location = "northeurope"
    machines[0].tags = ["Role": "web"]
    machines += [windows, stopped, open, other]
    var configuration = Stage.configuration(
      machines: machines,
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22), .init(8443, sources: ["10.0.0.0/8"], maximum: "PT1H")]),
          .init("gone1", ports: [.init(22)]),
        ])
      ])
    var fire = SimulatedPolicy.Entry("fire1", ports: [.init(22)])
    fire.firewallAddress = "198.51.100.20"
    configuration.policies.append(SimulatedPolicy("team", entries: [fire]))
    configuration.subscriptions.append(SimulatedSubscription("other"))
    configuration.subscriptions[1].plan = .p1
    configuration.lookalikes = [
      SimulatedLookalike("old1", type: "Microsoft.ClassicCompute/virtualMachines")
    ]
    change(&configuration)
    return try Stage(configuration)
  }

  private static func machines(_ run: Run) throws -> [String: JSON] {
    let items = try JSON(parsing: run.output)["machines"]?.elements ?? []
    return Dictionary(items.map { ($0["name"]?.text ?? "", $0) }) { first, _ in first }
  }

  @Test("every machine has its state and its reason, as JSON")
  func json() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["list", "--json"])
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    try Golden.compare(run.text, with: "list.json")
    let machines = try Self.machines(run)
    let states = machines.mapValues { $0["state"]?.text }
    #expect(
      states == [
        "web1": "configured", "fire1": "configured", "web2": "not-configured",
        "plain1": "not-configured", "win1": "not-configured", "stopped1": "unsupported",
        "open1": "unsupported", "far1": "unsupported", "old1": "unsupported",
      ])
    #expect(machines["fire1"]?["rulesOn"] == "firewall")
    #expect(machines["win1"]?["ports"]?.elements?.first?["port"]?.integer == 3389)
    #expect(machines["win1"]?["mayEnable"] == "yes")
    let strangers = try JSON(parsing: run.output)["notInSight"]?.elements ?? []
    #expect(strangers.first?["machines"]?.elements?.first?.text?.hasSuffix("/gone1") == true)
  }

  @Test("in a pipe a line for each machine, with tabs")
  func lines() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["list"])
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    try Golden.compare(run.text, with: "list.txt")
    #expect(run.text.split(separator: "\n").allSatisfy { $0.count { $0 == "\t" } == 10 })
  }

  @Test("on a terminal a table for each state")
  func tables() async throws {
    let stage = try Self.stage()
    let terminal = try stage.terminal(
      ["list"], environment: ["NO_COLOR": "1"], columns: 200)
    #expect(try await terminal.end() == .exited(0))
    // Without the progress line, which is drawn over.
    let screen = terminal.screen.split(separator: "\n")
      .map { $0.split(separator: "\u{1B}[K").last ?? $0 }
      .joined(separator: "\n")
    try Golden.compare(screen + "\n", with: "list-terminal.txt")
  }

  @Test(
    "filters",
    arguments: [
      (["--state", "configured"], ["fire1", "web1"]),
      (["--state", "not-configured,unsupported", "--os", "windows"], ["win1"]),
      (["--tag", "role=web"], ["web1"]), (["--tag", "role"], ["web1", "win1"]),
      (["--tag", "role=Web"], []), (["--tag", "role=desktop", "--tag", "env=prod"], ["win1"]),
      (["--resource-group", "RG-far"], ["far1"]), (["--subscription", "other"], ["far1"]),
      (["--subscription", "main", "--os", "Windows"], ["win1"]), (["--mine"], []),
    ])
  func filters(words: [String], expected: [String]) async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["list", "--json"] + words)
    #expect(run.ending == .exited(0))
    let names = try Self.machines(run).keys.sorted()
    #expect(names.filter { $0 != "old1" } == expected)
  }

  @Test("open windows: who, from where, how long; --mine shows one's own")
  func windows() async throws {
    let stage = try await Stage.greeting {
      $0.machines.append(SimulatedMachine("web2"))
      $0.policies.append(SimulatedPolicy("second", machine: "web2", ports: .init(22)))
    }
    _ = try await stage.connect("web1", ["--for", "1h", "--reason", "patching"])
    let run = try await stage.run(["list", "--json", "--mine"])
    let machines = try Self.machines(run)
    #expect(Array(machines.keys) == ["web1"])
    let window = try #require(machines["web1"]?["windows"]?.elements?.first)
    #expect(window["sources"]?.elements == ["203.0.113.7"])
    #expect(window["reason"] == "patching")
    #expect(window["isOwn"] == true)
    #expect((3000...3600).contains(window["secondsLeft"]?.integer ?? 0))
    #expect(machines["web1"]?["lastRequest"]?["reason"] == "patching")
    let line = try await stage.run(["list", "--mine"])
    #expect(line.text.contains("for 203.0.113.7 until"))
    #expect(line.text.contains("left), you"))
    #expect(line.text.contains("NSG"))
  }

  @Test("policies that may not be read are never 'not configured'")
  func unreadable() async throws {
    let stage = try Self.stage {
      $0.identities[0].grants = [
        .init(notActions: ["Microsoft.Security/*"])
      ]
    }
    let run = try await stage.run(["list", "--json"])
    #expect(run.ending == .exited(0))
    let machines = try Self.machines(run)
    #expect(machines["web1"]?["state"] == "unknown")
    #expect(machines["web2"]?["state"] == "unknown")
    #expect(
      machines["web2"]?["why"]?.elements?.first?.text?.contains("jitNetworkAccessPolicies/read")
        == true)
    #expect(run.error.contains("not read: policies of subscription"))
  }

  @Test("rights on one group alone: its policies are read there, and what may be done is told")
  func groupRights() async throws {
    let stage = try Self.stage {
      let group = "/subscriptions/\(SimulatedSubscription().id)/resourceGroups/rg-demo"
      $0.identities[0].grants = [.init(scope: group)]
    }
    let machines = try Self.machines(try await stage.run(["list", "--json"]))
    #expect(machines["web1"]?["state"] == "configured")
    #expect(machines["web2"]?["state"] == "not-configured")
    #expect(machines["web2"]?["mayEnable"] == "unknown")

    let reader = try Self.stage { $0.identities[0].grants = [.init(actions: ["*/read"])] }
    let read = try Self.machines(try await reader.run(["list", "--json"]))
    #expect(read["web2"]?["mayEnable"] == "no")
    #expect(read["web2"]?["missingActions"]?.elements?.count == 2)
  }

  @Test("without Resource Graph the lists stand in")
  func withoutGraph() async throws {
    let stage = try Self.stage { $0.behaviour.graphIsDenied = true }
    let machines = try Self.machines(try await stage.run(["list", "--json"]))
    #expect(machines["web1"]?["state"] == "configured")
    #expect(machines["win1"]?["os"] == "windows")
    // The subnet is not known then, so nothing is said against it.
    #expect(machines["open1"]?["state"] == "not-configured")
  }

  @Test(
    "5,000 machines in three subscriptions: the calls are counted, and pages go out as they come")
  func fleet() async throws {
    let subscriptions = ["main", "second", "third"].map { SimulatedSubscription($0) }
    let stage = try Self.stage { configuration in
      configuration.subscriptions = subscriptions
      configuration.lookalikes = []
      configuration.policies = []
      configuration.machines = (0..<5000).map { index in
        var machine = SimulatedMachine("vm\(index)")
        machine.subscription = subscriptions[index % 3].id
        machine.resourceGroup = "rg-\(index % 40)"
        // Rows of one machine lie on two pages.
        machine.extraInterfaces = index % 7 == 0 ? 1 : 0
        return machine
      }
      for subscription in subscriptions {
        var policy = SimulatedPolicy(
          entries: (0..<5000).filter { subscriptions[$0 % 3].id == subscription.id && $0 % 40 < 3 }
            .map { index in
              SimulatedPolicy.Entry(
                "/subscriptions/\(subscription.id)/resourceGroups/rg-\(index % 40)/providers/"
                  + "Microsoft.Compute/virtualMachines/vm\(index)", ports: [.init(22)])
            })
        policy.subscription = subscription.id
        policy.resourceGroup = "rg-1"
        configuration.policies.append(policy)
      }
    }
    let run = try await stage.run(["list"])
    #expect(run.ending == .exited(0))
    let lines = run.text.split(separator: "\n")
    #expect(lines.count == 5000)
    #expect(Set(lines.compactMap { $0.split(separator: "\t").last }).count == 5000)
    #expect(lines.count { $0.hasPrefix("configured\t") } == 375)
    // 5,715 rows are 6 pages, and one query is for classic machines; then the names of the
    // subscriptions, and for each its policies, its plan and what the caller may do.
    #expect(stage.simulator.report.count(.graph) == 7)
    #expect(stage.simulator.report.count(.arm) == 1 + 3 * 3)
  }

  @Test("a failure before the first page leaves no half of a JSON")
  func failureFirst() async throws {
    let stage = try Self.stage()
    for path in ["resourcegraph", "virtualmachines", "/subscriptions"] {
      var fault = Fault(.error(403, code: "AuthorizationFailed", message: "no"), path: path)
      fault.times = nil
      stage.simulator.inject(fault)
    }
    let run = try await stage.run(["list", "--json"])
    #expect(run.status != 0)
    #expect(run.text == "")
  }

  @Test("a page goes out before the next is asked for, and a failure in between is told")
  func streamed() async throws {
    let stage = try Self.stage {
      $0.policies = []
      $0.machines = (0..<1500).map { SimulatedMachine("vm\($0)") }
    }
    var fault = Fault(
      .error(400, code: "BadRequest", message: "no more"), kind: .graph)
    fault.times = nil
    stage.simulator.beforeNext("POST", "/providers/Microsoft.ResourceGraph/resources") { _ in }
    fault.after = 2
    stage.simulator.inject(fault)
    let run = try await stage.run(["list"])
    #expect(run.status != 0)
    #expect(run.code == "azure-refused")
    #expect(run.text.split(separator: "\n").count == 999)
  }

  @Test("progress is off the terminal before the first byte goes to whoever reads the list there")
  func progressBeforePipe() async throws {
    let stage = try Self.stage { $0.behaviour.delays = [.graph: .milliseconds(300)] }
    for words in [["list"], ["list", "--json"]] {
      let script = "\"$0\" \(words.joined(separator: " ")) | cat"
      let terminal = AwaitedTerminal(
        try PseudoTerminal(
          "/bin/sh", ["-c", script, Binary.path],
          environment: stage.environment.merging(["TERM": "xterm"]) { $1 }))
      try await terminal.wait(for: "looking at the virtual machines")
      #expect(try await terminal.end() == .exited(0))
      let first = words.count == 1 ? "unsupported\t" : "{\"machines\""
      let shown = try #require(terminal.screen.firstRange(of: first))
      // A drawn line ends with an erasure of what is behind it, its removal is another one. What is
      // said at the end may overtake the list, which goes through another program.
      let before = terminal.screen[..<shown.lowerBound]
      #expect(before.contains("\u{1B}[K\u{1B}[K"), "\(before.debugDescription)")
      #expect(!terminal.screen[shown.lowerBound...].contains("looking at"))
    }
  }
}
