import AzureSimulator
import Platform
import Testing

/// Every hop is looked at, and the one that fails is named with what mends it.
@Suite(.limited) struct DoctorTests {
  private func window(_ stage: Stage) async throws {
    let run = try await stage.openWindow()
    #expect(run.status == 0, "\(run.error)")
  }

  /// What differs from run to run in what the doctor tells.
  private func hidden(_ stage: Stage, _ report: Examination) -> [(String, String)] {
    func seen(_ check: String) -> String {
      report.text(check, "state") == "ok" ? report.text(check) : ""
    }
    let key = seen("host-key").split(separator: ",").first.map(String.init) ?? ""
    let until = seen("window").split(separator: " ").last.map(String.init) ?? ""
    let names = report.details("nsg").compactMap { $0.split(separator: " ").dropFirst().first }
      .map(String.init)
    return [
      (key, "KEY"), (until.isEmpty ? "" : "until \(until)", "until TIME"),
      (seen("banner"), "BANNER"),
    ]
      + names.filter { $0.contains("JITRule") }
      .map { ($0, $0.contains("JITRule-") ? "WINDOW-RULE" : "DENY-RULE") }
      + [
        (stage.simulator.gateAddress(of: "web1") ?? "", "ADDRESS"), ("\(stage.port())", "PORT"),
      ]
  }

  @Test("where all is well every line says ok, for people and for programs")
  func well() async throws {
    let stage = try await Stage.ssh()
    try await window(stage)
    let run = try await stage.run(["doctor", "web1", "-p", "\(stage.port())"])
    #expect(run.status == 0, "\(run.text)\(run.error)")
    let report = try await stage.examine()
    #expect(report.wrong.isEmpty)
    try Golden.compare(masked(run.text, hidden(stage, report)), with: "doctor.txt")

    // The key is pinned by a connect.
    #expect(try await stage.connect().status == 0)
    #expect(try await stage.examine().text("host-key").hasSuffix("is the pinned one"))
  }

