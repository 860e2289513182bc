import Platform
import SSHConfig

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `LocalCommand`: a command of the user's own, run here when the session stands.
struct LocalCommand: Sendable {
  var text: String
  var environment: Environment

  /// Nil where there is none, or it is not permitted.
  ///
  /// - Parameter tokens: those of the connection that was made.
  init?(
    _ options: SSHOptions, _ tokens: SSHTokens, _ environment: Environment
  ) throws(Failure) {
    guard options.permitLocalCommand, let command = options.localCommand else { return nil }
    do {
      text = try tokens.expand(command, .localCommand)
    } catch {
      throw Failure(.configInvalid, what: "LocalCommand: \(error.lines.joined(separator: "; "))")
    }
    self.environment = environment
  }

  /// Runs it on our own standard streams and waits; its status counts for nothing, as with ssh.
  func run() throws(SystemError) {
    let shell = environment["SHELL"] ?? "/bin/sh"
    let process = ChildProcess(
      path: shell, arguments: ["-c", text], environment: environment.withoutSecrets)
    let child = try process.start(
      input: STDIN_FILENO, output: STDOUT_FILENO, error: STDERR_FILENO)
    _ = ChildProcess.wait(for: child)
  }
}
