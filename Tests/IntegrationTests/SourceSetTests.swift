import AzureSimulator
import Platform
import Testing

/// Where this machine comes from: sets by name, pools of addresses.
@Suite(.limited) struct SourceSetTests {
  private func sources(_ stage: Stage) -> JSON? {
    let port = stage.requests.last?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
    return port?["allowedSourceAddressPrefix"] ?? port?["allowedSourceAddressPrefixes"]
  }

  private func stage() throws -> Stage {
    try Stage(
      Stage.configuration(
        machines: [SimulatedMachine("web1")],
        policies: [SimulatedPolicy(machine: "web1", ports: .init(22))]))
  }

  private let words = ["request", "web1", "--no-wait"]

  @Test("answers that differ are shown with what covers them, and kept under a name")
  func pool() async throws {
    let stage = try stage()
    stage.simulator.answerAddress("b", with: .text("203.0.113.9"))
    stage.simulator.answerAddress("c", with: .text("203.0.113.14"))
    let unclear = try await stage.run(words)
    #expect(unclear.code == "address-unclear", "\(unclear.error)")
    #expect(unclear.error.contains("--source 203.0.113.0/28"))
    #expect(unclear.error.contains("--save-source"))
    #expect(stage.requests.isEmpty)

    let unasked = try await stage.run(words + ["--save-source", "office"])
    #expect(unasked.code == "address-unclear", "\(unasked.error)")
    #expect(stage.read("config/jitconnect/config") == nil)

    try Files.makeDirectory(stage.folder + "/config/jitconnect")
    try stage.write("config/jitconnect/config", "# mine\nJitSourceSet office=192.0.2.1\nHost x\n")
    let before = stage.read("config/jitconnect/config")
    let dry = try await stage.run(words + ["--save-source", "office", "--yes", "--dry-run"])
    #expect(dry.text.contains("203.0.113.0/28"), "\(dry.error)")
    #expect(stage.read("config/jitconnect/config") == before)
    #expect(stage.requests.isEmpty)
    let run = try await stage.run(words + ["--save-source", "Office", "--yes"])
    #expect(run.status == 0, "\(run.error)")
    #expect(sources(stage) == "203.0.113.0/28")
    #expect(
      stage.read("config/jitconnect/config")
        == "JitSourceSet office=203.0.113.0/28\n# mine\nHost x\n")

    let named = try await stage.run(words + ["--source", "office,198.51.100.7", "--for", "1h"])
    #expect(named.status == 0, "\(named.error)")
    #expect(sources(stage) == ["203.0.113.0/28", "198.51.100.7"])
  }

  @Test("on a terminal the pool is asked about")
  func asked() async throws {
    let stage = try stage()
    stage.simulator.answerAddress("b", with: .text("198.51.100.4"))
    let terminal = try stage.terminal(words + ["--save-source", "home"], columns: 200)
    try await terminal.wait(for: "and keep it as home? [y/N]")
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0))
    // What covers both is wider than 256 addresses: each alone.
    #expect(sources(stage) == ["198.51.100.4", "203.0.113.7"])
    #expect(
      stage.read("config/jitconnect/config")
        == "JitSourceSet home=198.51.100.4,203.0.113.7\n")
  }

  @Test("a set that is not there, or that is wide and only in a file, is refused")
  func refused() async throws {
    let stage = try stage()
    try Files.makeDirectory(stage.folder + "/config/jitconnect")
    try stage.write("config/jitconnect/config", "JitSourceSet wide=10.0.0.0/8\n")
    let missing = try await stage.run(words + ["--source", "office"])
    #expect(missing.status == 64, "\(missing.error)")
    #expect(missing.error.contains("there are: wide"))
    let wide = try await stage.run(words + ["--source", "wide", "--yes"])
    #expect(wide.code == "source-too-wide", "\(wide.error)")
    let spelled = try await stage.run(
      words + ["--source", "big", "-o", "JitSourceSet=big=10.0.0.0/8", "--yes"])
    #expect(spelled.status == 0, "\(spelled.error)")
    let name = try await stage.run(words + ["--save-source", "any"])
    #expect(name.status == 64, "\(name.error)")
    #expect(stage.requests.count == 1)
  }
}
