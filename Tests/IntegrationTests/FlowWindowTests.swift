import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// What is asked for, what is used again, and what is said of other people's windows.
@Suite(.limited) struct FlowWindowTests {
  private func port(_ request: JSON?) -> JSON? {
    request?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
  }

  private func durations(_ stage: Stage) -> [String] {
    stage.requests.compactMap { port($0)?["duration"]?.text }
  }

  // MARK: The request

  @Test("the body is minimal: one port, one address, five minutes")
  func minimalBody() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    let expected: JSON = [
      "virtualMachines": [
        [
          "id": .string(stage.machine.id),
          "ports": [
            [
              "number": JSON(stage.port()), "allowedSourceAddressPrefix": "203.0.113.7",
              "duration": "PT5M",
            ]
          ],
        ]
      ]
    ]
    #expect(stage.requests == [expected])
  }

  @Test("--reason is the justification")
  func reason() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect("web1", ["--reason", "fix the disk"]).status == 0)
    #expect(stage.requests.first?["justification"] == "fix the disk")
  }

  @Test(
    "a refused PT5M is followed by 10, 30 and 60 minutes; what was granted is remembered",
    arguments: [(10, ["PT5M", "PT10M"]), (60, ["PT5M", "PT10M", "PT30M", "PT1H"])])
  func ladder(minimum: Int, expected: [String]) async throws {
    let stage = try await Stage.ssh { $0.behaviour.minimumDuration = .seconds(minimum * 60) }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(durations(stage) == expected)

    try stage.write("state/jitconnect/windows.json", "[]")
    stage.simulator.resetReport()
    #expect(try await stage.connect().status == 0)
    #expect(durations(stage) == [expected.last])
  }

  @Test("--for asks for that, inside the policy")
  func duration() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect("web1", ["--for", "1h30m"]).status == 0)
    #expect(durations(stage) == ["PT1H30M"])
  }

  @Test(
    "what the policy forbids is said in words before any request",
    arguments: [
      (["--for", "5h"], "policy-forbids-duration", "at most 3 hours"),
      (["--for", "1m"], "policy-forbids-duration", "at least 5 minutes"),
      (["--source", "192.0.2.1"], "policy-forbids-source", "203.0.113.0/24"),
      (["-p", "2022"], "policy-forbids-port", "it allows port"),
    ])
  func forbidden(options: [String], code: String, words: String) async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(0, sources: ["203.0.113.0/24"]))
      ]
    }
    let run = try await stage.run(options + stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == code, "\(run.error)")
    #expect(run.error.contains(words), "\(run.error)")
    #expect(stage.requests.isEmpty)
  }

  @Test("a policy that allows less than five minutes is asked for what it allows")
  func shortPolicy() async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(0, maximum: "PT7M"))
      ]
    }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(durations(stage) == ["PT5M"])
  }

  // MARK: Using a window again

  @Test("a window with a minute left is used again; with less, or for --for, one is requested")
  func reuse() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 1)

    try stage.leave(seconds: 70)
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 1)

    try stage.leave(seconds: 50)
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 2)

    #expect(try await stage.connect("web1", ["--for", "20m"]).status == 0)
    #expect(durations(stage) == ["PT5M", "PT5M", "PT20M"])
    // And that one serves the next, whose wish it covers.
    #expect(try await stage.connect("web1", ["--for", "10m"]).status == 0)
    #expect(stage.requests.count == 3)
  }

  @Test("a window that Azure ended early is noticed, and asked for again")
  func endedEarly() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.advance(by: .seconds(400))
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.requests.count == 2)
  }

  @Test("from another address a new window is asked for, and no colleague is spoken of")
  func otherAddress() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.change { $0.clientAddress = "203.0.113.99" }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(port(stage.requests.last)?["allowedSourceAddressPrefix"] == "203.0.113.99")
    #expect(!run.error.contains("a window of"))
  }

  // MARK: Other people's windows

  /// A colleague's window from another address, opened with the same program elsewhere.
  private func withForeignWindow() async throws -> Stage {
    let stage = try await Stage.ssh { $0.behaviour.namesRequestor = true }
    stage.simulator.change { $0.clientAddress = "198.51.100.44" }
    let elsewhere: [String: String?] = [
      "XDG_STATE_HOME": stage.folder + "/work/state",
      "XDG_CACHE_HOME": stage.folder + "/work/cache",
    ]
    let run = try await stage.connect("web1", ["--for", "1h"], environment: elsewhere)
    #expect(run.status == 0, "\(run.error)")
    stage.simulator.change { $0.clientAddress = "203.0.113.7" }
    return stage
  }

  @Test("a colleague's window that the remembered policy does not know is named beside the request")
  func newerForeign() async throws {
    let stage = try await Stage.ssh { $0.behaviour.namesRequestor = true }
    // The policy is remembered, and the own window over.
    #expect(try await stage.connect().status == 0)
    try stage.write("state/jitconnect/windows.json", "[]")
    stage.simulator.advance(by: .seconds(400))
    stage.simulator.change { $0.clientAddress = "198.51.100.44" }
    let elsewhere: [String: String?] = [
      "XDG_STATE_HOME": stage.folder + "/work/state",
      "XDG_CACHE_HOME": stage.folder + "/work/cache",
    ]
    let other = try await stage.connect("web1", ["--for", "1h"], environment: elsewhere)
    #expect(other.status == 0, "\(other.error)")
    stage.simulator.change {
      $0.clientAddress = "203.0.113.7"
      $0.delay = .milliseconds(50)
    }
    stage.simulator.resetReport()
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("from 198.51.100.44 is open until"), "\(run.error)")
    #expect(run.error.contains("may have ended it"))
    #expect(stage.requests.count == 1)
    #expect(stage.simulator.report.depthBeforeConnection() == 1)
  }

  @Test("in a pipe a colleague's window is named, then the request is made")
  func foreignInPipe() async throws {
    let stage = try await withForeignWindow()
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("from 198.51.100.44 is open until"))
    #expect(run.error.contains("--keep-others"))
    #expect(stage.requests.count == 2)
    #expect(port(stage.requests.last)?["allowedSourceAddressPrefix"] == "203.0.113.7")
  }

  @Test("--keep-others lets both in, and warns of nothing")
  func keepOthers() async throws {
    let stage = try await withForeignWindow()
    let run = try await stage.connect("web1", ["--keep-others"])
    #expect(run.status == 0, "\(run.error)")
    #expect(!run.error.contains("warning"))
    #expect(
      port(stage.requests.last)?["allowedSourceAddressPrefixes"]
        == ["203.0.113.7", "198.51.100.44"])
  }

  @Test("whom --keep-others leaves out is named with the reason, and no advice to give it")
  func notKept() async throws {
    let stage = try await Stage.ssh { $0.behaviour.namesRequestor = true }
    let elsewhere: [String: String?] = [
      "XDG_STATE_HOME": stage.folder + "/work/state",
      "XDG_CACHE_HOME": stage.folder + "/work/cache",
    ]
    let other = try await stage.run(
      ["request", "--yes", "--no-wait", "--for", "1h", "--source", "198.51.100.0/22"]
        + ["web1:\(stage.port())"], environment: elsewhere)
    #expect(other.status == 0, "\(other.error)")
    let run = try await stage.connect("web1", ["--keep-others"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("wider than /24"), "\(run.error)")
    #expect(!run.error.contains("--keep-others"), "\(run.error)")
  }

  @Test("on a terminal it is asked first; No requests nothing")
  func foreignOnTerminal() async throws {
    let stage = try await withForeignWindow()
    let terminal = try stage.terminal(stage.options() + ["web1", "echo hello"])
    try await terminal.wait(for: "198.51.100.44 is open until")
    try await terminal.wait(for: "Go on? [y/N] ")
    try terminal.type("n\n")
    try await terminal.wait(for: "error[declined]")
    try await terminal.wait(for: "next: jitconnect --keep-others -p ")
    #expect(try await terminal.end() == .exited(255))
    #expect(stage.requests.count == 1)

    let second = try stage.terminal(stage.options() + ["web1", "echo hello"])
    try await second.wait(for: "Go on? [y/N] ")
    try second.type("y\n")
    try await second.wait(for: "hello")
    #expect(try await second.end() == .exited(0))
  }

  // MARK: Waiting

  @Test("a request that ends as Failed ends the wait")
  func failed() async throws {
    let stage = try await Stage.ssh {
      $0.behaviour.requestsEndAs = ("Failed", "SomethingWentWrong")
    }
    let run = try await stage.connect("web1", ["--wait", "60s"])
    #expect(run.status == 255)
    #expect(run.code == "window-refused", "\(run.error)")
    #expect(run.error.contains("Failed"))
    #expect(run.error.contains("doctor web1"))
  }

  @Test("202 and then nothing: window-timeout names the address let in, and doctor")
  func nothingOpens() async throws {
    let stage = try await Stage.ssh { $0.behaviour.initiateDoesNothing = true }
    let run = try await stage.connect("web1", ["--wait", "1s"])
    #expect(run.status == 255)
    #expect(run.code == "window-timeout", "\(run.error)")
    #expect(run.error.contains("did not answer within 1"))
    #expect(run.error.contains("203.0.113.7"))
    #expect(run.error.contains("next: jitconnect doctor web1"))
  }

  @Test("a port that opens late is waited for")
  func opensLate() async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .seconds(1000) }
    let running = try stage.start(["--for", "1h"] + stage.options() + ["web1", "echo hello"])
    try await running.wait(for: "the request") {
      stage.read("state/jitconnect/windows.json") != nil
    }
    stage.simulator.advance(by: .seconds(1000))
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }

  @Test("behind a firewall its address and the mapped port are connected to")
  func firewall() async throws {
    let (stage, _) = try await Stage.behindFirewall()
    let options = ["-p", "2222", "-o", "StrictHostKeyChecking=accept-new", "-i"]
    let key = try #require(stage.server?.key)
    let run = try await stage.run(options + [key, "web1", "echo hello"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(port(stage.requests.first)?["number"] == 2222)
    // The window is used again at the same place.
    let again = try await stage.run(options + [key, "web1", "echo hello"])
    #expect(again.status == 0, "\(again.error)")
    #expect(stage.requests.count == 1)
  }
}

extension Stage {
  /// Lets the windows of the program's own record end so soon, as if time had passed.
  func leave(seconds: Double) throws {
    let name = "state/jitconnect/windows.json"
    let text = try #require(read(name))
    let end = Date().timeIntervalSinceReferenceDate + seconds
    let parts = text.split(separator: "\"end\":", maxSplits: 1)
    let rest = try #require(parts.last).drop { $0.isNumber || $0 == "." }
    try write(name, "\(parts[0])\"end\":\(end)\(rest)")
  }
}
