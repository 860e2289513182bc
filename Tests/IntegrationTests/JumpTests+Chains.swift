import AzureSimulator
import Platform
import Testing

/// Several jump hosts in a row, and what ends the wait behind them.
extension JumpTests {
  /// The stage's own server as `hop0` to `hop9`; a name may not follow itself on the way.
  private func nameHops(_ stage: Stage) throws {
    let server = try #require(stage.server)
    let rest = stage.read("home/.ssh/config") ?? ""
    try stage.write(
      "home/.ssh/config", "Host hop?\n  HostName 127.0.0.1\n  Port \(server.port)\n" + rest)
  }

  @Test("a hop that its configuration refuses ends the wait at once")
  func refusedHop() async throws {
    let stage = try await jumpStage()
    try nameHops(stage)
    try stage.write(
      "home/.ssh/config",
      "Host hop1\n  RefuseConnection closed\n" + (stage.read("home/.ssh/config") ?? ""))
    for way in ["hop1", "hop1,hop0", "hop0,hop1", "hop0,hop1,hop2"] {
      let run = try await stage.connect(
        "web1", ["--source", "10.0.0.5", "--wait", "50", "-J", way])
      #expect(run.status == 255, "\(way)")
      #expect(run.error.contains("the way through the jump host does not stand"), "\(run.error)")
    }
  }

  @Test(
    "a jump host that lets nobody in is tried once, not every second of the wait",
    arguments: [["bad"], ["bad", "good"], ["good", "bad", "good"], ["bad", "good", "good"]])
  func hopRefuses(_ chain: [String]) async throws {
    let stage = try await jumpStage()
    let server = try #require(stage.server)
    try nameHops(stage)
    let hops = chain.enumerated().map {
      ($0.element == "bad" ? "nobody-here@" : "") + "hop\($0.offset)"
    }
    let run = try await stage.connect(
      "web1", ["--source", "10.0.0.5", "-J", hops.joined(separator: ",")])
    #expect(run.status == 255)
    #expect(run.code == "authentication-failed", "\(run.error)")
    #expect(server.log.ranges(of: "Invalid user nobody-here from").count == 1)
  }

  @Test("three hops, and a port that opens late")
  func longChain() async throws {
    let stage = try await jumpStage { $0.behaviour.openingDelay = .seconds(2) }
    let server = try #require(stage.server)
    try nameHops(stage)
    let run = try await stage.connect("web1", ["--source", "10.0.0.5", "-J", "hop0,hop1,hop2"])
    #expect(run.text == "hello\n", "\(run.error)")
    // The first attempts found the port closed.
    #expect(server.log.ranges(of: "Accepted publickey").count > 4)
  }
}
