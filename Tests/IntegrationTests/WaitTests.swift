import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is read of Azure while ports are waited for, and what that finds.
@Suite(.limited) struct WaitTests {
  private static let rules = "MicrosoftDefenderForCloud-JITRule-"

  private func lists(_ stage: Stage) -> Int {
    stage.simulator.report.calls.count {
      $0.method == "GET"
        && $0.path.lowercased().hasSuffix("microsoft.security/jitnetworkaccesspolicies")
    }
  }

  @Test("200 machines with a policy each: a round of the wait is two calls, however many wait")
  func fleet() async throws {
    let machines = (1...200).map { Stage.web("node\($0)") }
    var configuration = Stage.configuration(
      machines: machines,
      policies: machines.map {
        SimulatedPolicy($0.name, entries: [.init($0.name, ports: [.init(0)])])
      })
    configuration.behaviour.openingDelay = .seconds(1000)
    let stage = try Stage(configuration)
    let targets = machines.map { "\($0.name):\(stage.port($0.name))" }
    let running = try stage.start(["request", "--for", "1h", "--wait", "5m", "--json"] + targets)
    // One list before the request, two rounds behind it.
    try await running.wait(for: "two rounds", timeout: .seconds(120)) { lists(stage) >= 3 }
    stage.simulator.advance(by: .seconds(1000))
    let run = try await running.finish(timeout: .seconds(120))
    #expect(run.status == 0, "\(run.error)")
    let windows = try JSON(parsing: run.output)["windows"]?.elements ?? []
    #expect(windows.count { $0["state"] == "open" } == 200)
    // One call for each policy, and nothing else that grows with the machines.
    #expect(stage.requests.count == 200)
    let reads = stage.simulator.report.calls.filter { $0.kind == .arm && $0.method == "GET" }
    let rounds = lists(stage) - 1
    #expect(rounds <= 5, "\(stage.simulator.report.text)")
    #expect(reads.count <= 1 + 2 * rounds, "\(reads.map(\.path))")
    #expect(stage.simulator.report.count(.graph) == 1)
  }

  @Test("few policies are read one by one, and those whose ports have answered no more")
  func few() async throws {
    let machines = ["web1", "web2"].map { Stage.web($0) }
    var configuration = Stage.configuration(
      machines: machines,
      policies: machines.map {
        SimulatedPolicy($0.name, entries: [.init($0.name, ports: [.init(0)])])
      })
    configuration.behaviour.openingDelay = .seconds(1000)
    let stage = try Stage(configuration)
    let running = try stage.start(
      ["request", "--for", "1h"] + machines.map { "\($0.name):\(stage.port($0.name))" })
    try await running.wait(for: "a round") { stage.count("GET", "Policies/web2") > 0 }
    #expect(lists(stage) == 1)
    stage.simulator.advance(by: .seconds(1000))
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("a request whose rule vanishes while its port is waited for ends with that word")
  func vanished() async throws {
    let stage = try await Stage.greeting { $0.behaviour.addressBehindGate = "198.51.100.9" }
    let running = try stage.start(["request", "web1:\(stage.port())", "--wait", "90s"])
    try await running.wait(for: "a look at the rules") {
      stage.count("GET", "networkSecurityGroups") > 0
    }
    stage.simulator.removeRules(Self.rules, from: "web1-nsg")
    let run = try await running.finish()
    #expect(run.status == 1)
    #expect(run.code == "window-vanished", "\(run.error)")
    #expect(run.error.contains("terraform"))
    // It is not taken for an open one again.
    _ = try await stage.run(["request", "web1:\(stage.port())", "--no-wait"])
    #expect(stage.requests.count == 2)
  }

  @Test("a throttled look is made again when Azure wants it, and the wait goes on")
  func throttled() async throws {
    let stage = try await Stage.greeting { $0.behaviour.openingDelay = .seconds(1000) }
    var fault = Fault(
      .error(429, code: "TooManyRequests", message: "Slow down."), method: "GET",
      path: "/jitNetworkAccessPolicies/default")
    fault.headers = [("Retry-After", "3600")]
    fault.times = nil
    stage.simulator.inject(fault)
    let running = try stage.start(["request", "web1:\(stage.port())", "--for", "1h"])
    try await running.wait(for: "the refusal") {
      stage.simulator.report.calls.contains { $0.status == 429 }
    }
    stage.simulator.advance(by: .seconds(1000))
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.calls.count { $0.status == 429 } == 1)
  }

