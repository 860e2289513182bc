import AzureSimulator
import Platform
import Testing

/// Answers about a policy that cannot be meant, and people who write at the same time: nothing of
/// anybody's is lost by them.
@Suite(.limited) struct PolicySafetyTests {
  /// `web1` and `web2` in one policy, `db1` in none.
  private static func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2"), SimulatedMachine("db1")],
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22), .init(8443)]), .init("web2", ports: [.init(22)]),
        ])
      ])
    change(&configuration)
    return try Stage(configuration)
  }

  private static func names(_ stage: Stage) -> [String] {
    (stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements ?? [])
      .compactMap { $0["id"]?.text?.split(separator: "/").last.map(String.init) }
  }

  private static func port(_ stage: Stage, _ number: Int) -> JSON? {
    stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements?.first?["ports"]?
      .elements?.first { $0["number"]?.integer == number }
  }

  private static func spoil(
    _ stage: Stage, _ effect: Fault.Effect, path: String = "/jitNetworkAccessPolicies/default",
    after: Int = 0, times: Int? = 2
  ) {
    var fault = Fault(effect, method: "GET", path: path)
    fault.after = after
    fault.times = times
    stage.simulator.inject(fault)
  }

  private static func json(_ text: String, _ status: Int = 200) -> Fault.Effect {
    .answer(status, body: text, type: "application/json")
  }

  static let unusable: [(name: String, effect: Fault.Effect)] = [
    ("object", json("{}")), ("array", json("[]")), ("null", json("null")), ("number", json("1")),
    ("no machines", json(#"{"properties":{"requests":[]}}"#)),
    ("machines null", json(#"{"properties":{"virtualMachines":null}}"#)),
    ("machines an object", json(#"{"properties":{"virtualMachines":{}}}"#)),
    ("machine without id", json(#"{"properties":{"virtualMachines":[{"ports":[]}]}}"#)),
    ("page", .page(404)), ("empty", .empty(404)),
    ("subscription", .error(404, code: "SubscriptionNotFound", message: "no such subscription")),
    ("stale", .error(404, code: "ResourceNotFound", message: "no such resource")),
  ]

  @Test(
    "what is no policy is not taken for an empty one: no other VM leaves a shared policy",
    arguments: unusable.map(\.name), [0, 1])
  func unusableAnswer(name: String, after: Int) async throws {
    let effect = try #require(Self.unusable.first { $0.name == name }).effect
    for words in [
      ["enable", "db1"], ["edit", "web1", "--port", "22:max=1h"], ["disable", "web2"],
    ] {
      let stage = try Self.stage()
      Self.spoil(stage, effect, after: after)
      let run = try await stage.run(words + ["--yes"])
      #expect(run.ending == .exited(1), "\(words) \(run.error)")
      #expect(["azure-answer-invalid", "policy-changed"].contains(run.code), "\(run.error)")
      #expect(run.error.contains("next: "), "\(run.error)")
      #expect(Self.names(stage) == ["web1", "web2"])
      #expect(stage.count("PUT", "/") + stage.count("DELETE", "/") == 0)
      // The way out is the same again.
      stage.simulator.clearFaults()
      let again = try await stage.run(words + ["--yes"])
      #expect(again.status == 0, "\(words) \(again.error)")
    }
  }

  @Test("a 404 that is not Azure's word on the policy makes no new policy")
  func foreignAbsence() async throws {
    for effect in [Fault.Effect.page(404), .empty(404)] {
      let stage = try Self.stage { $0.policies = [] }
      Self.spoil(stage, effect)
      let run = try await stage.run(["enable", "db1", "--yes"])
      #expect(run.code == "azure-answer-invalid", "\(run.error)")
      #expect(stage.count("PUT", "/") == 0)
    }
  }

  @Test("a policy that lacks what its list holds is not written over; where both lack it, it is")
  func fewerThanListed() async throws {
    let stage = try Self.stage()
    guard var policy = stage.simulator.policy() else {
      Issue.record("no policy")
      return
    }
    policy["properties"] = ["virtualMachines": []]
    let text = String(decoding: policy.encoded, as: UTF8.self)
    for words in [["enable", "db1"], ["disable", "web2"]] {
      Self.spoil(stage, Self.json(text), times: nil)
      let run = try await stage.run(words + ["--yes"])
      #expect(run.code == "policy-changed", "\(run.error)")
      #expect(run.error.contains("next: "))
      // One that is behind and comes round is waited for.
      stage.simulator.clearFaults()
      Self.spoil(stage, Self.json(text), times: 1)
      #expect(try await stage.run(words + ["--yes"]).status == 0)
    }
    #expect(Self.names(stage) == ["web1", "db1"])

    let other = try Self.stage()
    other.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { simulator in
      simulator.add(SimulatedPolicy(entries: [.init("web1", ports: [.init(22), .init(8443)])]))
    }
    let run = try await other.run(["enable", "db1", "--yes"])
    #expect(run.status == 0, "\(run.error)")
    #expect(Self.names(other) == ["web1", "db1"])
  }

  // MARK: Somebody else

  /// web1's limit is changed by somebody else after what this run read first.
  private static func changeMeanwhile(_ stage: Stage, number: Int = 22) {
    stage.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { _ in }
    stage.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { simulator in
      var ports: [SimulatedPolicy.PortRule] = [.init(22), .init(8443)]
      for index in ports.indices where ports[index].number == number {
        ports[index].maximum = "PT2H"
      }
      simulator.add(
        SimulatedPolicy(entries: [
          .init("web1", ports: ports), .init("web2", ports: [.init(22)]),
        ]))
    }
  }

  @Test(
    "--yes overwrites nothing that somebody else wrote meanwhile",
    arguments: [
      ["edit", "web1", "--port", "22:max=1h"], ["edit", "web1", "--remove-port", "22"],
      ["enable", "web1", "--port", "22:max=1h"], ["disable", "web1"],
    ])
  func overwritesNothing(words: [String]) async throws {
    let stage = try Self.stage()
    Self.changeMeanwhile(stage)
    let run = try await stage.run(words + ["--yes"])
    #expect(run.ending == .exited(1))
    #expect(run.code == "policy-changed", "\(run.error)")
    #expect(run.error.contains("next: "))
    #expect(Self.port(stage, 22)?["maxRequestAccessDuration"] == "PT2H")
    #expect(stage.count("PUT", "/") + stage.count("DELETE", "/") == 0)
  }

  @Test("what somebody else wrote meanwhile beside it stays, and the change is made")
  func mergesTheRest() async throws {
    for words in [
      ["edit", "web1", "--port", "22:max=1h"],
      ["edit", "web1", "--port", "22:max=1h", "--allow-source", "any"],
    ] {
      let stage = try Self.stage()
      Self.changeMeanwhile(stage, number: 8443)
      let run = try await stage.run(words + ["--yes"])
      #expect(run.status == 0, "\(run.error)")
      #expect(Self.port(stage, 22)?["maxRequestAccessDuration"] == "PT1H")
      #expect(Self.port(stage, 8443)?["maxRequestAccessDuration"] == "PT2H")
    }
  }

  // MARK: Lists

  @Test(
    "a list that cannot be read is never 'not configured'",
    arguments: ["{}", #"{"value":null}"#, #"{"value":[{}]}"#, #"{"value":[null]}"#])
  func unreadableList(text: String) async throws {
    let stage = try Self.stage()
    Self.spoil(
      stage, Self.json(text), path: "Microsoft.Security/jitNetworkAccessPolicies", times: nil)
    let list = try await stage.run(["list"])
    #expect(!list.text.contains("not-configured"), "\(list.text)")
    #expect(list.text.contains("unknown"), "\(list.text)")
    for words in [["status", "web1"], ["enable", "web1", "--yes"], ["disable", "web1", "--yes"]] {
      let run = try await stage.run(words)
      #expect(run.code == "azure-answer-invalid", "\(words) \(run.error)")
    }
  }

  @Test("a listed policy that does not name its machines leaves its group unknown, and no other")
  func unreadablePolicy() async throws {
    let stage = try Self.stage { configuration in
      configuration.machines[2].resourceGroup = "rg-other"
    }
    guard var policy = stage.simulator.policy() else {
      Issue.record("no policy")
      return
    }
    for properties in [JSON.null, ["provisioningState": "Succeeded"]] {
      policy["properties"] = properties
      let list: JSON = ["value": [policy]]
      stage.simulator.clearFaults()
      Self.spoil(
        stage, Self.json(String(decoding: list.encoded, as: UTF8.self)),
        path: "Microsoft.Security/jitNetworkAccessPolicies", times: nil)
      let run = try await stage.run(["list"])
      let lines = run.text.split(separator: "\n")
      #expect(lines.first { $0.contains("/web1") }?.hasPrefix("unknown") == true, "\(run.text)")
      #expect(lines.first { $0.contains("/db1") }?.hasPrefix("not-configured") == true)
      let connect = try await stage.run(["web1", "true"])
      #expect(connect.code == "azure-answer-invalid", "\(connect.error)")
      let request = try await stage.run(["request", "web1"])
      #expect(request.error.contains("azure-answer-invalid"), "\(request.error)")
      #expect(stage.requests.isEmpty)
    }
  }
}
