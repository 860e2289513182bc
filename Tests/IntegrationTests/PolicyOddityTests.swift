import AzureSimulator
import Platform
import Testing

/// Policies, plans and answers that are odd and still Azure's.
@Suite(.limited) struct PolicyOddityTests {
  fileprivate static func failing(
    _ stage: Stage, _ effect: Fault.Effect, _ method: String, _ path: String
  ) {
    var fault = Fault(effect, method: method, path: path)
    fault.times = nil
    stage.simulator.inject(fault)
  }

  // MARK: Sources

  @Test(
    "a rule without any source is unknown, not for nobody: Azure decides", arguments: [true, false])
  func missingSources(isList: Bool) async throws {
    let stage = try await Stage.ssh(hasPolicy: false) { configuration in
      configuration.policies = [
        SimulatedPolicy(entries: [.init("web1", ports: [.init(0, sources: isList ? [] : [""])])])
      ]
      configuration.behaviour.missingSourcesMeanAny = true
    }
    let list = try await stage.run(["list"])
    #expect(list.text.contains(" from unknown max 3h"), "\(list.text)")
    let status = try await stage.run(["status", "web1"])
    #expect(status.text.contains("\tunknown\t3h"), "\(status.text)")
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    let port = stage.requests.first?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
    #expect(port?["allowedSourceAddressPrefix"] == "203.0.113.7")

    let strict = try await Stage.greeting(hasPolicy: false) { configuration in
      configuration.policies = [
        SimulatedPolicy(entries: [.init("web1", ports: [.init(0, sources: isList ? [] : [""])])])
      ]
    }
    let refused = try await strict.connect()
    #expect(refused.code == "policy-forbids-request", "\(refused.error)")
    #expect(strict.requests.count == 1)
  }