  // MARK: What was just enabled

  @Test("a window does not wait for the proof; what is not proved in time is told")
  func slowDenyRule() async throws {
    // Azure writes on long after the window is open, and only then comes the deny rule, which shuts
    // what another rule lets in.
    let stage = try await Stage.ssh(hasPolicy: false) {
      $0.behaviour.policyDelay = .seconds(1000)
      $0.behaviour.denyRuleDelay = .seconds(1000)
      $0.behaviour.denyPriority = 1000
      $0.machines[0].rules = [
        SecurityRule("everybody", priority: 2000, allows: true, ports: ["*"])
      ]
    }
    let run = try await stage.connect("web1", ["--enable"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(run.error.contains("its deny rule is not in sight yet"), "\(run.error)")
    let request = try await stage.run(["disable", "web1", "--yes"])
    #expect(request.status == 0, "\(request.error)")
    let again = try await stage.run(
      ["request", "web1:\(stage.port())", "--enable", "--no-wait"])
    #expect(again.status == 0, "\(again.error)")
    #expect(again.error.contains("is proved by jitconnect enable"), "\(again.error)")
  }

  @Test(
    "a rule that leaves the port open is told by connect and request; the own window is no hole")
  func openRule() async throws {
    let stage = try await Stage.greeting(hasPolicy: false) {
      $0.machines.append(SimulatedMachine("web2"))
    }
    stage.simulator.add(
      SecurityRule("everybody", priority: 900, allows: true, ports: ["*"]), to: "web1-nsg")
    let port = stage.port()
    let run = try await stage.run(["request", "web1:\(port)", "--enable"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("'everybody' (priority 900, web1-nsg)"), "\(run.error)")
    #expect(run.error.contains("--fix"))
    #expect(!run.error.contains("JITRule-"), "\(run.error)")
    let shut = try await stage.run(["request", "web2", "--enable", "--no-wait"])
    #expect(shut.status == 0)
    #expect(shut.error == "", "\(shut.error)")
  }

  @Test("enable itself waits for the deny rule, says so, and can be interrupted")
  func enableWaits() async throws {
    let stage = try await Stage.greeting(hasPolicy: false) {
      $0.behaviour.denyRuleDelay = .seconds(1000)
      $0.behaviour.denyPriority = 1000
      $0.machines[0].rules = [
        SecurityRule("everybody", priority: 2000, allows: true, ports: ["*"])
      ]
    }
    let words = ["enable", "web1", "--yes"]
    let interrupted = try stage.terminal(words)
    try await interrupted.wait(for: "waiting for the deny rule of just-in-time access")
    try interrupted.type("\u{3}")
    #expect(try await interrupted.end() == .exited(130))
    #expect(interrupted.screen.contains("the policy is written"))

    let proved = try stage.terminal(words)
    try await proved.wait(for: "waiting for the deny rule of just-in-time access")
    stage.simulator.advance(by: .seconds(1000))
    try await proved.wait(for: "shut on web1: port 22")
    #expect(try await proved.end() == .exited(0))
  }

  // MARK: A session's window

  @Test("a session tells, when it has ended, that its window's rule vanished meanwhile")
  func session() async throws {
    let stage = try await Stage.ssh()
    let running = try stage.start(
      stage.options() + ["web1", "while ! test -e \(stage.folder)/work/done; do sleep 0.1; done"])
    try await running.wait(for: "a look at the rules") {
      stage.count("GET", "networkSecurityGroups") > 0
    }
    stage.simulator.removeRules(Self.rules, from: "web1-nsg")
    let looks = stage.count("GET", "networkSecurityGroups")
    try await running.wait(for: "another look") {
      stage.count("GET", "networkSecurityGroups") > looks
    }
    try stage.write("work/done", "")
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("is gone before its time"), "\(run.error)")
  }
}
