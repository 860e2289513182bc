import Platform

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An ssh-agent of the test's own; gone with its owner.
final class Agent: Sendable {
  let socket: String
  private let process: Int32

  init(folder: String) throws {
    socket = "\(folder)/agent"
    let null = FileDescriptor(owning: unsafe open("/dev/null", O_RDWR | O_CLOEXEC))
    process = try ChildProcess(
      path: "/usr/bin/ssh-agent", arguments: ["-D", "-a", socket],
      environment: ["PATH": "/usr/bin:/bin"]
    ).start(input: null.number, output: null.number, error: null.number)
    let deadline = ContinuousClock.now + .seconds(10)
    // The socket is there before anybody listens at it.
    while (try? connectToUnixSocket(socket).number) == nil {
      guard ContinuousClock.now < deadline else { throw TestProblem("ssh-agent did not come up") }
      _ = poll(nil, 0, 5)
    }
  }

  deinit {
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
  }

  func add(_ key: String) throws {
    try runProgram("ssh-add", ["-q", key], environment: ["SSH_AUTH_SOCK": socket])
  }
}
