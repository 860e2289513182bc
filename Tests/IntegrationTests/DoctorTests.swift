import AzureSimulator
import Platform
import Testing

/// Every hop is looked at, and the one that fails is named with what mends it.
@Suite(.limited) struct DoctorTests {
  private struct Report {
    var findings: [JSON]

    init(_ run: Run) throws {
      findings = try JSON(parsing: run.output)["findings"]?.elements ?? []
    }

    /// The checks that are not `ok`, with their states.
    var wrong: [String] {
      findings.filter { $0["state"] != "ok" }
        .map { "\($0["check"]?.text ?? "") \($0["state"]?.text ?? "")" }
    }

    func text(_ check: String, _ member: String = "text") -> String {
      findings.filter { $0["check"]?.text == check }.compactMap { $0[member]?.text }
        .joined(separator: "\n")
    }
  }

  private func examine(
    _ stage: Stage, _ options: [String] = [], _ target: String = "web1"
  ) async throws -> (run: Run, report: Report) {
    let run = try await stage.run(
      ["doctor", target, "-p", "\(stage.port())", "--json"] + options)
    return (run, try Report(run))
  }

  private func window(_ stage: Stage) async throws {
    let run = try await stage.run(["request", "web1:\(stage.port())", "--for", "1h"])
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("where all is well every line says ok, for people and for programs")
  func well() async throws {
    let stage = try await Stage.ssh()
    try await window(stage)
    let run = try await stage.run(["doctor", "web1", "-p", "\(stage.port())"])
    #expect(run.status == 0, "\(run.text)\(run.error)")
    let (_, report) = try await examine(stage)
    #expect(report.wrong.isEmpty)
    let key = report.text("host-key").split(separator: ",").first.map(String.init) ?? ""
    let until = report.text("window").split(separator: " ").last.map(String.init) ?? ""
    let banner = report.text("banner")
    let rules = report.findings.first { $0["check"] == "nsg" }?["details"]?.elements ?? []
    let names = rules.compactMap { $0.text?.split(separator: " ").dropFirst().first }.map(
      String.init)
    let hidden: [(String, String)] =
      [
        ("\(stage.port())", "PORT"), (key, "KEY"), ("until \(until)", "until TIME"),
        (banner, "BANNER"),
      ]
      + names.filter { $0.contains("JITRule") }
      .map { ($0, $0.contains("JITRule-") ? "WINDOW-RULE" : "DENY-RULE") }
      + [(stage.simulator.gateAddress(of: "web1") ?? "", "ADDRESS")]
    try Golden.compare(masked(run.text, hidden), with: "doctor.txt")

    // The key is pinned by a connect.
    #expect(try await stage.connect().status == 0)
    let pinned = try await examine(stage).report
    #expect(pinned.text("host-key").hasSuffix("is the pinned one"))
  }

  @Test("a window that is missing, and the rule that shuts the port")
  func noWindow() async throws {
    let stage = try await Stage.ssh()
    let (run, report) = try await examine(stage)
    #expect(run.status == 1)
    #expect(report.wrong == ["window problem", "nsg problem", "port problem"])
    #expect(
      report.text("window", "next") == "jitconnect request rg-demo/web1:\(stage.port())")
    #expect(report.text("nsg").contains("keeps 203.0.113.7 out by"))
  }

  @Test("a machine that is off, without a plan and without a policy")
  func off() async throws {
    let stage = try await Stage.ssh(hasPolicy: false) {
      $0.machines[0].power = .deallocated
      $0.machines[0].plan = .p1
    }
    let (run, report) = try await examine(stage)
    #expect(run.status == 1)
    #expect(report.wrong.contains("plan problem"))
    #expect(report.wrong.contains("power problem"))
    #expect(report.wrong.contains("policy problem"))
    #expect(report.wrong.contains("route unknown"))
    #expect(report.text("power", "next") == "jitconnect --start rg-demo/web1")
    #expect(report.text("policy", "next") == "jitconnect enable rg-demo/web1")
    // It stopped at nothing.
    #expect(report.wrong.contains("port problem"))
  }

  @Test("somebody's rule before the window's is named, with the command that moves it")
  func shadowed() async throws {
    let stage = try await Stage.ssh()
    try await window(stage)
    stage.simulator.add(
      SecurityRule("block-all", priority: 99, allows: false, ports: ["*"]), to: "web1-nsg")
    let (_, report) = try await examine(stage)
    #expect(report.text("nsg").contains("out by block-all (99)"))
    #expect(report.text("nsg", "next").contains("az network nsg rule update"))
    #expect(report.text("nsg", "next").contains("-n block-all"))
    #expect(report.text("jit-rule").contains("block-all comes before"))
  }

