import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Connect {
  /// `--stdio`: standard input and output are the connection, for somebody else's SSH.
  ///
  /// - Returns: 0 when the server has ended it in due form.
  /// - Throws: `connection-lost` or `system-failed` where bytes may be missing.
  func carryStandardStreams(over connection: AnsweringConnection) async throws -> Int32 {
    guard let socket = connection.takeSocket() else {
      throw Failure(.connectionLost, what: "the connection is gone")
    }
    defer { connection.proxy?.end() }
    // Whoever started us ends us; nothing of ours is left to put in order.
    Signals.restoreDefaultUnlessIgnored(SIGINT, SIGTERM, SIGHUP)
    // Stays open until the process ends: the thread below may still use it.
    let number = socket.release()
    let received = connection.received
    try await Blocking.run {
      startThread {
        Signals.unblock()
        // Where the server takes no more, what it still says, or its end, tells why.
        _ = copy(from: STDIN_FILENO, to: number)
        shutdown(number, Int32(SHUT_WR))
      }
      Signals.unblock()
      do throws(SystemError) {
        try writeAll(STDOUT_FILENO, received)
      } catch {
        throw CopyProblem.writing(error).failure
      }
      if let problem = copy(from: number, to: STDOUT_FILENO) { throw problem.failure }
    }
    return 0
  }
}

private enum CopyProblem: Error {
  case reading(SystemError)
  case writing(SystemError)

  /// What it means on the way from the server.
  var failure: Failure {
    switch self {
    case .reading(let error):
      Failure(.connectionLost, what: "the connection was lost", why: "\(error)")
    case .writing(let error):
      Failure(
        .systemFailed, what: "standard output cannot be written", why: "\(error)",
        cause: .system(error.number))
    }
  }
}

/// Copies until the source ends; nil then.
private func copy(from source: Int32, to target: Int32) -> CopyProblem? {
  while true {
    var ready = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
    _ = unsafe poll(&ready, 1, -1)
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try readSome(source, limit: 64 << 10)
    } catch {
      if error.number == EAGAIN { continue }
      return .reading(error)
    }
    if bytes.isEmpty { return nil }
    do throws(SystemError) {
      try writeAll(target, bytes)
    } catch {
      return .writing(error)
    }
  }
}
