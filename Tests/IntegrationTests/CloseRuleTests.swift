import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Rules that serve more than the window that is closed, and closing that is only tried or broken
/// off.
@Suite(.limited) struct CloseRuleTests {
  private static let prefix = "MicrosoftDefenderForCloud-JITRule-"
  private static let own = prefix + "7-0123456789ABCDEF0123456789ABCDEF"

  private func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2")],
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22), .init(443)]), .init("web2", ports: [.init(22)]),
        ])
      ])
    change(&configuration)
    return try Stage(configuration)
  }

  private func request(_ stage: Stage, _ words: [String]) async throws {
    let run = try await stage.run(["request", "--no-wait", "--for", "1h"] + words)
    #expect(run.status == 0, "\(run.error)")
  }

  /// The rule of a window of web1, as Azure may write it.
  private func rule(ports: [String], to address: String = "10.0.0.4") -> SecurityRule {
    var rule = SecurityRule(
      Self.own, priority: 105, allows: true, ports: ports, sources: ["203.0.113.7"])
    rule.destinations = [address]
    rule.description =
      "MDC JIT Network Access rule created by an initiation request for policy 'default' of VM 'web1'."
    return rule
  }

  private func outcomes(_ run: Run) throws -> [String?] {
    (try JSON(parsing: run.output)["windows"]?.elements ?? []).map { $0["outcome"]?.text }
  }

  @Test("a rule for several ports stays as long as one of them is to stay open")
  func severalPorts() async throws {
    let stage = try stage()
    try await request(stage, ["web1:22,443"])
    stage.simulator.removeRules(Self.prefix, from: "web1-nsg")
    stage.simulator.add(rule(ports: ["22", "443"]), to: "web1-nsg")
    let one = try await stage.run(["close", "web1:22", "--json"])
    #expect(one.status == 1, "\(one.error)")
    #expect(try outcomes(one) == ["left"])
    #expect(stage.count("DELETE", "securityRules") == 0)
    #expect(stage.simulator.reaches("web1", port: 443, from: "203.0.113.7"))

    let all = try await stage.run(["close", "web1", "--json"])
    #expect(all.status == 0, "\(all.text) \(all.error)")
    #expect(!stage.simulator.reaches("web1", port: 22, from: "203.0.113.7"))
    #expect(!stage.simulator.reaches("web1", port: 443, from: "203.0.113.7"))
  }

  @Test("a live request of another policy for the same source keeps the rule")
  func twoPolicies() async throws {
    let stage = try stage {
      var far = SimulatedPolicy(machine: "web1", ports: .init(22))
      far.location = "northeurope"
      $0.policies = [far]
    }
    try await request(stage, ["web1"])
    stage.simulator.add(SimulatedPolicy(machine: "web1", ports: .init(22)))
    let elsewhere: [String: String?] = [
      "XDG_STATE_HOME": stage.folder + "/work/state",
      "XDG_CACHE_HOME": stage.folder + "/work/cache",
    ]
    let other = try await stage.run(
      ["request", "web1", "--no-wait", "--for", "2h"], environment: elsewhere)
    #expect(other.status == 0, "\(other.error)")
    #expect(stage.requests.count == 2)
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcomes(run).contains("left"))
    #expect(stage.count("DELETE", "securityRules") == 0)
    #expect(stage.simulator.reaches("web1", port: 22, from: "203.0.113.7"))
  }

  @Test("of two interfaces the one that keeps its rule keeps the window open, and that is told")
  func twoInterfaces() async throws {
    let stage = try stage { $0.machines[0].extraInterfaces = 1 }
    try await request(stage, ["web1"])
    let first = try #require(
      stage.simulator.rules(of: "web1-nsg").first { $0.name.hasPrefix(Self.prefix) }
    ).name
    stage.simulator.add(
      rule(ports: ["22"], to: stage.simulator.privateAddress(of: "web1", interface: 1) ?? ""),
      to: "web1-nsg")
    var fault = Fault(
      .error(409, code: "ScopeLocked", message: "locked"), method: "DELETE", path: Self.own)
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcomes(run) == ["left"])
    // The other one has lost it.
    let names = stage.simulator.rules(of: "web1-nsg").map(\.name)
    #expect(names.contains(Self.own))
    #expect(!names.contains(first))
  }

  @Test("interrupted after the first machine: what was closed before is told")
  func interrupted() async throws {
    let stage = try stage()
    try await request(stage, ["web1:22", "web2"])
    stage.simulator.inject(
      Fault(.slow(.seconds(60)), method: "DELETE", path: "web2-nsg"))
    let running = try stage.start(["close", "web1", "web2", "--json"])
    try await running.wait(for: "the second machine") {
      stage.count("DELETE", "web2-nsg") > 0
    }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(20))
    #expect(run.status == 130, "\(run.error)")
    let windows = try JSON(parsing: run.output)["windows"]?.elements ?? []
    #expect(windows.map { $0["vm"] } == ["web1"])
    #expect(try outcomes(run) == ["rule-deleted"])
    #expect(!stage.simulator.reaches("web1", port: 22, from: "203.0.113.7"))
  }

  @Test("a dry run names the calls and changes nothing: neither at Azure nor in what is known here")
  func dryRun() async throws {
    let stage = try stage()
    try await request(stage, ["web1:22", "web2"])
    let lines = try await stage.run(["close", "web1", "web2", "--dry-run"])
    #expect(lines.status == 0, "\(lines.error)")
    #expect(lines.text.split(separator: "\n").count == 2)
    #expect(
      lines.text.split(separator: "\n").allSatisfy { $0.hasPrefix("az rest --method delete ") })
    let json = try await stage.run(["close", "web1", "web2", "--dry-run", "--json"])
    let report = try JSON(parsing: json.output)
    #expect(try outcomes(json) == ["planned", "planned"])
    let calls = report["calls"]?.elements ?? []
    #expect(calls.map { $0["method"] } == ["DELETE", "DELETE"])
    #expect(calls.allSatisfy { $0["url"]?.text?.contains("/securityRules/") == true })
    #expect(calls.allSatisfy { $0["body"] == nil })
    #expect(stage.count("DELETE", "/") == 0)
    let run = try await stage.run(["close", "web1", "web2", "--json"])
    #expect(try outcomes(run) == ["rule-deleted", "rule-deleted"])
  }

  @Test("a dry run where no rule can be deleted names the shorter request")
  func dryRunOfRequest() async throws {
    let stage = try await Stage.behindFirewall().stage
    let opened = try await stage.run(["request", "web1:2222", "--no-wait", "--for", "1h"])
    #expect(opened.status == 0, "\(opened.error)")
    let run = try await stage.run(["close", "web1", "--dry-run", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let call = try JSON(parsing: run.output)["calls"]?.elements?.first
    #expect(call?["method"] == "POST")
    #expect(call?["body"]?.text?.contains("PT5M") == true)
    #expect(stage.requests.count == 1)
  }

  @Test("people read words, pipes and JSON the codes")
  func words() async throws {
    let stage = try stage()
    try await request(stage, ["web1:22", "web2"])
    let terminal = try stage.terminal(["close", "web1"], columns: 160)
    #expect(try await terminal.end() == .exited(0))
    #expect(terminal.screen.contains("rule deleted"), "\(terminal.screen)")
    #expect(!terminal.screen.contains("rule-deleted"))
    let pipe = try await stage.run(["close", "web2"])
    #expect(pipe.text.contains("\trule-deleted\t"))
  }
}
