import Platform
import RDP
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// RDP clients that run on our own standard streams until their users close them.
///
/// What they print goes to standard error: standard output is ours.
final class DesktopClients: Sendable {
  private struct State {
    var processes: [Int32?] = []
    var endings: [ChildProcess.Ending?] = []
    var isOver = false
  }

  private let state = Mutex(State())
  private let wake: (read: Int32, write: Int32)

  init() throws(Failure) {
    do {
      wake = try makePipe()
    } catch {
      throw Failure(.systemFailed, what: "cannot make a pipe", why: "\(error)")
    }
  }

  deinit {
    close(wake.read)
    close(wake.write)
  }

  /// Starts one.
  ///
  /// - Throws: `program-failed`, `setting-invalid`.
  func start(
    _ client: RDPClient, for session: RDPClient.Session, _ environment: Environment
  ) throws(Failure) {
    var process = ChildProcess(
      path: client.path, arguments: try client.arguments(for: session),
      environment: environment.variables)
    // No client needs what signs in to Azure.
    for name in process.environment.keys where name.hasPrefix("AZURE_") {
      process.environment[name] = nil
    }
    let child: Int32
    do {
      child = try process.start(
        input: STDIN_FILENO, output: STDERR_FILENO, error: STDERR_FILENO)
    } catch {
      throw Failure(
        .programFailed, what: "the RDP client \(client.path) cannot be started", why: "\(error)",
        next: "name another one with --open=CLIENT", cause: .system(error.number))
    }
    let index = state.withLock { state in
      state.processes.append(child)
      state.endings.append(nil)
      if state.isOver { kill(child, SIGTERM) }
      return state.processes.count - 1
    }
    startThread { [self] in
      // Its id stays its own until it is forgotten here: no signal goes to somebody else.
      var information = unsafe siginfo_t()
      _ = unsafe waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT)
      state.withLock { state in
        state.processes[index] = nil
        state.endings[index] = ChildProcess.wait(for: child)
      }
      try? writeAll(wake.write, [0])
    }
  }

  /// Passes a signal on to those that still run.
  func signal(_ number: Int32) {
    state.withLock { state in
      for case let process? in state.processes { kill(process, number) }
    }
  }

  /// Ends those that still run, and whoever is started from now on.
  func end() {
    state.withLock { $0.isOver = true }
    signal(SIGTERM)
  }

  /// Blocks until all have ended.
  ///
  /// - Parameter passesSignals: whether what would end this process goes to them instead, so that
  ///   they leave in their own way and what is left behind is cleared up.
  /// - Returns: the exit status of each, 128 and more for one that a signal ended.
  func wait(passesSignals: Bool) -> [Int32] {
    if passesSignals { Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP, SIGQUIT) }
    let signals = passesSignals ? Signals.pipe() ?? -1 : -1
    while true {
      let endings = state.withLock { $0.endings.compactMap(\.self) }
      if endings.count == state.withLock({ $0.endings.count }) { return endings.map(\.asStatus) }
      var polls = [
        pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
      ]
      guard unsafe poll(&polls, 2, -1) > 0 else { continue }
      if polls[0].revents != 0 { _ = try? readSome(wake.read, limit: 64) }
      if polls[1].revents != 0 {
        for number in Signals.arrived() where [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(number) {
          signal(number)
        }
      }
    }
  }
}

extension ChildProcess.Ending {
  /// As a shell tells it.
  fileprivate var asStatus: Int32 {
    switch self {
    case .exited(let status): status < 0 ? 1 : status
    case .signalled(let number): 128 + number
    case .timedOut: 1
    }
  }
}
