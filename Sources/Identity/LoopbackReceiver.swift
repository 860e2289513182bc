import FoundationEssentials
import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Waits on a port of this machine for the form that the browser posts after a sign-in.
///
/// One answer with the right state ends it; whatever else comes, such as connections that a browser
/// opens in advance or somebody's attempts, is turned away and waited past.
final class LoopbackReceiver: Sendable {
  enum Answer: Sendable {
    case code(SecretBytes)
    case refusal(TokenRefusal)
  }

  let port: UInt16
  private let listeners: [Int32]
  private let wake: (read: Int32, write: Int32)
  private let state = Mutex(State())

  private struct State {
    var answer: Answer?
    var open = 0
    var isClosed = false
  }

  /// More than a browser ever opens.
  private static let mostConnections = 32

  /// Takes a free port, on IPv4 and, where there is that, on IPv6: browsers take either for
  /// `localhost`, so that nobody else may have the other.
  ///
  /// - Parameter listen: listens on an address.
  init(
    listen: (InternetAddress) throws(SystemError) -> Int32 = { address throws(SystemError) in
      try address.listen()
    }
  ) throws {
    var open: (listeners: [Int32], port: UInt16)?
    for _ in 0..<10 where open == nil { open = try Self.listeners(listen) }
    guard let open else { throw SystemError(EADDRINUSE) }
    guard let wake = try? makePipe() else {
      for listener in open.listeners { closeDescriptor(listener) }
      throw SystemError(EMFILE)
    }
    (listeners, port, self.wake) = (open.listeners, open.port, wake)
  }

  /// Nil where the port that IPv4 gave is somebody else's on IPv6.
  private static func listeners(
    _ listen: (InternetAddress) throws(SystemError) -> Int32
  ) throws -> (listeners: [Int32], port: UInt16)? {
    let loopback = try InternetAddress.resolve(
      "127.0.0.1", port: 0, family: .ipv4, numericOnly: true)
    guard let address = loopback.first else { throw SystemError(EADDRNOTAVAIL) }
    let first = try listen(address)
    guard let port = InternetAddress.bound(to: first)?.port else {
      closeDescriptor(first)
      throw SystemError(EADDRNOTAVAIL)
    }
    let other = try? InternetAddress.resolve("::1", port: port, family: .ipv6, numericOnly: true)
    guard let other = other?.first else { return ([first], port) }
    do throws(SystemError) {
      return ([first, try listen(other)], port)
    } catch {
      // This machine has no IPv6.
      if error.number == EAFNOSUPPORT || error.number == EADDRNOTAVAIL { return ([first], port) }
      closeDescriptor(first)
      if error.number == EADDRINUSE { return nil }
      throw error
    }
  }

  deinit {
    for listener in listeners { closeDescriptor(listener) }
    closeDescriptor(wake.read)
    closeDescriptor(wake.write)
  }

  /// Ends ``receive(state:within:)``.
  func close() {
    state.withLock { $0.isClosed = true }
    try? writeAll(wake.write, [0])
  }

  /// - Parameter expected: the state that the right answer repeats.
  /// - Throws: `sign-in-needed` when the time is over, `interrupted` when the task is cancelled.
  func receive(state expected: String, within patience: Duration) async throws(Failure) -> Answer {
    let answer: Answer?
    do {
      answer = try await withTaskCancellationHandler {
        try await Blocking.run { [self] in wait(for: expected, within: patience) }
      } onCancel: {
        close()
      }
    } catch {
      throw Failure(.systemFailed, what: "\(error)")
    }
    if let answer { return answer }
    if Task.isCancelled { throw Failure(.interrupted, what: "the sign-in was interrupted") }
    throw Failure(
      .signInNeeded, what: "the browser did not come back from the sign-in",
      why: "\(patience.components.seconds) seconds are over",
      next: "jitconnect login, or: jitconnect login --device-code")
  }

  private func wait(for expected: String, within patience: Duration) -> Answer? {
    let deadline = ContinuousClock.now + patience
    while true {
      let (answer, isClosed) = state.withLock { ($0.answer, $0.isClosed) }
      let left = deadline - .now
      if answer != nil || isClosed || left <= .zero { return answer }
      var polls = (listeners + [wake.read]).map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      let milliseconds = Int32(clamping: left.components.seconds * 1000 + 100)
      guard unsafe poll(&polls, nfds_t(polls.count), milliseconds) > 0 else { continue }
      for entry in polls where entry.revents != 0 {
        guard listeners.contains(entry.fd) else {
          _ = try? readSome(wake.read, limit: 64)
          continue
        }
        let number = accept(entry.fd, nil, nil)
        guard number >= 0 else { continue }
        closeOnExec(number)
        serve(FileDescriptor(owning: number), expected)
      }
    }
  }

  /// On a thread of its own: the browser's other connections say nothing, for long.
  private func serve(_ connection: consuming FileDescriptor, _ expected: String) {
    let mayServe = state.withLock { state in
      guard state.open < Self.mostConnections else { return false }
      state.open += 1
      return true
    }
    guard mayServe else { return }
    let number = connection.release()
    startThread { [self] in
      let connection = FileDescriptor(owning: number)
      var timeout = timeval(tv_sec: 10, tv_usec: 0)
      for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        _ = unsafe setsockopt(
          connection.number, SOL_SOCKET, option, &timeout,
          socklen_t(MemoryLayout<timeval>.size))
      }
      let request = LoopbackRequest.read(from: connection.number)
      let (page, answer) = LoopbackPage.reply(to: request, port: port, state: expected)
      // The page first: when the answer is known, the port is closed.
      try? writeAll(connection.number, page)
      _ = shutdown(connection.number, Int32(SHUT_WR))
      state.withLock { state in
        state.open -= 1
        if state.answer == nil { state.answer = answer }
      }
      if answer != nil { try? writeAll(wake.write, [0]) }
    }
  }
}

/// Under another name than the receiver's own `close`.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