  @Test("where a lone address is refused in the policy's block, the block is named at once")
  func loneAddress() async throws {
    let stage = try await Stage.ssh(hasPolicy: false) { configuration in
      configuration.policies = [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(0, sources: ["203.0.0.0/16", "203.0.113.0/24"])])
        ])
      ]
      configuration.behaviour.loneAddressInBlockIsAllowed = false
    }
    let run = try await stage.connect()
    #expect(run.code == "policy-forbids-request", "\(run.error)")
    #expect(stage.requests.count == 1)
    let next = "jitconnect request rg-demo/web1:\(stage.port()) --source 203.0.113.0/24"
    #expect(run.error.contains("next: \(next)\n"), "\(run.error)")
    let words = next.split(separator: " ").dropFirst().map(String.init)
    let request = try await stage.run(words)
    #expect(request.status == 0, "\(request.error)")
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 2)
  }

  @Test("other times are tried only where the source is named as it is", arguments: [true, false])
  func otherTimes(isNamed: Bool) async throws {
    let stage = try await Stage.greeting(hasPolicy: false) { configuration in
      configuration.policies = [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(0, sources: [isNamed ? "203.0.113.7" : "203.0.113.0/24"])])
        ])
      ]
    }
    Self.failing(
      stage,
      .error(
        400, code: "BadRequest",
        message: "The given access request is not a subset of policy 'x'."),
      "POST", "/initiate")
    let run = try await stage.connect()
    #expect(run.code == "policy-forbids-request", "\(run.error)")
    #expect(stage.requests.count == (isNamed ? 4 : 1))
  }

  // MARK: Answers

  @Test(
    "a request that was taken and has no status yet is on its way",
    arguments: ["", #","status":null"#, #","status":"""#])
  func noStatus(member: String) async throws {
    let stage = try await Stage.ssh()
    let id = try #require(
      stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements?.first?["id"]?.text)
    var fault = Fault(
      .answer(
        202,
        body:
          #"{"virtualMachines":[{"id":"\#(id)","ports":[{"number":\#(stage.port())\#(member)}]}]}"#,
        type: "application/json"),
      method: "POST", path: "/initiate")
    fault.isCarriedOut = true
    stage.simulator.inject(fault)
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }

  @Test("Azure's own error over an entry without a protocol names that entry and what mends it")
  func emptyProtocol() async throws {
    var odd = SimulatedPolicy.PortRule(22)
    odd.ruleProtocol = ""
    let stage = try Stage(
      Stage.configuration(
        machines: [SimulatedMachine("web1"), SimulatedMachine("db1")],
        policies: [SimulatedPolicy(entries: [.init("web1", ports: [odd])])]))
    Self.failing(
      stage, .error(500, code: "InternalServerError", message: "Internal server error."), "PUT",
      "/jitNetworkAccessPolicies/default")
    let run = try await stage.run(["enable", "db1", "--yes"])
    #expect(run.code == "jit-enable-failed", "\(run.error)")
    #expect(run.error.contains("web1 has no protocol for port 22"), "\(run.error)")
    #expect(run.error.contains("next: jitconnect edit /subscriptions/"), "\(run.error)")
    #expect(run.error.contains("/web1 --port 22/any"), "\(run.error)")
    #expect(stage.count("PUT", "/") == 1)
    // The way out works.
    stage.simulator.clearFaults()
    #expect(try await stage.run(["edit", "web1", "--port", "22/any", "--yes"]).status == 0)
    #expect(try await stage.run(["enable", "db1", "--yes"]).status == 0)
  }

  // MARK: The plan

  @Test(
    "a plan that cannot be read is unknown, not off",
    arguments: ["404", #"{"properties":{"pricingTier":null}}"#, #"{"properties":{}}"#])
  func unreadablePlan(answer: String) async throws {
    let stage = try await Stage.greeting()
    Self.failing(
      stage,
      answer == "404"
        ? .error(404, code: "NotFound", message: "no such pricing")
        : .answer(200, body: answer, type: "application/json"),
      "GET", "/pricings/")
    let run = try await stage.run(["doctor", "web1"])
    #expect(run.text.contains("plan\tunknown\t"), "\(run.text)")
    #expect(!run.text.contains("az security pricing create"))
  }
}

extension PolicyOddityTests {
  // MARK: The next command

  static let refusals: [(code: String, status: Int, next: String)] = [
    ("NoRegisteredProviderFound", 400, "az provider show --namespace Microsoft.Security "),
    ("ScopeLocked", 409, "az lock list "),
    ("RequestDisallowedByPolicy", 403, "az policy assignment list "),
    ("Odd", 400, "jitconnect doctor "),
    ("Odd", 302, "a proxy on the way may have changed the answer"),
  ]

  @Test("every refusal says what to type next", arguments: refusals.indices)
  func next(index: Int) async throws {
    let (code, status, next) = Self.refusals[index]
    for (method, words) in [
      ("GET", ["status", "web1"]), ("PUT", ["enable", "web1", "--yes"]),
      ("POST", ["web1", "true"]),
    ] {
      let stage = try await Stage.greeting(hasPolicy: method != "PUT")
      let path = method == "POST" ? "/initiate" : "Microsoft.Security"
      Self.failing(stage, .error(status, code: code, message: "odd"), method, path)
      let run = try await stage.run(method == "POST" ? stage.options() + words : words)
      #expect(run.status != 0)
      let line = run.error.split(separator: "\n").last { $0.hasPrefix("  next: ") } ?? ""
      #expect(line.contains(next), "\(words) \(run.error)")
    }
  }

  @Test("what is not there, or not enabled, says what to type next")
  func absent() async throws {
    let stage = try await Stage.greeting()
    let id = try #require(
      stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements?.first?["id"]?.text)
    let gone = try await stage.run(["status", id.replacing("/web1", with: "/web9")])
    #expect(gone.code == "vm-not-found", "\(gone.error)")
    #expect(gone.error.contains("next: see which there are: jitconnect list --subscription "))
    let bad = try await stage.run(["enable", "web1", "--port", "22:max=25h"])
    #expect(bad.code == "usage")
    #expect(bad.error.contains("next: write it as 30m"), "\(bad.error)")
    Self.failing(
      stage, .error(404, code: "PolicyNotFound", message: "no policy"), "POST", "/initiate")
    let connect = try await stage.connect()
    #expect(connect.code == "jit-not-enabled", "\(connect.error)")
    #expect(connect.error.contains("next: jitconnect enable "), "\(connect.error)")
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    let again = try await stage.run(["disable", "web1", "--yes"])
    #expect(again.code == "jit-not-enabled")
    #expect(again.error.contains("jitconnect list --subscription "), "\(again.error)")
  }
}
