import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect request`: many machines and ports with few calls, each outcome told.
@Suite(.limited) struct RequestTests {
  /// `web1`, `web2` and `win1` in one policy, with ports that nobody answers.
  private static func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var windows = SimulatedMachine("win1")
    windows.system = .windows
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2"), windows],
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22)]), .init("web2", ports: [.init(22), .init(443)]),
          .init("win1", ports: [.init(3389)]),
        ])
      ])
    change(&configuration)
    return try Stage(configuration)
  }

  private static func ports(_ request: JSON?) -> [JSON] {
    (request?["virtualMachines"]?.elements ?? []).flatMap { $0["ports"]?.elements ?? [] }
  }

  @Test("several machines and ports are one call, by operating system where no port is named")
  func oneCall() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["request", "web1", "web2:22,443", "WIN1", "--no-wait", "--json"])
    #expect(run.status == 0, "\(run.error)")
    try Golden.compare(masked(run.text), with: "request.json")
    #expect(stage.requests.count == 1)
    #expect(
      Self.ports(stage.requests.first).map { $0["number"]?.integer } == [22, 22, 443, 3389])
    #expect(stage.count("POST", "/resources") == 1)

    let again = try await stage.run(["request", "web1", "web2:443", "--no-wait"])
    #expect(again.status == 0, "\(again.error)")
    #expect(stage.requests.count == 1)
    try Golden.compare(masked(again.text), with: "request.txt")
  }

  @Test(
    "a machine by several names is asked for once, also where the call is refused and cut in two",
    arguments: [false, true])
  func spellings(isRefused: Bool) async throws {
    let stage = try Self.stage()
    let machine = SimulatedMachine("web1")
    let id =
      "/subscriptions/\(machine.subscription)/resourceGroups/\(machine.resourceGroup)"
      + "/providers/Microsoft.Compute/virtualMachines/WEB1"
    let names = ["web1", "\(machine.resourceGroup)/web1", "WEB1:22", id, "web1"]
    let dry = try await stage.run(["request", "--dry-run"] + names)
    #expect(dry.text.components("\"number\":22") == 1, "\(dry.text)")
    if isRefused {
      stage.simulator.inject(
        Fault(.error(400, code: "BadRequest", message: "no"), method: "POST", path: "/initiate"))
    }
    let run = try await stage.run(["request", "--no-wait", "--json"] + names)
    #expect(run.status == (isRefused ? 1 : 0), "\(run.error)")
    #expect(try JSON(parsing: run.output)["windows"]?.elements?.count == 1)
    #expect(stage.requests.count == 1)
    #expect(Self.ports(stage.requests.first).count == 1)
  }

  @Test("what to type next is this verb's, with its options and a port that is allowed")
  func retyped() async throws {
    let stage = try Self.stage { $0.machines.append(SimulatedMachine("bare")) }
    let forbidden = try await stage.run(["request", "--for", "1h", "web1:80", "--no-wait"])
    #expect(
      forbidden.error.contains("next: jitconnect request --for 1h --no-wait rg-demo/web1:22\n"),
      "\(forbidden.error)")
    let bare = try await stage.run(["request", "bare:8080"])
    #expect(
      bare.error.contains("next: jitconnect enable --port 8080 rg-demo/bare\n"), "\(bare.error)")
    let soon = try await stage.run(["request", "web1", "--for", "soon"])
    #expect(soon.error.contains("]: --for: invalid time value."), "\(soon.error)")
    let json = try await stage.run(["ssh-config", "--json", "web1"])
    #expect(json.status == 64)
    #expect(json.text.isEmpty)
  }

  @Test("the port is waited for and connected to nowhere")
  func waits() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["request", "web1:\(stage.port())", "--reason", "a look"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text.hasPrefix("web1\t\(stage.port())\topen\t203.0.113.7\t"))
    #expect(stage.requests.first?["justification"] == "a look")
    #expect(Self.ports(stage.requests.first).first?["duration"] == "PT5M")
  }

  @Test("200 machines by their tag: one query, one list, one request")
  func fleet() async throws {
    let names = (1...200).map { "node\($0)" }
    let stage = try Self.stage { configuration in
      configuration.machines += names.map { name in
        var machine = SimulatedMachine(name)
        machine.tags = ["Role": "web"]
        return machine
      }
      configuration.policies.append(
        SimulatedPolicy("fleet", entries: names.map { .init($0, ports: [.init(22)]) }))
    }
    let run = try await stage.run([
      "request", "--tag", "role=web", "--port", "22", "--for", "30m", "--no-wait", "--json",
    ])
    #expect(run.status == 0, "\(run.error)")
    let windows = try JSON(parsing: run.output)["windows"]?.elements ?? []
    #expect(windows.count == 200)
    #expect(Self.ports(stage.requests.first).count == 200)
    #expect(stage.simulator.report.count(.arm, .graph) == 3, "\(stage.simulator.report.text)")

    let other = try await stage.run(["request", "--tag", "role=db"])
    #expect(other.status == 3)
    #expect(other.code == "vm-not-found")
  }

  @Test("a group is a fleet where no machine is named; each port is waited for side by side")
  func sideBySide() async throws {
    let machines = (1...5).map { Stage.web("web\($0)") }
    var configuration = Stage.configuration(
      machines: machines,
      policies: [
        SimulatedPolicy(entries: machines.map { .init($0.name, ports: [.init(0)]) })
      ])
    configuration.behaviour.openingDelay = .seconds(1000)
    let stage = try Stage(configuration)
    let targets = machines.map { "\($0.name):\(stage.port($0.name))" }
    let running = try stage.start(["request", "--for", "1h", "--json"] + targets)
    try await running.wait(for: "the request") {
      stage.read("state/jitconnect/windows.json") != nil
    }
    stage.simulator.advance(by: .seconds(1000))
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
    let windows = try JSON(parsing: run.output)["windows"]?.elements ?? []
    #expect(windows.map { $0["state"] } == machines.map { _ in "open" })
    #expect(stage.requests.count == 1)

    let group = try await stage.run(["request", "--resource-group", "RG-demo", "--no-wait"])
    // Their policy holds the gates' ports alone.
    #expect(group.status == 1)
    #expect(group.error.components("error[policy-forbids-port]") == 5)
  }

  @Test("a dry run names the calls as az makes them, and makes none")
  func dryRun() async throws {
    let stage = try Self.stage()
    let words = ["request", "web1", "web2:443", "--reason", "it's due", "--dry-run"]
    let run = try await stage.run(words)
    #expect(run.status == 0, "\(run.error)")
    let arm = stage.simulator.baseURL
    try Golden.compare(masked(run.text, [(arm, "ARM")]), with: "request-dry-run.txt")
    #expect(stage.requests.isEmpty)
    #expect(stage.read("state/jitconnect/windows.json") == nil)

    let json = try await stage.run(words + ["--json"])
    #expect(json.status == 0, "\(json.error)")
    let call = try JSON(parsing: json.output)["calls"]?.elements?.first
    #expect(call?["method"] == "POST")
    let body = try JSON(parsing: Array((call?["body"]?.text ?? "").utf8))
    #expect(body["justification"] == "it's due")
  }

  @Test(
    "the exit status is the failures' own where all are of one kind, else 1",
    arguments: [
      (["nowhere", "neither"], 3), (["web1", "bare"], 6), (["nowhere", "bare"], 1),
      (["web1", "nowhere"], 3), (["bare"], 6), (["web1:99"], 1),
    ] as [([String], Int32)])
  func failures(targets: [String], status: Int32) async throws {
    let stage = try Self.stage { $0.machines.append(SimulatedMachine("bare")) }
    let run = try await stage.run(["request", "--no-wait"] + targets)
    #expect(run.status == status, "\(run.error)")
    // What is well goes on.
    #expect(stage.requests.count == (targets.contains("web1") ? 1 : 0))
  }

  @Test("a dry run asks nothing: what would be asked about is told, and the calls follow")
  func dryRunAsksNothing() async throws {
    let stage = try Self.stage { $0.machines[0].power = .deallocated }
    let terminal = try stage.terminal(["request", "web1", "--dry-run"])
    try await terminal.wait(for: "# web1 is deallocated; --start starts it first")
    try await terminal.wait(for: "/initiate")
    #expect(try await terminal.end() == .exited(0))
    #expect(stage.requests.isEmpty)
  }

  @Test("Ctrl-C while Azure is asked says that a window may have been opened")
  func interruptedCall() async throws {
    let stage = try Self.stage()
    var fault = Fault(.slow(.seconds(60)), method: "POST", path: "/initiate")
    fault.isCarriedOut = true
    stage.simulator.inject(fault)
    let running = try stage.start(["request", "web1:22", "--no-wait"])
    try await running.wait(for: "the request") {
      !(stage.simulator.policy()?["properties"]?["requests"]?.elements ?? []).isEmpty
    }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(20))
    #expect(run.code == "interrupted")
    #expect(run.error.contains("port 22 of web1 may have been opened"), "\(run.error)")
  }

  @Test("a failure of one port alone is in the report too")
  func reportOfOne() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["request", "web1:99", "--no-wait", "--json"])
    #expect(run.status == 1)
    let window = try JSON(parsing: run.output)["windows"]?.elements?.first
    #expect(window?["error"]?["code"] == "policy-forbids-port")
  }

  @Test(
    "bad input is refused before anything is asked",
    arguments: [
      ["request"], ["request", "web1:"], ["request", "web1:0"], ["request", "web1:22,,443"],
      ["request", "web1:70000"], ["request", "web1:ssh"], ["request", ":22"],
      ["request", "web1", "--port", "22-25"], ["request", "web1", "--tag", "role=web"],
      ["request", "--tag", "=web"], ["request", "web1", "--for", "soon"],
      ["request", "web1", "--source", "2001:db8::1"], ["request", "web1", "--wait", "-1"],
      ["close"], ["close", "web1:x"], ["history", "web1", "--since", "yesterday"],
      ["history", "web1", "--since", "91d"], ["doctor", "web1", "-p", "0"], ["doctor"],
    ])
  func badInput(words: [String]) async throws {
    let stage = try Self.stage()
    let run = try await stage.run(words)
    #expect(run.status == 64, "\(run.error)")
    #expect(run.text == "")
    #expect(stage.simulator.report.count(.arm, .graph) == 0)
  }

  @Test(
    "what the policy forbids is told in words",
    arguments: [
      (["--for", "9h"], "policy-forbids-duration", "at most 3 hours"),
      (["--for", "1m"], "policy-forbids-duration", "at least 5 minutes"),
      (["--source", "198.51.100.1"], "policy-forbids-source", "203.0.113.0/24"),
    ])
  func forbidden(options: [String], code: String, words: String) async throws {
    let stage = try Self.stage {
      $0.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(22, sources: ["203.0.113.0/24"]))
      ]
    }
    let run = try await stage.run(["request", "web1", "--json"] + options)
    #expect(run.status == 1)
    #expect(try JSON(parsing: Array(run.error.utf8))["error"]?["code"]?.text == code)
    #expect(run.error.contains(words), "\(run.error)")
    #expect(stage.requests.isEmpty)
  }

  @Test("one machine that Azure refuses does not keep the others shut")
  func halves() async throws {
    let stage = try Self.stage { configuration in
      var free = SimulatedMachine("free1")
      free.plan = .free
      configuration.machines.append(free)
      configuration.policies[0].entries.append(.init("free1", ports: [.init(22)]))
    }
    let run = try await stage.run(["request", "web1", "free1", "web2", "win1", "--no-wait"])
    #expect(run.status == 6, "\(run.error)")
    #expect(run.code == "defender-plan-missing")
    for name in ["web1", "web2"] {
      #expect(stage.simulator.reaches(name, port: 22, from: "203.0.113.7"))
    }
    #expect(stage.simulator.reaches("win1", port: 3389, from: "203.0.113.7"))
    // All; its halves; the refused half's halves.
    #expect(stage.requests.count == 5)
  }

  @Test("--start starts a stopped machine and waits for its banner")
  func start() async throws {
    let stage = try await Stage.greeting { $0.machines[0].power = .deallocated }
    let target = "web1:\(stage.port())"
    let refused = try await stage.run(["request", target])
    #expect(refused.code == "vm-not-running")
    #expect(refused.error.contains("--start"))
    #expect(stage.requests.isEmpty)

    let run = try await stage.run(["request", target, "--start"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text.contains("\topen\t"))
    #expect(stage.simulator.power(of: "web1") == .running)
  }

  @Test("colleagues' windows are named first; --keep-others keeps them")
  func others() async throws {
    let stage = try Self.stage { $0.behaviour.namesRequestor = true }
    stage.simulator.change { $0.clientAddress = "198.51.100.4" }
    let elsewhere: [String: String?] = ["XDG_STATE_HOME": stage.folder + "/work/state"]
    let first = try await stage.run(
      ["request", "web1", "web2", "--for", "2h", "--no-wait"], environment: elsewhere)
    #expect(first.status == 0, "\(first.error)")
    stage.simulator.change { $0.clientAddress = "203.0.113.7" }

    let terminal = try stage.terminal(["request", "web1", "web2", "--no-wait"], columns: 200)
    try await terminal.wait(for: "Go on? [y/N]")
    try terminal.type("n\r")
    #expect(try await terminal.end() == .exited(1))
    #expect(terminal.screen.contains("to port 22 of web2"))
    #expect(stage.requests.count == 1)

    let kept = try await stage.run(["request", "web1", "--keep-others", "--no-wait"])
    #expect(kept.status == 0, "\(kept.error)")
    #expect(!kept.error.contains("warning"))
    #expect(
      Self.ports(stage.requests.last).first?["allowedSourceAddressPrefixes"]
        == ["203.0.113.7", "198.51.100.4"])
    let piped = try await stage.run(["request", "web2", "--no-wait"])
    #expect(piped.status == 0)
    #expect(piped.error.contains("from 198.51.100.4 is open until"), "\(piped.error)")
  }

  @Test("a fleet is not asked about: what is off is told, and --start starts it")
  func stoppedFleet() async throws {
    let stage = try Self.stage {
      $0.machines[0].power = .deallocated
      for index in $0.machines.indices { $0.machines[index].tags = ["env": "test"] }
    }
    let terminal = try stage.terminal(
      ["request", "--tag", "env=test", "--no-wait"], columns: 200)
    #expect(try await terminal.end() == .exited(1))
    #expect(terminal.screen.contains("failed: vm-not-running"))
    let run = try await stage.run(["request", "--tag", "env=test", "--start", "--no-wait"])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.power(of: "web1") == .running)
  }

  @Test("behind a jump host the source is to be named, and nobody knocks from here")
  func proxied() async throws {
    let stage = try Self.stage()
    try stage.write("config.ssh", "Host web1\n  ProxyJump gate\n")
    let words = ["request", "web1", "-F", stage.folder + "/config.ssh"]
    let unclear = try await stage.run(words)
    #expect(unclear.code == "address-unclear", "\(unclear.error)")
    let run = try await stage.run(words + ["--source", "10.0.0.9"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text.contains("\trequested\t10.0.0.9\t"))
  }

  @Test("Ctrl-C while ports are waited for says what stays open")
  func interrupted() async throws {
    let stage = try await Stage.greeting { $0.behaviour.openingDelay = .seconds(1000) }
    let running = try stage.start(["request", "web1:\(stage.port())"])
    try await running.wait(for: "the request") {
      stage.read("state/jitconnect/windows.json") != nil
    }
    running.signal(SIGINT)
    let run = try await running.finish()
    #expect(run.status == 130)
    #expect(run.error.contains("port \(stage.port()) of web1 stays open until"), "\(run.error)")
  }

  @Test("a request that Azure ends as Failed ends the wait for that port alone")
  func failed() async throws {
    let stage = try await Stage.greeting { $0.behaviour.requestsEndAs = ("Denied", "Somehow") }
    stage.simulator.change { $0.openingDelay = .seconds(1000) }
    let run = try await stage.run(["request", "web1:\(stage.port())", "--wait", "60s"])
    #expect(run.status == 1)
    #expect(run.code == "window-refused", "\(run.error)")
    #expect(run.error.contains("Denied"))
  }
}

extension String {
  /// How often a text is in it.
  fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
