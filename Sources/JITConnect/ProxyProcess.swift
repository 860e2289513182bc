import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program whose standard input and output are the connection to the server.
struct ProxyProgram: Sendable {
  /// The host and port that the server is found at from there.
  struct Target: Sendable {
    var host: String
    var port: Int
  }

  var process: ChildProcess
  var target: Target
  /// For `-v`.
  var shown: String

  init(_ process: ChildProcess, to target: Target, shown: String) {
    self.process = process
    self.target = target
    self.shown = shown
  }

  /// `ProxyCommand`, run as ssh runs it: by the user's shell, which it replaces.
  init(command: String, to target: Target, _ environment: Environment) {
    var variables = environment.variables
    variables[HopStatus.variable] = nil
    // bash takes a socket on its standard input for rshd's and would read .bashrc, whose output
    // the server would get; not so in a shell below another one.
    if (variables["SHLVL"].flatMap { Int($0) } ?? 0) < 1 { variables["SHLVL"] = "1" }
    self.init(
      ChildProcess(
        path: environment["SHELL"] ?? "/bin/sh", arguments: ["-c", "exec " + command],
        environment: variables),
      to: target, shown: "exec \(command)")
  }

  /// The same as a line for a shell.
  var line: String {
    ([process.path] + process.arguments)
      .map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
  }

  /// Starts the program; its standard error is ours.
  func start() throws(Failure) -> AnsweringConnection {
    do throws(SystemError) {
      let (own, other) = try makeSocketPair()
      let socket = FileDescriptor(owning: own)
      let theirs = FileDescriptor(owning: other)
      setNonBlocking(own, true)
      let child = try process.start(
        input: theirs.number, output: theirs.number, error: STDERR_FILENO)
      return AnsweringConnection(
        socket: socket, received: [], address: nil, proxied: target, proxy: RunningProxy(child))
    } catch {
      throw Failure(
        .programFailed, what: "the proxy command cannot be started", why: "\(error)",
        next: "check \(process.path)", cause: .system(error.number))
    }
  }
}

/// A proxy program that runs, ended once and at the latest with its owner.
final class RunningProxy: Sendable {
  private let process: Mutex<Int32?>

  init(_ process: Int32) { self.process = Mutex(process) }

  deinit { end() }

  /// How the program has ended, if it does so within a moment.
  func ending() -> ChildProcess.Ending? {
    process.withLock { process in
      guard let child = process else { return nil }
      for _ in 0..<100 {
        var status: Int32 = 0
        if unsafe waitpid(child, &status, WNOHANG) == child {
          process = nil
          let isExit = status & 0x7F == 0
          return isExit ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
        }
        _ = poll(nil, 0, 10)
      }
      return nil
    }
  }

  /// Hangs up, as ssh does. The program is not waited for: it may take its time.
  func end() {
    guard let child = process.withLock({ $0.take() }) else { return }
    kill(child, SIGHUP)
    startThread { _ = ChildProcess.wait(for: child) }
  }
}