  @Test("a window for another address, a source outside the policy, a port that it lacks")
  func otherAddress() async throws {
    let stage = try await Stage.ssh {
      $0.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(0, sources: ["203.0.113.0/24"]))
      ]
    }
    try await window(stage)
    let (_, report) = try await examine(stage, ["--source", "198.51.100.4"])
    #expect(report.text("source", "next").contains("--allow-source 198.51.100.4"))
    #expect(report.text("window").contains("no open window is for 198.51.100.4"))
    let other = try await stage.run(["doctor", "web1", "-p", "2022", "--json"])
    let lacking = try Report(other)
    #expect(lacking.text("policy", "next") == "jitconnect edit rg-demo/web1 --add-port 2022")
  }

  @Test("an open door beside the window, a route that leads elsewhere, a server that is silent")
  func surroundings() async throws {
    let stage = try await Stage.greeting {
      $0.machines[0].gates[0].backend = .closing
      $0.behaviour.defaultNextHop = ("VirtualAppliance", "10.1.1.4")
    }
    stage.simulator.add(
      SecurityRule("allow-ssh", priority: 1002, allows: true, ports: ["*"]), to: "web1-nsg")
    let (run, report) = try await examine(stage)
    #expect(run.status == 1)
    #expect(report.text("exposure").contains("allow-ssh (1002)"))
    #expect(report.text("route").contains("VirtualAppliance 10.1.1.4"))
    #expect(report.text("banner").contains("speaks SSH"))
  }

  @Test("with the right to read alone everything is seen, and what is not permitted is named")
  func reader() async throws {
    let stage = try await Stage.ssh {
      $0.identities[0].grants = [.init(actions: ["*/read"])]
    }
    let (run, report) = try await examine(stage)
    #expect(run.status == 1)
    #expect(report.wrong.first == "permission problem")
    let missing = report.text("permission")
    #expect(
      missing.contains(
        "no role of this account has Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"
      ))
    #expect(missing.contains("the role Security Admin has it"))
    #expect(report.wrong.contains("route unknown"))
    #expect(!report.wrong.contains("policy problem"))
  }

  @Test("what may not be read is unknown, never wrong")
  func blind() async throws {
    let stage = try await Stage.ssh {
      $0.identities[0].grants = [
        .init(
          notActions: [
            "Microsoft.Security/*/read", "Microsoft.Network/networkSecurityGroups/*",
            "Microsoft.Authorization/*",
          ])
      ]
    }
    let (_, report) = try await examine(stage)
    #expect(report.wrong.contains("permissions unknown"))
    #expect(report.wrong.contains("plan unknown"))
    #expect(report.wrong.contains("policy unknown"))
    #expect(report.wrong.contains("nsg unknown"))
  }

  @Test("a name that is none, and nobody who signs in")
  func nothing() async throws {
    let stage = try await Stage.ssh()
    let (run, report) = try await examine(stage, [], "nowhere")
    #expect(run.status == 1)
    #expect(report.wrong == ["vm problem"])
    let stranger = try await stage.run(
      ["doctor", "web1", "--json"], environment: ["AZURE_CLIENT_SECRET": "wrong"])
    #expect(stranger.status == 1)
    #expect(try Report(stranger).wrong.first == "sign-in problem")
  }

  @Test("behind a firewall its DNAT rule is looked at")
  func firewall() async throws {
    let (stage, free) = try await Stage.behindFirewall()
    let request = try await stage.run(["request", "web1:2222"])
    #expect(request.status == 0, "\(request.error)")
    #expect(request.text.hasSuffix("127.0.0.1:\(free)\n"))
    let run = try await stage.run(["doctor", "web1", "-p", "2222", "--json"])
    let report = try Report(run)
    #expect(report.wrong.isEmpty, "\(run.text)")
    #expect(report.text("firewall").contains("127.0.0.1:\(free) leads to"))
    stage.simulator.change { $0.firewallsHavePolicies = true }
    let policy = try Report(try await stage.run(["doctor", "web1", "-p", "2222", "--json"]))
    #expect(policy.wrong == ["firewall problem"])
  }

  @Test("it is offered when a connect on a terminal has failed")
  func offered() async throws {
    let stage = try await Stage.ssh { $0.behaviour.initiateDoesNothing = true }
    let terminal = try stage.terminal(
      ["--wait", "1s"] + stage.options() + ["web1", "true"], columns: 200)
    try await terminal.wait(for: "Look at every hop? [y/N]")
    try terminal.type("y\r")
    try await terminal.wait(for: "does not answer")
    #expect(try await terminal.end() == .exited(255))
    #expect(terminal.screen.contains("WRONG nsg"))
  }
}
