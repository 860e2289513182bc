import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Own windows end early, and what became of each is told.
@Suite(.limited) struct CloseTests {
  private static let noDeleting = SimulatedIdentity.Grant(
    notActions: ["Microsoft.Network/networkSecurityGroups/securityRules/delete"])

  private func opened(
    _ options: [String] = [], _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    let stage = try await Stage.greeting {
      $0.behaviour.namesRequestor = true
      change(&$0)
    }
    let run = try await stage.run(["request", "web1:\(stage.port())", "--for", "1h"] + options)
    #expect(run.status == 0, "\(run.error)")
    return stage
  }

  private func outcome(_ run: Run) throws -> [String?] {
    try (JSON(parsing: run.output)["windows"]?.elements ?? []).map { $0["outcome"]?.text }
  }

  private func isOpen(_ stage: Stage, _ source: String = "203.0.113.7") -> Bool {
    stage.simulator.reaches("web1", port: stage.port(), from: source)
  }

  /// A colleague's window, opened with the same program elsewhere.
  private func colleague(_ stage: Stage, from address: String) async throws {
    stage.simulator.change { $0.clientAddress = address }
    let elsewhere: [String: String?] = [
      "XDG_STATE_HOME": stage.folder + "/work/state",
      "XDG_CACHE_HOME": stage.folder + "/work/cache",
    ]
    let run = try await stage.run(
      ["request", "web1:\(stage.port())", "--for", "2h", "--no-wait"], environment: elsewhere)
    #expect(run.status == 0, "\(run.error)")
    stage.simulator.change { $0.clientAddress = "203.0.113.7" }
  }

  @Test("its rule is deleted where that is permitted; the next connect asks anew")
  func rule() async throws {
    let stage = try await opened()
    #expect(isOpen(stage))
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    try Golden.compare(
      masked(run.text, [("\"port\" : \(stage.port())", "\"port\" : PORT")]), with: "close.json")
    #expect(!isOpen(stage))
    #expect(stage.requests.count == 1)

    let again = try await stage.run(["close", "web1"])
    #expect(again.status == 0, "\(again.error)")
    let request = try await stage.run(["request", "web1:\(stage.port())"])
    #expect(request.status == 0, "\(request.error)")
    #expect(stage.requests.count == 2)
    #expect(isOpen(stage))
  }

