import AzureSimulator
import FoundationEssentials
import Testing

/// The sequential Azure calls of each situation. Not a time is measured: each call takes so long
/// that those which are made side by side overlap.
@Suite(.limited) struct DepthTests {
  private func stage() async throws -> Stage {
    try await Stage.ssh {
      $0.behaviour.delays = [.arm: .milliseconds(150), .graph: .milliseconds(150)]
    }
  }

  private func connect(_ stage: Stage, _ options: [String] = []) async throws -> CallReport {
    stage.simulator.resetReport()
    let run = try await stage.connect("web1", options)
    #expect(run.status == 0, "\(run.error)")
    return stage.simulator.report
  }

  @Test("never seen, token in store: 2 or 3 before the connection")
  func neverSeen() async throws {
    let stage = try await stage()
    #expect(try await stage.run(["nobody", "true"]).code == "vm-not-found")
    let report = try await connect(stage)
    #expect(report.count(.login) == 0)
    let depth = try #require(report.depthBeforeConnection())
    #expect((2...3).contains(depth), "\(report.text)")
  }

  @Test("without a token: one sign-in more")
  func noToken() async throws {
    let stage = try await stage()
    let report = try await connect(stage)
    #expect(report.count(.login) == 1)
    let azure = try #require(report.depthBeforeConnection())
    #expect((2...3).contains(azure), "\(report.text)")
    #expect(report.depthBeforeConnection(of: [.arm, .graph, .login]) == azure + 1)
  }

  @Test("machine known, nothing known of its policy: 2")
  func policyUnknown() async throws {
    let stage = try await stage()
    _ = try await connect(stage)
    try stage.forgetPolicies()
    // Asks for more than the window that is open has.
    let report = try await connect(stage, ["--for", "1h"])
    #expect(report.count(.graph) == 0)
    #expect(report.depthBeforeConnection() == 2, "\(report.text)")
  }

  @Test("machine and policy known, window closed: 1")
  func windowClosed() async throws {
    let stage = try await stage()
    _ = try await connect(stage)
    try stage.write("state/jitconnect/windows.json", "[]")
    let report = try await connect(stage)
    #expect(report.calls.contains { $0.path.hasSuffix("/initiate") })
    #expect(report.depthBeforeConnection() == 1, "\(report.text)")
  }

  @Test("window open, same address, key pinned: 0, and no call is waited for")
  func windowOpen() async throws {
    let stage = try await stage()
    _ = try await connect(stage)
    let report = try await connect(stage)
    #expect(report.depthBeforeConnection() == 0, "\(report.text)")
    #expect(!report.calls.contains { $0.path.hasSuffix("/initiate") })
  }

  @Test("with --no-jit no call is made at all")
  func noJIT() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let run = try await stage.run([
      "--no-jit", "-p", String(server.port), "-i", server.key, "-o",
      "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo hello",
    ])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.simulator.report.calls.isEmpty)
  }

  @Test(
    "no network call for these",
    arguments: [
      ["--version"], ["--help"], ["-V"], ["-Q", "cipher"], ["-G", "web1"],
    ])
  func noNetwork(arguments: [String]) async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(arguments)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.calls.isEmpty)
    #expect(stage.writtenFiles.isEmpty)
  }
}

extension Stage {
  /// Takes what is remembered of policies away, and leaves the machines.
  func forgetPolicies() throws {
    let name = "cache/jitconnect/machines.json"
    var memory = try JSON(parsing: Array(try #require(read(name)).utf8))
    memory["policies"] = [:]
    try write(name, memory.text ?? String(decoding: memory.encoded, as: UTF8.self))
  }
}
