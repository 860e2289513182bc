import AzureSimulator
import Platform
import Testing

/// This machine's clock is minutes ahead of Azure's: what is over is for Azure to say.
@Suite(.limited) struct ClockTests {
  /// Longer than a window lasts.
  private static let behind = Duration.seconds(-400)

  private func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    let stage = try await Stage.ssh { configuration in
      configuration.behaviour.namesRequestor = true
      change(&configuration)
    }
    stage.simulator.advance(by: Self.behind)
    return stage
  }

  @Test("an open window is shown and used again, whatever is remembered")
  func shown() async throws {
    let stage = try await stage()
    #expect(try await stage.connect().status == 0)
    for words in [["status", "--json", "web1"], ["list", "--json"]] {
      let run = try await stage.run(words)
      #expect(run.status == 0, "\(run.error)")
      #expect(run.text.contains("203.0.113.7"), "\(words): \(run.text)")
    }
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 1)
    try stage.write("cache/jitconnect/machines.json", "{}")
    try stage.write("state/jitconnect/windows.json", "[]")
    #expect(try await stage.connect().status == 0)
    #expect(stage.requests.count == 1)
  }

  @Test("close deletes the rule of an open window", arguments: [true, false])
  func close(onExit: Bool) async throws {
    let stage = try await stage()
    let run = try await stage.connect("web1", onExit ? ["--close-on-exit"] : [])
    #expect(run.status == 0, "\(run.error)")
    if !onExit {
      let close = try await stage.run(["close", "web1"])
      #expect(close.status == 0, "\(close.error)")
      #expect(!close.text.contains("over"), "\(close.text)")
    }
    #expect(stage.count("DELETE", "/securityRules/") == 1)
    #expect(!stage.simulator.reaches("web1", port: stage.port(), from: "203.0.113.7"))
  }

  @Test("somebody else's open window is named", arguments: [false, true])
  func others(isRemembered: Bool) async throws {
    let stage = try await stage { $0.behaviour.newerRequestEndsOlder = true }
    if isRemembered {
      #expect(try await stage.connect().status == 0)
      try stage.write("state/jitconnect/windows.json", "[]")
    }
    stage.simulator.change { $0.clientAddress = "198.51.100.44" }
    var elsewhere = stage.environment
    elsewhere["XDG_STATE_HOME"] = stage.folder + "/tmp"
    elsewhere["XDG_CACHE_HOME"] = stage.folder + "/tmp"
    let other = try await stage.run(
      ["request", "web1:\(stage.port())"], environment: elsewhere.mapValues { $0 })
    #expect(other.status == 0, "\(other.error)")
    stage.simulator.change { $0.clientAddress = "203.0.113.7" }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("a window of"), "\(run.error)")
  }

  @Test("close deletes a rule that outlived its window")
  func leftRule() async throws {
    let stage = try await Stage.ssh { $0.behaviour.keepsRules = true }
    #expect(try await stage.connect().status == 0)
    // Over by Azure's clock, and by this machine's not yet.
    stage.simulator.advance(by: .seconds(301))
    let close = try await stage.run(["close", "web1"])
    #expect(close.status == 0, "\(close.error)")
    #expect(stage.count("DELETE", "/securityRules/") == 1, "\(close.text)")
  }
}
