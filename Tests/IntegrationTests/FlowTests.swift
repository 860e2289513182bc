import AzureSimulator
import Platform
import Testing

/// From the target to the session, on a Linux machine behind a real SSH server.
@Suite(.limited) struct FlowTests {
  @Test("a first connect looks up, requests a window, waits and runs the command")
  func firstConnect() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    // Without a terminal nothing is said when nothing went wrong, but what ssh says too.
    #expect(run.error.hasPrefix("Warning: Permanently added"))
    #expect(run.error.split(separator: "\n").count == 1)
    #expect(stage.count("POST", "resources") == 1)
    #expect(stage.simulator.report.calls.allSatisfy { $0.status < 300 })
    #expect(stage.fileProblems.isEmpty)
  }

  @Test("the remote command's status is passed on")
  func status() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect(command: "exit 42").status == 42)
  }

  @Test(
    "every form of the target, in any letter case",
    arguments: [
      "web1", "WEB1", "rg-demo/web1", "RG-Demo/Web1", "%USER%@web1", "%USER%@rg-demo/web1", "%ID%",
      "%UPPERID%", "ssh://%USER%@web1", "ssh://web1:%PORT%",
    ])
  func target(form: String) async throws {
    let stage = try await Stage.ssh { $0.machines[0].adminUsername = "somebody" }
    let id = stage.machine.id
    let user = Stage.web().adminUsername
    let target = form.replacing("%USER%", with: user).replacing("%ID%", with: id)
      .replacing("%UPPERID%", with: id.uppercased())
      .replacing("%PORT%", with: String(stage.port()))
    var options = stage.options()
    if form.contains("%PORT%") { options.removeFirst(2) }
    if !form.contains("%USER%") { options += ["-l", user] }
    let run = try await stage.run(options + [target, "echo hello"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.requests.count == 1)
  }

  @Test("without a user the machine's administrator logs in")
  func administrator() async throws {
    let stage = try await Stage.ssh { $0.machines[0].adminUsername = "nobody-here" }
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "authentication-failed", "\(run.error)")
    #expect(run.error.contains("nobody-here@"))
  }

  @Test("JitVM, JitResourceGroup and a variable say what -o says", arguments: [0, 1, 2])
  func settings(way: Int) async throws {
    let stage = try await Stage.ssh {
      var other = SimulatedMachine("web1")
      other.resourceGroup = "rg-other"
      $0.machines.append(other)
    }
    var environment: [String: String?] = [:]
    var target = "anything"
    switch way {
    case 0:
      try stage.write(
        "config/jitconnect/config",
        "Host anything\n  JitVM rg-demo/web1\n  JitReason from a file\n")
    case 1:
      try stage.write(
        "home/.ssh/config",
        "IgnoreUnknown Jit*\nHost anything\n  JitVM web1\n  JitResourceGroup rg-demo\n"
          + "  JitReason from a file\n")
    default:
      target = "web1"
      environment = ["JITCONNECT_RESOURCE_GROUP": "rg-demo", "JITCONNECT_REASON": "from a file"]
    }
    let run = try await stage.connect(target, environment: environment)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.requests.first?["justification"] == "from a file")
  }

  // MARK: Finding

  @Test(
    "Resource Graph refused, throttled, or not yet knowing the machine: the lists do",
    arguments: ["denied", "throttled", "unknown", "broken"])
  func fallBack(kind: String) async throws {
    let stage = try await Stage.ssh { configuration in
      switch kind {
      case "denied": configuration.behaviour.graphIsDenied = true
      case "throttled": configuration.behaviour.graphIsThrottled = true
      case "unknown": configuration.machines[0].knownToGraph = false
      default: break
      }
    }
    if kind == "broken" {
      var fault = Fault(.answer(200, body: "{\"data\":7}", type: "application/json"), kind: .graph)
      fault.times = nil
      stage.simulator.inject(fault)
    }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.count("GET", "/virtualMachines") > 1)
    // A refusal is not sat out where another way leads to the machine.
    #expect(stage.simulator.report.count(.graph) == 1)
  }

  @Test("a power state that Resource Graph still tells is not believed")
  func oldPowerState() async throws {
    let stage = try await Stage.ssh { $0.machines[0].graphPower = .deallocated }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.count("POST", "/start") == 0)
  }

  // MARK: Policies

  @Test(
    "a policy is found by the machine's id, whatever its name and its letters", arguments: 0..<4)
  func policies(way: Int) async throws {
    let stage = try await Stage.ssh(hasPolicy: false) { configuration in
      configuration.machines.append(SimulatedMachine("db1"))
      var mine = SimulatedPolicy("mine", machine: "web1", ports: .init(0))
      switch way {
      case 0: mine.spelling = .upper
      case 1: mine.spelling = .lower
      case 2: mine.entries.insert(.init("db1", ports: [.init(22)]), at: 0)
      default:
        mine.resourceGroup = "rg-other"
        mine.entries[0].machine = configuration.machines[0].id
      }
      configuration.policies = [
        SimulatedPolicy(machine: "db1", ports: .init(22)), mine,
        SimulatedPolicy("third", entries: []),
      ]
    }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.count("POST", "/mine/initiate") == 1)
    #expect(stage.count("PUT", "") == 0)
  }

  @Test("of two policies that hold the machine the one of its location is used")
  func twoLocations() async throws {
    let stage = try await Stage.ssh { configuration in
      var old = SimulatedPolicy("default", machine: "web1", ports: .init(0))
      old.location = "northeurope"
      configuration.policies.insert(old, at: 0)
    }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.count("POST", "/locations/westeurope/") == 1)
  }

  // MARK: Enabling

  @Test(
    "no policy, no terminal and no --enable: jit-not-enabled, nothing changed",
    arguments: [
      [], ["--no-enable"], ["-o", "BatchMode=yes"],
    ])
  func notEnabled(options: [String]) async throws {
    let stage = try await Stage.ssh(hasPolicy: false)
    let run = try await stage.connect("web1", options)
    #expect(run.status == 255)
    #expect(run.code == "jit-not-enabled")
    // The port is part of what would be enabled.
    let kept = options.filter { $0 != "--no-enable" } + stage.options()
    let words = (kept + ["web1", "'echo hello'"]).joined(separator: " ")
    #expect(run.error.contains("next: jitconnect --enable \(words)\n"), "\(run.error)")
    #expect(stage.count("PUT", "") == 0)
    #expect(stage.requests.isEmpty)
    #expect(stage.simulator.policy() == nil)
  }

  @Test("--enable creates the policy with the portal's defaults, and connects")
  func enable() async throws {
    let stage = try await Stage.ssh(hasPolicy: false)
    let run = try await stage.connect("web1", ["--enable"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    let rule = stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements?.first?[
      "ports"]?.elements?.first
    #expect(rule?["number"] == JSON(stage.port()))
    #expect(rule?["maxRequestAccessDuration"] == "PT3H")
    #expect(rule?["allowedSourceAddressPrefix"] == "*")
    // Read back after the write.
    let calls = stage.simulator.report.calls
    let put = try #require(calls.firstIndex { $0.method == "PUT" })
    #expect(calls[(put + 1)...].contains { $0.method == "GET" && $0.path.hasSuffix("/default") })
  }

  @Test("--enable merges: another machine's entry and unknown members survive")
  func enableMerges() async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.machines.append(SimulatedMachine("db1"))
      configuration.machines.append(SimulatedMachine("gone"))
      var policy = SimulatedPolicy(entries: [
        .init("db1", ports: [.init(22, sources: ["10.0.0.0/8", "192.0.2.1"], maximum: "PT45M")]),
        .init("gone", ports: [.init(3389)]),
      ])
      policy.unknownMembers = [.init("futureMember", ["a": 1, "b": ["x", true]])]
      configuration.policies = [policy]
    }
    stage.simulator.removeMachine("gone")
    let before = stage.simulator.policy()?["properties"]
    let run = try await stage.connect("web1", ["--enable"])
    #expect(run.status == 0, "\(run.error)")
    let after = stage.simulator.policy()?["properties"]
    let entries = after?["virtualMachines"]?.elements ?? []
    #expect(entries.count == 3)
    for entry in before?["virtualMachines"]?.elements ?? [] { #expect(entries.contains(entry)) }
    #expect(after?["futureMember"] == before?["futureMember"])
  }

  @Test("a policy that another writes at the same moment keeps both entries")
  func enableBeside() async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.machines.append(SimulatedMachine("db1"))
      configuration.policies = []
    }
    stage.simulator.beforeNext("PUT", "/default") { simulator in
      simulator.add(SimulatedPolicy(machine: "db1", ports: .init(22)))
    }
    let run = try await stage.connect("web1", ["--enable"])
    #expect(run.status == 0, "\(run.error)")
    let entries = stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements ?? []
    #expect(entries.contains { $0["id"]?.text?.hasSuffix("/web1") == true })
  }

  @Test("on a terminal it is asked in these words; No changes nothing, Yes connects")
  func enableAsked() async throws {
    let stage = try await Stage.ssh(hasPolicy: false)
    let question =
      "Enable just-in-time access on web1 (port \(stage.port()), up to 3 hours, any source)? [y/N] "
    let refused = try stage.terminal(stage.options() + ["web1", "echo hello"])
    try await refused.wait(for: question)
    try refused.type("\n")
    try await refused.wait(for: "error[jit-not-enabled]")
    #expect(try await refused.end() == .exited(255))
    #expect(stage.count("PUT", "") == 0)

    let granted = try stage.terminal(stage.options() + ["web1", "echo hello"])
    try await granted.wait(for: question)
    try granted.type("y\n")
    try await granted.wait(for: "hello")
    #expect(try await granted.end() == .exited(0))
    #expect(stage.simulator.policy() != nil)
  }
}

extension Stage {
  /// The first machine.
  var machine: SimulatedMachine { SimulatedMachine("web1") }
}
