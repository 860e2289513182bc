import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Connect {
  /// `--stdio`: standard input and output are the connection, for somebody else's SSH.
  ///
  /// - Returns: 0 when the server has ended it.
  func carryStandardStreams(over connection: AnsweringConnection) async throws -> Int32 {
    guard let socket = connection.takeSocket() else {
      throw Failure(.connectionLost, what: "the connection is gone")
    }
    defer { connection.proxy?.end() }
    // Whoever started us ends us; nothing of ours is left to put in order.
    Signals.restoreDefault(SIGINT, SIGTERM, SIGHUP)
    // Stays open until the process ends: the thread below may still use it.
    let number = socket.release()
    let received = connection.received
    try await Blocking.run {
      startThread {
        Signals.unblock()
        copy(from: STDIN_FILENO, to: number)
        shutdown(number, Int32(SHUT_WR))
      }
      Signals.unblock()
      try writeAll(STDOUT_FILENO, received)
      copy(from: number, to: STDOUT_FILENO)
    }
    return 0
  }
}

/// Copies until the end of either side.
private func copy(from source: Int32, to target: Int32) {
  while true {
    var ready = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
    _ = unsafe poll(&ready, 1, -1)
    do throws(SystemError) {
      let bytes = try readSome(source, limit: 64 << 10)
      if bytes.isEmpty { return }
      try writeAll(target, bytes)
    } catch {
      if error.number != EAGAIN { return }
    }
  }
}
