import AzureSimulator
import Testing

@Suite struct FlowTests {
  @Test("a first connect looks up, requests a window, waits and runs the command")
  func firstConnect() async throws {
    let stage = try Stage.ssh()
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.simulator.report.calls.contains { $0.path.hasSuffix("/initiate") })
  }
}