  @Test("a window that is missing, and the rule that shuts the port")
  func noWindow() async throws {
    let stage = try await Stage.ssh()
    let report = try await stage.examine()
    #expect(report.run.status == 1)
    #expect(
      report.wrong == [
        "window problem", "nsg problem", "port problem", "banner unknown", "host-key unknown",
      ])
    #expect(
      report.text("window", "next") == "jitconnect request rg-demo/web1:\(stage.port())")
    #expect(report.text("nsg").contains("keeps 203.0.113.7 out by"))
    try Golden.compare(masked(report.run.text, hidden(stage, report)), with: "doctor.json")
  }

  @Test("on a narrow terminal no line is cut, and each check begins a line")
  func terminal() async throws {
    let stage = try await Stage.ssh()
    let terminal = try stage.terminal(["doctor", "web1", "-p", "\(stage.port())"], columns: 40)
    #expect(try await terminal.end() == .exited(1))
    let lines = terminal.screen.split(separator: "\n").map(String.init)
    #expect(
      lines.contains(
        "ok    permission  may Microsoft.Security/locations/jitNetworkAccessPolicies/"
          + "initiate/action on jitNetworkAccessPolicies/default (the role Security Admin has it)"))
    #expect(lines.contains("WRONG window      no window is open"))
    #expect(lines.contains("        next: jitconnect request rg-demo/web1:\(stage.port())"))
    let heads = ["ok    ", "WRONG ", "?     ", "        "]
    #expect(lines.allSatisfy { line in heads.contains { line.hasPrefix($0) } }, "\(lines)")
  }

  @Test("a machine that is off, without a plan and without a policy")
  func off() async throws {
    let stage = try await Stage.ssh(hasPolicy: false) {
      $0.machines[0].power = .deallocated
      $0.machines[0].plan = .p1
    }
    let report = try await stage.examine()
    #expect(report.run.status == 1)
    for problem in ["plan problem", "power problem", "policy problem", "route unknown"] {
      #expect(report.wrong.contains(problem))
    }
    #expect(report.text("power", "next") == "jitconnect --start rg-demo/web1")
    #expect(report.text("policy", "next") == "jitconnect enable rg-demo/web1")
    #expect(report.text("plan", "next").contains(" --subscription "))
    let actions = report.text("permission", "action")
    #expect(actions.contains("Microsoft.Compute/virtualMachines/start/action"))
    #expect(actions.contains("Microsoft.Security/locations/jitNetworkAccessPolicies/write"))
    // It stopped at nothing.
    #expect(report.wrong.contains("port problem"))
  }

  @Test("a window for another address, a source outside the policy, a port that it lacks")
  func otherAddress() async throws {
    let stage = try await Stage.ssh {
      $0.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(0, sources: ["203.0.113.0/24"]))
      ]
    }
    try await window(stage)
    let report = try await stage.examine(["--source", "198.51.100.4"])
    #expect(report.text("source", "next").contains("--allow-source 198.51.100.4"))
    #expect(report.text("window").contains("no open window is for 198.51.100.4"))
    #expect(report.details("window").first?.hasPrefix("yours, for 203.0.113.7, until ") == true)
    let lacking = try Examination(
      try await stage.run(["doctor", "web1", "-p", "2022", "--json"]))
    #expect(lacking.text("policy", "next") == "jitconnect edit --add-port 2022 rg-demo/web1")
  }

  @Test("a window that somebody else asked for is told by whom, or that Azure does not say")
  func covering() async throws {
    let stage = try await Stage.ssh()
    try await window(stage)
    let elsewhere = ["XDG_STATE_HOME": "\(stage.folder)/elsewhere"]
    let unnamed = try await stage.examine(environment: elsewhere)
    #expect(unnamed.text("window").hasPrefix("a window for 203.0.113.7 covers 203.0.113.7 until "))
    #expect(unnamed.details("window") == ["Azure does not say who asked for it"])

    let named = try await Stage.ssh { $0.behaviour.namesRequestor = true }
    try await window(named)
    let caller = SimulatedIdentity().name
    let report = try await named.examine(
      environment: ["XDG_STATE_HOME": "\(named.folder)/elsewhere"])
    #expect(
      report.text("window")
        .hasPrefix("the window of \(caller) for 203.0.113.7 covers 203.0.113.7 until "))
    #expect(try await named.examine().text("window").hasPrefix("your window for 203.0.113.7 is"))
  }

  @Test("of two policies that name the machine the windows of both count")
  func twoPolicies() async throws {
    let stage = try await Stage.ssh {
      $0.policies[0].location = "northeurope"
    }
    try await window(stage)
    stage.simulator.add(SimulatedPolicy(machine: "web1", ports: .init(0)))
    let report = try await stage.examine()
    #expect(report.wrong.isEmpty, "\(report.run.text)")
    #expect(report.text("window").hasPrefix("your window for 203.0.113.7 is open until "))
    let policies = report.text("policy").split(separator: "\n")
    #expect(policies.count == 2)
    #expect(policies.first?.hasPrefix("the policy default in westeurope opens port") == true)
    #expect(policies.last?.hasPrefix("the policy default in northeurope names it too") == true)
  }

  @Test("behind a firewall its DNAT rule is looked at")
  func firewall() async throws {
    let (stage, free) = try await Stage.behindFirewall()
    let request = try await stage.run(["request", "web1:2222"])
    #expect(request.status == 0, "\(request.error)")
    #expect(request.text.hasSuffix("127.0.0.1:\(free)\n"))
    let run = try await stage.run(["doctor", "web1", "-p", "2222", "--json"])
    let report = try Examination(run)
    #expect(report.wrong.isEmpty, "\(run.text)")
    #expect(report.text("firewall").contains("127.0.0.1:\(free) leads to"))
    stage.simulator.change { $0.firewallsHavePolicies = true }
    let policy = try Examination(
      try await stage.run(["doctor", "web1", "-p", "2222", "--json"]))
    #expect(policy.wrong == ["firewall problem"])
  }

  @Test("an open door beside the window, a route that leads elsewhere, a server that is silent")
  func surroundings() async throws {
    let stage = try await Stage.greeting {
      $0.machines[0].gates[0].backend = .closing
      $0.behaviour.defaultNextHop = ("VirtualAppliance", "10.1.1.4")
    }
    stage.simulator.add(
      SecurityRule("allow-ssh", priority: 1002, allows: true, ports: ["*"]), to: "web1-nsg")
    let report = try await stage.examine()
    #expect(report.run.status == 1)
    #expect(report.text("exposure").contains("allow-ssh (1002)"))
    #expect(report.text("exposure", "next") == "jitconnect enable --fix rg-demo/web1")
    #expect(report.text("route").contains("VirtualAppliance 10.1.1.4"))
    #expect(report.text("banner").contains("speaks SSH"))
  }

  @Test("a machine behind a jump host: its address counts, and nobody logs in there to knock")
  func jump() async throws {
    let stage = try await Stage.ssh {
      $0.machines.append(Stage.web("hop"))
      $0.machines[1].privateAddress = "10.0.0.77"
    }
    let report = try await stage.examine(["-o", "ProxyJump=hop"])
    #expect(report.text("source") == "the jump host comes from 10.0.0.77")
    #expect(
      report.text("port") == "not seen: the way there goes through hop, which is not logged in to")
    #expect(report.text("port", "next") == "jitconnect doctor hop")
    #expect(report.wrong.suffix(3) == ["port unknown", "banner unknown", "host-key unknown"])
    let command = try await stage.examine(
      ["-o", "ProxyCommand=touch \(stage.folder)/started", "--source", "203.0.113.7"])
    #expect(command.text("port") == "not seen: ProxyCommand leads there, and is not started")
    #expect(stage.read("started") == nil)
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

  @Test("it is offered when a desktop could not be reached, whose port it then looks at")
  func offeredForDesktop() async throws {
    let port = Int(try Simulator.freePort())
    let stage = try Stage.desktop(port: port) { $0.behaviour.initiateDoesNothing = true }
    let terminal = try stage.terminal(
      ["rdp", "winvm", "-p", "\(port)", "--wait", "1s"], columns: 200)
    try await terminal.wait(for: "Look at every hop? [y/N]")
    try terminal.type("y\r")
    try await terminal.wait(for: "does not answer")
    #expect(try await terminal.end() == .exited(7))
    #expect(terminal.screen.contains("the policy default opens port \(port)"))
    #expect(!terminal.screen.contains("host-key"))
  }
}
