package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The two sides of `-f`: a process that people and scripts wait for, and the session that stays
/// when it has ended.
///
/// The first starts the program once more and waits at a pipe; the second does everything, asks
/// what is to be asked, and reports when the session stands.
package struct Background: Sendable {
  /// Holds the id of the process that waits, so that a variable which has strayed means nothing.
  private static let variable = "JITCONNECT_SESSION_OF"

  private let report: Int32

  /// The session's side, where this process was started as one. Takes the variable out of the
  /// environment: to be called once, before there are other threads.
  package static func inherited() -> Background? {
    guard let value = unsafe getenv(variable) else { return nil }
    let parent = unsafe Int32(String(cString: value))
    unsafe unsetenv(variable)
    let descriptor = OwnProcess.inheritedDescriptor
    var status = stat()
    guard parent == getppid(), unsafe fstat(descriptor, &status) == 0,
      status.st_mode & S_IFMT == S_IFIFO
    else { return nil }
    closeOnExec(descriptor)
    return Background(report: descriptor)
  }

  // MARK: The side that waits

  /// Starts the session and waits until it stands or has failed.
  ///
  /// - Returns: the exit status: 0, or the session's where it ended before.
  package static func start() throws(Failure) -> Int32 {
    do throws(SystemError) {
      // What reaches this process is meant for the session.
      Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP, SIGQUIT)
      let ends = try makePipe()
      let read = FileDescriptor(owning: ends.read)
      let write = FileDescriptor(owning: ends.write)
      let session = try OwnProcess.startAgain(
        variable: "\(variable)=\(getpid())", descriptor: write.number)
      _ = consume write
      return wait(for: session, at: read.number)
    } catch {
      throw Failure(
        .systemFailed, what: "cannot go to the background", why: "\(error)",
        cause: .system(error.number))
    }
  }

  private static func wait(for session: Int32, at report: Int32) -> Int32 {
    while true {
      var polls = [
        pollfd(fd: report, events: Int16(POLLIN), revents: 0),
        pollfd(fd: Signals.pipe() ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      guard unsafe poll(&polls, 2, -1) > 0 else { continue }
      if polls[1].revents != 0 {
        for signal in Signals.arrived() { kill(session, signal) }
      }
      guard polls[0].revents != 0 else { continue }
      if let bytes = try? readSome(report, limit: 1), !bytes.isEmpty { return 0 }
      switch ChildProcess.wait(for: session) {
      case .exited(let status): return status
      case .signalled(let signal):
        Signals.die(of: signal)
        return 255
      case .timedOut: return 255
      }
    }
  }

  // MARK: The session's side

  /// Leaves terminal and standard streams and lets the waiting process end.
  ///
  /// - Parameter keepsErrors: ssh goes on writing its debug text to standard error.
  func leave(keepsErrors: Bool) throws(Failure) {
    do throws(SystemError) {
      _ = setsid()
      let null = FileDescriptor(
        owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
      for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
      where descriptor != STDERR_FILENO || !keepsErrors {
        _ = try valueOrSystemError { dup2(null.number, descriptor) }
      }
      try writeAll(report, [1])
    } catch {
      throw Failure(
        .systemFailed, what: "cannot go to the background", why: "\(error)",
        cause: .system(error.number))
    }
    close(report)
  }
}
