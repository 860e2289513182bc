import AzureSimulator
import Platform
import Testing

/// A machine that is off, and is to be started on the way.
@Suite(.limited) struct StartTests {
  private func stopped() async throws -> Stage {
    try await Stage.ssh { $0.machines[0].power = .deallocated }
  }

  @Test("--start starts the machine once, and everything is looked up once")
  func once() async throws {
    let stage = try await stopped()
    let run = try await stage.connect("web1", ["--start"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.count("POST", "/start") == 1)
    #expect(stage.requests.count == 1)
    #expect(stage.count("GET", "/jitNetworkAccessPolicies") <= 2)
  }

  @Test("a remembered machine is started once too")
  func remembered() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    try stage.write("state/jitconnect/windows.json", "[]")
    stage.simulator.changeMachine("web1") { $0.power = .deallocated }
    let run = try await stage.connect("web1", ["--start"])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.count("POST", "/start") == 1)
  }

  @Test("on a terminal it is asked once")
  func asked() async throws {
    let stage = try await stopped()
    let terminal = try stage.terminal(stage.options() + ["web1", "echo", "hello"])
    try await terminal.wait(for: "Start it?")
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0), "\(terminal.screen)")
    #expect(terminal.screen.split(separator: "Start it?").count == 2, "\(terminal.screen)")
    #expect(stage.count("POST", "/start") == 1)
  }
}