  @Test("rules of the older name are known too")
  func oldNames() async throws {
    let stage = try await opened { $0.behaviour.usesOldRuleNames = true }
    #expect(stage.simulator.rules(of: "web1-nsg").contains { $0.name.hasPrefix("SecurityCenter-") })
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run) == ["rule-deleted"])
    #expect(!isOpen(stage))
  }

  @Test("a window whose rule is still to come is not called over: the rule is waited for")
  func slowRule() async throws {
    let stage = try await Stage.greeting {
      $0.behaviour.openingDelay = .seconds(4)
    }
    let request = try await stage.run(["request", "web1:\(stage.port())", "--no-wait"])
    #expect(request.status == 0, "\(request.error)")
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run) == ["rule-deleted"])
    stage.simulator.advance(by: .seconds(60))
    #expect(!isOpen(stage))
  }

  @Test("where the rule does not come within the wait, the window is told as one that may open")
  func lateRule() async throws {
    let stage = try await Stage.greeting { $0.behaviour.openingDelay = .seconds(90) }
    let request = try await stage.run(["request", "web1:\(stage.port())", "--no-wait"])
    #expect(request.status == 0, "\(request.error)")
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcome(run) == ["left"])
    #expect(run.text.contains("its rule may still appear"))
    #expect(run.text.contains("may still open until "), "\(run.text)")
    #expect(run.text.contains("jitconnect close "), "\(run.text)")
  }

  @Test("an interface that may not be read may have the rule too: that is not called closed")
  func unreadInterface() async throws {
    let stage = try await opened { $0.machines[0].extraInterfaces = 1 }
    var fault = Fault(
      .error(403, code: "AuthorizationFailed", message: "no"), method: "GET",
      path: "/networkInterfaces/web1-nic-2")
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcome(run) == ["left"])
  }

  @Test("of two groups on the way, one that lost its rule is enough")
  func partial() async throws {
    let stage = try await opened { $0.machines[0].securityGroup = .both }
    // The one group's rule can be deleted, which is enough for this way.
    var fault = Fault(
      .error(409, code: "ScopeLocked", message: "locked"), method: "DELETE",
      path: "rg-demo-subnet-nsg")
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run) == ["rule-deleted"])
    #expect(!isOpen(stage))
  }

  @Test("both of two requests of one's own are closed, on subnet and interface")
  func twice() async throws {
    let stage = try await opened { $0.machines[0].securityGroup = .both }
    let longer = try await stage.run(["request", "web1:\(stage.port())", "--for", "2h"])
    #expect(longer.status == 0, "\(longer.error)")
    #expect(stage.requests.count == 2)
    let run = try await stage.run(["close", "web1:\(stage.port())", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(!isOpen(stage))
    for group in ["web1-nsg", "rg-demo-subnet-nsg"] {
      #expect(!stage.simulator.rules(of: group).contains { $0.name.contains("JITRule-") })
    }
  }

  @Test("without that right a request of the shortest duration takes its place")
  func superseded() async throws {
    let stage = try await opened {
      $0.behaviour.newerRequestEndsOlder = true
      $0.identities[0].grants = [Self.noDeleting]
    }
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run) == ["superseded"])
    let port = stage.requests.last?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
    #expect(port?["duration"] == "PT5M")
    stage.simulator.advance(by: .seconds(301))
    #expect(!isOpen(stage))
  }

  @Test("where nothing helps it says when the window ends by itself")
  func left() async throws {
    let stage = try await opened { $0.behaviour.locksSecurityGroups = true }
    let run = try await stage.run(["close", "web1"])
    #expect(run.status == 1)
    #expect(run.code == "window-not-closed", "\(run.error)")
    #expect(run.error.contains("locked"))
    let json = try await stage.run(["close", "web1", "--json"])
    let errors = try JSON(parsing: json.output)["errors"]?.elements
    #expect(errors?.isEmpty == false)
    #expect(errors?.allSatisfy { $0["code"] == "window-not-closed" } == true)
    #expect(run.text.contains("\tleft\t"))
    #expect(isOpen(stage))
  }

  @Test("a deletion that Azure takes and does not carry out is not called one")
  func deletionWithoutEffect() async throws {
    let stage = try await opened()
    var fault = Fault(.empty(200), method: "DELETE", path: "/securityRules/")
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcome(run) == ["left"])
    #expect(run.text.contains("it is still there"), "\(run.text)")
    #expect(isOpen(stage))
  }

  @Test("who may not delete the rule is told until when it stays, and the line for who may")
  func noRight() async throws {
    let stage = try await opened { $0.identities[0].grants = [Self.noDeleting] }
    let run = try await stage.run(["close", "web1"])
    #expect(run.code == "window-not-closed", "\(run.error)")
    #expect(run.error.contains("of web1 stays open until "), "\(run.error)")
    #expect(
      run.error.contains("next: whoever may: az network nsg rule delete --subscription "),
      "\(run.error)")
  }

  @Test("one machine by several names is closed and told once")
  func severalNames() async throws {
    let stage = try await opened()
    let group = SimulatedMachine("web1").resourceGroup
    let run = try await stage.run(
      ["close", "web1:\(stage.port())", "\(group)/web1", "WEB1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run) == ["rule-deleted"])
    #expect(stage.count("DELETE", "/securityRules/") == 1)
  }

  @Test("with a live request of somebody else for the same source nothing is deleted")
  func sameSource() async throws {
    let stage = try await opened()
    try await colleague(stage, from: "203.0.113.7")
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1)
    #expect(try outcome(run) == ["left", "not-yours"])
    #expect(stage.count("DELETE", "securityRules") == 0)
    #expect(isOpen(stage))
  }

  @Test("a colleague's window is not knocked out to close one's own; --keep-others keeps it")
  func otherSource() async throws {
    let stage = try await opened {
      $0.behaviour.newerRequestEndsOlder = true
      $0.behaviour.newerRequestEndsOtherSources = false
      $0.identities[0].grants = [Self.noDeleting]
    }
    try await colleague(stage, from: "198.51.100.4")
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 1, "\(run.error)")
    #expect(try outcome(run).sorted { ($0 ?? "") < ($1 ?? "") } == ["left", "not-yours"])
    #expect(stage.requests.count == 2)
    #expect(isOpen(stage, "198.51.100.4"))

    _ = try await stage.run(["close", "web1", "--keep-others", "--json"])
    let port = stage.requests.last?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
    #expect(port?["allowedSourceAddressPrefixes"] == ["203.0.113.7", "198.51.100.4"])
    #expect(isOpen(stage, "198.51.100.4"))
  }

  @Test("what is not open needs no closing")
  func nothing() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["close", "web1", "--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(try outcome(run).isEmpty)
    let missing = try await stage.run(["close", "nowhere"])
    #expect(missing.status == 3)
  }

  // MARK: --close-on-exit

  @Test("--close-on-exit closes when the session ends, and keeps its status")
  func closeOnExit() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect("web1", ["--close-on-exit"], command: "exit 7")
    #expect(run.status == 7, "\(run.error)")
    #expect(run.error == "" || !run.error.contains("stays open"), "\(run.error)")
    #expect(!isOpen(stage))
    let again = try await stage.connect("web1", ["-o", "JitCloseOnExit=yes"])
    #expect(again.status == 0, "\(again.error)")
    #expect(stage.requests.count == 2)
    #expect(!isOpen(stage))
  }

  @Test("it closes after a failed login too")
  func failedLogin() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.run([
      "--close-on-exit", "-p", "\(stage.port())", "-o", "StrictHostKeyChecking=accept-new", "-o",
      "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", "/nonexistent", "web1", "true",
    ])
    #expect(run.status == 255)
    #expect(stage.requests.count == 1)
    #expect(!isOpen(stage))
  }

  @Test("on Ctrl-C it closes: with -N, and while the port is waited for", arguments: [true, false])
  func interrupted(stands: Bool) async throws {
    let stage = try await Stage.ssh {
      if !stands { $0.behaviour.addressBehindGate = "198.51.100.9" }
    }
    let running = try stage.start(
      ["--close-on-exit", "-N", "-v"] + stage.options() + ["web1"])
    if stands {
      try await running.wait(for: "the session") {
        running.error.contains("Authenticated to") || running.error.contains("Entering")
      }
    } else {
      try await running.wait(for: "the rule") { isOpen(stage) }
      try await running.wait(for: "the record") {
        stage.read("state/jitconnect/windows.json") != nil
      }
    }
    running.signal(SIGINT)
    let run = try await running.finish()
    #expect(run.ending != .timedOut)
    if !stands { #expect(run.error.contains("is closed again"), "\(run.error)") }
    #expect(!isOpen(stage), "\(run.error)")
  }

  @Test("with -f the session in the background closes it at its end")
  func background() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.run(
      ["--close-on-exit", "-f"] + stage.options() + ["web1", "true"])
    #expect(run.status == 0, "\(run.error)")
    let deadline = ContinuousClock.now + .seconds(30)
    while isOpen(stage), .now < deadline { try await Task.sleep(for: .milliseconds(20)) }
    #expect(!isOpen(stage))
  }

  // MARK: A rule that vanishes

  @Test("a rule that was there and is gone ends the wait with its own word")
  func vanished() async throws {
    let stage = try await Stage.ssh { $0.behaviour.addressBehindGate = "198.51.100.9" }
    let running = try stage.start(stage.options() + ["web1", "true"])
    try await running.wait(for: "a look at the rules") {
      stage.count("GET", "networkSecurityGroups") > 0
    }
    stage.simulator.removeRules("MicrosoftDefenderForCloud-JITRule-", from: "web1-nsg")
    let run = try await running.finish()
    #expect(run.status == 255)
    #expect(run.code == "window-vanished", "\(run.error)")
    #expect(run.error.contains("terraform"))
  }
}
