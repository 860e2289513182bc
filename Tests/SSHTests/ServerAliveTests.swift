import Platform
import Testing

@testable import SSH

@Suite struct ServerAliveTests {
  private func login() throws -> (SSHServer, SSHSession) {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    return (server, try server.login(key))
  }

  @Test(
    "a silent server is noticed by ServerAlive, from the end of the login on",
    arguments: [.command([]), .shell, .none, .forward(host: "127.0.0.1", port: 22)]
      as [SessionRequest.Program])
  func silentServer(_ program: SessionRequest.Program) throws {
    let (server, session) = try login()
    var request = SessionRequest(program)
    if case .command = program {
      request.program = .command(Array("kill -STOP $PPID; sleep 60".utf8))
    } else {
      try runProgram("pkill", ["-STOP", "-P", String(server.process)])
    }
    request.aliveInterval = .seconds(1)
    request.aliveCountMax = 1
    let failure = #expect(throws: Failure.self) { _ = try run(request, in: session) }
    #expect(failure?.what == "Timeout, server testhost not responding")
    try runProgram("sh", ["-c", "pkill -CONT -P \(server.process); true"])
  }

  @Test("a server that answers stays, also when it is asked each second")
  func answeringServer() throws {
    let (server, session) = try login()
    var request = SessionRequest(.command(Array("sleep 4; exit 6".utf8)))
    request.aliveInterval = .seconds(1)
    request.aliveCountMax = 1
    #expect(try run(request, in: session).ending == .exited(6))
    _ = server
  }

  @Test("ServerAliveCountMax questions stay unanswered before the server counts as gone")
  func aliveCount() {
    let start = ContinuousClock.now
    var alive = ServerAlive(interval: .seconds(1), countMax: 3, now: start)
    func verdict(_ received: Int, _ milliseconds: Int) -> ServerAlive.Verdict {
      alive.check(received: received, now: start + .milliseconds(milliseconds))
    }
    #expect(verdict(0, 999) == .quiet)
    #expect(verdict(0, 1000) == .send)
    #expect(verdict(0, 1999) == .quiet)
    #expect(verdict(0, 2000) == .send)
    // One byte, and all begins anew.
    #expect(verdict(1, 2500) == .quiet)
    for second in 1...3 { #expect(verdict(1, 2500 + second * 1000) == .send) }
    #expect(verdict(1, 6499) == .quiet)
    #expect(verdict(1, 6500) == .dead)
  }
}
