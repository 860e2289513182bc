import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Ctrl-C at every step: what stays open is said, and the program ends as ssh does.
@Suite(.limited) struct FlowInterruptTests {
  private func expectSignal(_ run: Run, _ signal: Int32 = SIGINT) {
    #expect(run.ending == .signalled(signal), "\(run.error)")
    #expect(run.code == "interrupted")
    #expect(run.output.isEmpty)
  }

  @Test(
    "while looking up: no window is spoken of, and nothing was written in part",
    arguments: [CallReport.Kind.metadata, .login, .graph, .address])
  func lookingUp(kind: CallReport.Kind) async throws {
    let stage = try await Stage.ssh { $0.behaviour.delays = [kind: .seconds(60)] }
    let running = try stage.start(stage.options() + ["web1", "true"])
    try await running.wait(for: "a call") { stage.simulator.report.count(kind) > 0 }
    if kind == .address {
      // Everything else has been done by now, and only the address is waited for.
      try await running.wait(for: "the policies") {
        stage.count("GET", "/jitNetworkAccessPolicies") > 0
      }
    }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(10))
    expectSignal(run)
    #expect(
      run.error == "jitconnect: error[interrupted]: interrupted: no window was requested\n")
    #expect(stage.fileProblems.isEmpty)
  }

  @Test("SIGTERM and SIGHUP end it the same way", arguments: [SIGTERM, SIGHUP])
  func otherSignals(signal: Int32) async throws {
    let stage = try await Stage.ssh { $0.behaviour.delays = [.graph: .seconds(60)] }
    let running = try stage.start(stage.options() + ["web1", "true"])
    try await running.wait(for: "a call") { stage.simulator.report.count(.graph) > 0 }
    running.signal(signal)
    expectSignal(try await running.finish(timeout: .seconds(10)), signal)
  }

  @Test("while a throttled call is waited for")
  func throttled() async throws {
    let stage = try await Stage.ssh()
    var fault = Fault(
      .error(429, code: "TooManyRequests", message: "Slow down."), method: "GET",
      path: "/jitNetworkAccessPolicies")
    fault.headers = [("Retry-After", "20")]
    stage.simulator.inject(fault)
    let running = try stage.start(stage.options() + ["web1", "true"])
    try await running.wait(for: "a call") {
      stage.simulator.report.calls.contains { $0.status == 429 }
    }
    running.signal(SIGINT)
    expectSignal(try await running.finish(timeout: .seconds(10)))
  }

  @Test("while a policy is written: it may have been")
  func enabling() async throws {
    let stage = try await Stage.ssh(hasPolicy: false)
    stage.simulator.inject(Fault(.slow(.seconds(60)), method: "PUT"))
    let running = try stage.start(["--enable"] + stage.options() + ["web1", "true"])
    try await running.wait(for: "the write") { stage.count("PUT", "") == 1 }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(10))
    expectSignal(run)
    #expect(run.error.contains("access on web1 may have been enabled"), "\(run.error)")
    #expect(stage.requests.isEmpty)
  }

  @Test("while the request is on its way: a window may have been opened")
  func requesting() async throws {
    let stage = try await Stage.ssh()
    stage.simulator.inject(Fault(.slow(.seconds(60)), method: "POST", path: "/initiate"))
    let running = try stage.start(stage.options() + ["web1", "true"])
    try await running.wait(for: "the request") { stage.requests.count == 1 }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(10))
    expectSignal(run)
    #expect(run.error.contains("for 203.0.113.7 may have been opened"), "\(run.error)")
    #expect(stage.fileProblems.isEmpty)
  }

  @Test("while waiting for the port: what window stays open, and until when")
  func waiting() async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .seconds(1000) }
    let running = try stage.start(["-v"] + stage.options() + ["web1", "true"])
    try await running.wait(for: "the wait") { running.error.contains("Connecting to web1 [") }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(10))
    expectSignal(run)
    let words = "port \(stage.port()) of web1 stays open for 203.0.113.7 until "
    #expect(run.error.contains(words), "\(run.error)")
    #expect(stage.fileProblems.isEmpty)

    // And the next run uses that window.
    stage.simulator.change { $0.openingDelay = .zero }
  }

  @Test("on a terminal: at a question and in the wait, and the terminal is sane after")
  func onTerminal() async throws {
    let stage = try await Stage.ssh(hasPolicy: false) { $0.behaviour.openingDelay = .seconds(1000) }
    let asked = try stage.terminal(stage.options() + ["web1", "true"])
    try await asked.wait(for: "any source)? [y/N] ")
    try asked.type("\u{3}")
    #expect(try await asked.end() == .signalled(SIGINT))
    #expect(asked.screen.contains("error[interrupted]"), "\(asked.screen)")
    #expect(stage.count("PUT", "") == 0)

    let waiting = try stage.terminal(["--enable"] + stage.options() + ["web1", "true"])
    try await waiting.wait(for: "waiting for port")
    try waiting.type("\u{3}")
    #expect(try await waiting.end() == .signalled(SIGINT))
    #expect(waiting.screen.contains("stays open for 203.0.113.7 until"), "\(waiting.screen)")
  }

  @Test("in a session without a terminal: the remote command is left, nothing hangs")
  func inSession() async throws {
    let stage = try await Stage.ssh()
    let running = try stage.start(stage.options() + ["web1", "echo begun; exec sleep 100"])
    try await running.wait(for: "the command") { running.output == Array("begun\n".utf8) }
    running.signal(SIGINT)
    let run = try await running.finish(timeout: .seconds(10))
    #expect([.signalled(SIGINT), .exited(255), .exited(130)].contains(run.ending), "\(run)")
  }
}
