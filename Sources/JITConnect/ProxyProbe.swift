import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Waits until a server answers through a proxy program, which is started again each time that it
/// ends without an answer.
///
/// One attempt at a time: it may be a login at a jump host, with a question to the user.
struct ProxyProbe: Sendable {
  private let program: ProxyProgram
  private let greeting: Greeting
  /// How long one attempt may take (`ConnectTimeout`); nil leaves it until the deadline.
  private let answerTimeout: Duration?

  /// Between the beginnings of two attempts.
  private static let interval = Duration.seconds(1)

  init(_ program: ProxyProgram, _ greeting: Greeting, answerTimeout: Duration?) {
    self.program = program
    self.greeting = greeting
    self.answerTimeout = answerTimeout
  }

  /// Blocks until the greeting has come, the deadline has passed, or `flag` is set.
  ///
  /// - Returns: nil at the deadline or when cancelled.
  func wait(
    until deadline: ContinuousClock.Instant, flag: CancellationFlag
  ) throws(Failure) -> AnsweringConnection? {
    while !flag.isCancelled, .now < deadline {
      let next = ContinuousClock.now + Self.interval
      let end = answerTimeout.map { min(.now + $0, deadline) } ?? deadline
      if let connection = try attempt(until: end, flag) { return connection }
      while !flag.isCancelled, .now < min(next, deadline) {
        _ = poll(nil, 0, min(next - .now, .milliseconds(50)).pollMilliseconds)
      }
    }
    return nil
  }

  private func attempt(
    until end: ContinuousClock.Instant, _ flag: CancellationFlag
  ) throws(Failure) -> AnsweringConnection? {
    let connection = try program.start()
    guard let socket = connection.takeSocket() else { return nil }
    var received: [UInt8] = []
    while !flag.isCancelled, .now < end {
      var ready = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&ready, 1, 50) > 0 else { continue }
      guard let bytes = try? readSome(socket.number, limit: 16 << 10), !bytes.isEmpty else {
        if let ending = connection.proxy?.ending() { try refuse(ending) }
        return nil
      }
      received += bytes
      switch greeting.examine(received) {
      case .incomplete: break
      case .ready:
        return AnsweringConnection(
          socket: socket, received: received, address: nil, proxied: program.target,
          proxy: connection.proxy)
      case .wrong(let what):
        throw Failure(
          .protocolFailed, what: "the proxy command leads somewhere, but \(what)",
          next: "run it by hand: \(program.shown)")
      }
    }
    return nil
  }

  /// Ends the wait where another attempt would only fail again.
  private func refuse(_ ending: ChildProcess.Ending) throws(Failure) {
    switch ending {
    case .exited(HopStatus.isNoWay):
      throw Failure(
        .connectionLost, what: "the way through the jump host does not stand",
        next: "connect to the jump host alone first")
    // The shell's word for what it cannot run or find.
    case .exited(126), .exited(127):
      throw Failure(
        .programFailed, what: "the proxy command cannot be run", next: "check: \(program.shown)")
    default: break
    }
  }
}
