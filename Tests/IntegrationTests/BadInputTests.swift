import AzureSimulator
import Platform
import Testing

/// Each line under "what bad input gets", through the built program.
@Suite(.limited) struct BadInputTests {
  // MARK: Names

  @Test("an unknown name is vm-not-found with the closest names and what to type")
  func unknownName() async throws {
    let stage = try await Stage.greeting { configuration in
      for name in ["web2", "db1"] { configuration.machines.append(SimulatedMachine(name)) }
    }
    let run = try await stage.run(["wbe1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("no virtual machine is named wbe1"))
    #expect(run.error.contains("rg-demo/web1"))
    #expect(!run.error.contains("db1,"))
    #expect(run.error.contains("next: jitconnect rg-demo/web1"))
    #expect(run.output.isEmpty)
  }

  @Test("a prefix is never taken by itself")
  func prefixName() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["web", "true"])
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("rg-demo/web1"))
    #expect(stage.requests.isEmpty)
  }

  @Test("the right name in the wrong group: where it is")
  func wrongGroup() async throws {
    let stage = try await Stage.greeting()
    for target in [["rg-demp/web1"], ["--resource-group", "other", "web1"]] {
      let run = try await stage.run(target + ["true"])
      #expect(run.code == "vm-not-found")
      #expect(run.error.contains("next: jitconnect rg-demo/web1"), "\(run.error)")
    }
  }

  @Test("nothing near to it: what to check")
  func nothingNear() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["zzzzzzzzzz", "true"])
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("may read the VM: jitconnect list"))
  }

  @Test("two of a name in two groups are listed with state and what to type")
  func ambiguousGroups() async throws {
    let stage = try await Stage.greeting { configuration in
      var other = SimulatedMachine("WEB1")
      other.resourceGroup = "rg-other"
      other.power = .deallocated
      configuration.machines[0].name = "Web1"
      configuration.machines.append(other)
      configuration.policies = []
    }
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-ambiguous")
    #expect(run.error.contains("jitconnect rg-demo/Web1"))
    #expect(run.error.contains("jitconnect rg-other/WEB1"))
    #expect(run.error.contains("deallocated"))
    #expect(run.error.contains(SimulatedSubscription().id))

    // What it says to type then leads to one machine.
    let typed = try await stage.run(["--no-enable", "rg-other/web1", "true"])
    #expect(typed.code == "vm-not-running")
  }

  @Test("two of a name in two subscriptions' groups of one name: only the id tells them apart")
  func ambiguousSubscriptions() async throws {
    let second = SimulatedSubscription("second")
    let stage = try await Stage.greeting { configuration in
      configuration.subscriptions.append(second)
      var other = SimulatedMachine("web1")
      other.subscription = second.id
      configuration.machines.append(other)
    }
    let run = try await stage.run(["web1", "true"])
    #expect(run.code == "vm-ambiguous")
    #expect(run.error.contains("jitconnect /subscriptions/\(second.id)/resourceGroups/"))

    let narrowed = try await stage.run(
      ["--subscription", second.id, "--no-enable", "web1", "true"])
    #expect(narrowed.code == "jit-not-enabled")
    let named = try await stage.run(["--subscription", "SECOND", "--no-enable", "web1", "true"])
    #expect(named.code == "jit-not-enabled")
  }

  @Test("on a terminal one of several may be chosen, each time anew")
  func choosing() async throws {
    let stage = try await Stage.ssh { configuration in
      var other = SimulatedMachine("web1")
      other.resourceGroup = "rg-other"
      configuration.machines.append(other)
    }
    for _ in 0..<2 {
      let terminal = try stage.terminal(stage.options() + ["web1", "echo hello"])
      try await terminal.wait(for: "Several virtual machines are named web1. Which one?")
      try await terminal.wait(for: "rg-demo")
      try await terminal.wait(for: "Number (1-2, empty for none): ")
      try terminal.type("1\n")
      try await terminal.wait(for: "hello")
      #expect(try await terminal.end() == .exited(0))
    }
    #expect(try await stage.connect().code == "vm-ambiguous")
  }

  @Test("on a terminal a near name is offered, and not remembered as the one typed")
  func offering() async throws {
    let stage = try await Stage.ssh()
    let refused = try stage.terminal(stage.options() + ["web", "true"])
    try await refused.wait(for: "No virtual machine is named web. Which one is meant?")
    try await refused.wait(for: "empty for none): ")
    try refused.type("\n")
    try await refused.wait(for: "error[vm-not-found]")
    #expect(try await refused.end() == .exited(255))

    let taken = try stage.terminal(stage.options() + ["web", "echo hello"])
    try await taken.wait(for: "rg-demo/web1")
    try await taken.wait(for: "empty for none): ")
    try taken.type("1\n")
    try await taken.wait(for: "hello")
    #expect(try await taken.end() == .exited(0))
    #expect(try await stage.connect("web").code == "vm-not-found")
  }

  @Test("az's default subscription breaks a tie")
  func defaultSubscription() async throws {
    let second = SimulatedSubscription("second")
    let stage = try await Stage.greeting { configuration in
      configuration.cloudName = "AzureCloud"
      configuration.subscriptions.append(second)
      var other = SimulatedMachine("web1")
      other.subscription = second.id
      configuration.machines.append(other)
    }
    try stage.write(
      "azure/azureProfile.json",
      """
      {"subscriptions":[{"id":"\(second.id)","name":"second","state":"Enabled",
      "user":{"name":"ada@contoso.example","type":"user"},"isDefault":true,
      "tenantId":"\(SimulatedTenant().id)","environmentName":"AzureCloud"}]}
      """)
    let run = try await stage.run(["--no-enable", "web1", "true"])
    #expect(run.code == "jit-not-enabled", "\(run.error)")
    #expect(stage.count("GET", second.id) > 0)
  }

  // MARK: The machine

  @Test("a stopped machine names --start, and nothing is requested")
  func stopped() async throws {
    let stage = try await Stage.greeting { $0.machines[0].power = .deallocated }
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-not-running")
    #expect(run.error.contains("next: jitconnect --start web1 true\n"), "\(run.error)")
    #expect(stage.requests.isEmpty)
    #expect(stage.count("POST", "/start") == 0)
  }

  @Test("--start starts it before the request, and connects")
  func start() async throws {
    let stage = try await Stage.ssh { $0.machines[0].power = .deallocated }
    let run = try await stage.connect("web1", ["--start"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    let paths = stage.simulator.report.calls.map(\.path)
    let start = paths.firstIndex { $0.hasSuffix("/start") }
    let initiate = paths.firstIndex { $0.hasSuffix("/initiate") }
    #expect(try #require(start) < (try #require(initiate)))
  }

  @Test("a start that fails is told with Azure's reason")
  func startFails() async throws {
    let stage = try await Stage.greeting { configuration in
      configuration.machines[0].power = .deallocated
      configuration.behaviour.startFailure = (
        "AllocationFailed", "Allocation failed. We do not have sufficient capacity."
      )
    }
    let run = try await stage.run(["--start", "web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-start-failed")
    #expect(run.error.contains("sufficient capacity"))
    #expect(stage.requests.isEmpty)
  }

  @Test("no public address says so before anything is requested")
  func noPublicAddress() async throws {
    let stage = try await Stage.greeting { $0.machines[0].publicAddress = .none }
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "no-public-address")
    #expect(run.error.contains("private address"))
    #expect(run.error.contains("--address private"))
    #expect(stage.requests.isEmpty)
  }

  // MARK: Words on a screen

  @Test("-q: not a word of ours, whatever goes wrong", arguments: ["nobody", "web1"])
  func quiet(host: String) async throws {
    let stage = try await Stage.greeting(hasPolicy: false)
    let run = try await stage.run(["-q", host, "true"])
    #expect(run.status == 255)
    #expect(run.error == "")
    #expect(run.output.isEmpty)
  }

  @Test("control characters in Azure's message never reach the terminal")
  func controlCharacters() async throws {
    let stage = try await Stage.greeting()
    stage.simulator.inject(
      Fault(
        .error(400, code: "Odd", message: "evil \u{1B}]0;title\u{7}\u{1B}[2J \u{202E}text"),
        path: "/initiate"))
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.error.contains("evil"))
    #expect(!run.error.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x202E })
  }

  @Test(
    "a host that ssh would refuse is refused before any call",
    arguments: ["-oProxyCommand=x", "web1;id", "$(id)", "a b", "user@", "web1\n"])
  func badHost(host: String) async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["--", host, "true"])
    #expect(run.status == 255)
    #expect(stage.simulator.report.calls.isEmpty)
  }
}
