import AzureSimulator
import Platform
import Testing

/// What is open, and who asked.
@Suite(.limited) struct HistoryTests {
  private func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2")],
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22, sources: ["203.0.113.0/24"]), .init(443)]),
          .init("web2", ports: [.init(22)]),
        ])
      ])
    change(&configuration)
    return try Stage(configuration)
  }

  private func request(_ stage: Stage, _ words: [String]) async throws {
    let run = try await stage.run(["request", "--no-wait"] + words)
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("status: power, ports with their limits, windows and whose, the rules in their order")
  func status() async throws {
    let stage = try stage()
    try await request(stage, ["web1", "--for", "1h", "--reason", "a look"])
    stage.simulator.add(
      SecurityRule("deny-some", priority: 300, allows: false, ports: ["20-30"]), to: "web1-nsg")
    let json = try await stage.run(["status", "web1", "--json"])
    #expect(json.status == 0, "\(json.error)")
    try Golden.compare(masked(json.text), with: "status.json")
    let text = try await stage.run(["status", "RG-DEMO/web1"])
    try Golden.compare(masked(text.text), with: "status.txt")
    let terminal = try stage.terminal(["status", "web1"], columns: 160)
    try await terminal.wait(for: "SECURITY GROUP")
    #expect(try await terminal.end() == .exited(0))
    // People read words, not Azure's codes.
    #expect(!terminal.screen.contains("Initiated"))
  }

  @Test("status works with the right to read policies and machines alone, and says what it misses")
  func statusBlind() async throws {
    let stage = try stage {
      $0.identities[0].grants = [
        .init(actions: ["Microsoft.Security/*", "Microsoft.Compute/*/read"])
      ]
    }
    let run = try await stage.run(["status", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let report = try JSON(parsing: run.output)
    #expect(report["isEnabled"] == true)
    #expect(report["unread"]?.elements?.isEmpty == false)
    #expect(report["rules"]?.elements?.isEmpty == true)
  }

  @Test("history: each request of this machine with its entry of the log")
  func history() async throws {
    let stage = try stage()
    try await request(stage, ["web1", "--reason", "disk full"])
    try await request(stage, ["web2", "--reason", "other"])
    try await request(stage, ["web1:443", "web2", "--for", "30m"])
    stage.simulator.advance(by: .seconds(400))
    let run = try await stage.run(["history", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let requests = try JSON(parsing: run.output)["requests"]?.elements ?? []
    #expect(requests.map { $0["port"]?.integer } == [443, 22])
    #expect(requests.map { $0["reason"]?.text } == [nil, "disk full"])
    #expect(requests.map { $0["seconds"]?.integer } == [1800, 300])
    #expect(requests.map { $0["clientAddress"] } == ["203.0.113.7", "203.0.113.7"])
    #expect(requests.last?["status"] == "Revoked (Expired)")
    // The request itself names nobody; the log does.
    #expect(requests.allSatisfy { $0["who"]?.text?.isEmpty == false })

    let text = try await stage.run(["history", "web1", "--since", "12h"])
    let who = requests.first?["who"]?.text ?? ""
    try Golden.compare(masked(text.text, [(who, "WHO")]), with: "history.txt")
  }

  @Test("history: one's own open window says so, as list does")
  func own() async throws {
    let stage = try stage { $0.behaviour.namesRequestor = true }
    try await request(stage, ["web1"])
    try await colleague(stage, "web1")
    let run = try await stage.run(["history", "web1"])
    #expect(run.text.ranges(of: " (you)\t").count == 1, "\(run.text)")
    let json = try await stage.run(["history", "web1", "--json"])
    let requests = try JSON(parsing: json.output)["requests"]?.elements ?? []
    #expect(requests.count { $0["isOwn"] == true } == 1, "\(json.text)")
    #expect(requests.count == 2)
  }

  @Test("a log that may not be read leaves the requests, and is told")
  func withoutLog() async throws {
    let stage = try stage {
      $0.identities[0].grants = [.init(notActions: ["Microsoft.Insights/*"])]
    }
    try await request(stage, ["web1"])
    let run = try await stage.run(["history", "web1"])
    #expect(run.status == 0)
    #expect(run.text.contains("\t22\t203.0.113.7\t5m\t"))
    #expect(run.error.contains("the activity log: "), "\(run.error)")
  }

  @Test("the log's own form of an error is read, and its limit is kept")
  func limit() async throws {
    let stage = try stage()
    try await request(stage, ["web1"])
    let most = try await stage.run(["history", "web1", "--since", "90d", "--json"])
    #expect(most.status == 0)
    #expect(try JSON(parsing: most.output)["unread"]?.elements?.isEmpty == true)
    stage.simulator.inject(
      Fault(
        .answer(
          400, body: #"{"Code":"BadRequest","Message":"no such time"}"#, type: "application/json"),
        path: "eventtypes"))
    let odd = try await stage.run(["history", "web1", "--json"])
    #expect(odd.text.contains("no such time"), "\(odd.text)")
    let off = try await stage.run(["history", "nowhere"])
    #expect(off.status == 3)
  }

  // MARK: Who asked

  /// A window of a colleague, who is another caller of Azure's.
  private func colleague(_ stage: Stage, _ target: String) async throws {
    let elsewhere: [String: String?] = ["XDG_STATE_HOME": stage.folder + "/work/state"]
    let run = try await stage.run(
      ["request", "--no-wait", "--for", "1h", target], environment: elsewhere)
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("status: who asked comes from the log where the request names nobody, marked as inferred")
  func statusAuthors() async throws {
    let stage = try stage()
    try await colleague(stage, "web1")
    let run = try await stage.run(["status", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let window = try JSON(parsing: run.output)["windows"]?.elements?.first
    let who = window?["requestor"]?.text ?? ""
    #expect(!who.isEmpty)
    #expect(window?["requestorIsInferred"] == true)
    #expect(stage.count("GET", "eventtypes") == 1)
    let text = try await stage.run(["status", "web1"])
    #expect(text.text.contains("\t\(who) (inferred)\t"), "\(text.text)")

    // A request's own word is no inference, and costs no call.
    stage.simulator.change { $0.namesRequestor = true }
    try await colleague(stage, "web2")
    let named = try await stage.run(["status", "web2", "--json"])
    let other = try JSON(parsing: named.output)["windows"]?.elements?.first
    #expect(other?["requestorIsInferred"] == false)
    #expect(other?["requestor"]?.text?.isEmpty == false)
    #expect(stage.count("GET", "eventtypes") == 2)
  }

  @Test("status: a log that may not be read leaves the name open, which is said once")
  func statusWithoutLog() async throws {
    let stage = try stage {
      $0.identities[0].grants = [.init(notActions: ["Microsoft.Insights/*"])]
    }
    try await colleague(stage, "web1")
    let run = try await stage.run(["status", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let report = try JSON(parsing: run.output)
    #expect(report["windows"]?.elements?.first?["requestor"] == nil)
    let unread = report["unread"]?.elements?.compactMap(\.text) ?? []
    #expect(unread.count { $0.contains("activity log") } == 1, "\(unread)")
  }

  @Test("history: what the log cannot assign to a machine is counted and said, not dropped")
  func unattributed() async throws {
    let stage = try stage { $0.behaviour.logNamesMachines = false }
    try await request(stage, ["web1"])
    let run = try await stage.run(["history", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(
      try JSON(parsing: run.output)["requests"]?.elements?.first?["whoIsInferred"] == true)
    // The policy that kept the requests is gone; the log is left.
    #expect(try await stage.run(["disable", "web1", "web2", "--yes"]).status == 0)
    stage.simulator.add(
      SimulatedPolicy(entries: [
        .init("web1", ports: [.init(22)]), .init("web2", ports: [.init(22)]),
      ]))
    let after = try await stage.run(["history", "web1", "--json"])
    #expect(try JSON(parsing: after.output)["unattributed"] == 1, "\(after.text)")
    let text = try await stage.run(["history", "web1"])
    #expect(
      text.error.contains("1 request in the activity log names no machine"), "\(text.error)")
    // It is listed all the same, marked as not sure.
    #expect(text.text.contains("(for a VM of policy default, not sure which)"), "\(text.text)")
    let listed = try JSON(parsing: after.output)["requests"]?.elements ?? []
    #expect(listed.map { $0["perhapsOf"] } == ["default"])
  }

  @Test("history goes on after disable: the log knows")
  func afterDisable() async throws {
    let stage = try stage()
    try await request(stage, ["web1", "--reason", "disk full"])
    try await request(stage, ["web2", "--reason", "other"])
    #expect(try await stage.run(["disable", "web1", "web2", "--yes"]).status == 0)
    #expect(stage.simulator.policy() == nil)
    let run = try await stage.run(["history", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    let requests = try JSON(parsing: run.output)["requests"]?.elements ?? []
    #expect(requests.map { $0["reason"]?.text } == ["disk full"])
    #expect(requests.first?["who"]?.text?.isEmpty == false)
    #expect(requests.first?["whoIsInferred"] == false)

    // Nothing known at all is what it was.
    stage.simulator.add(SimulatedMachine("web3"))
    let none = try await stage.run(["history", "web3"])
    #expect(none.status == 6)
    #expect(none.code == "jit-not-enabled")
  }
}
