package import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A connection that has answered: the session goes on with it.
package final class AnsweringConnection: Sendable {
  private let socket: Mutex<FileDescriptor?>
  /// What the server has sent so far.
  package let received: [UInt8]
  /// Nil where a proxy stands between.
  package let address: InternetAddress?
  /// Where the proxy leads; nil where none stands between.
  let proxied: ProxyProgram.Target?
  /// The program that carries the connection; it ends with ``RunningProxy/end()``, and with this.
  let proxy: RunningProxy?

  init(
    socket: consuming FileDescriptor, received: [UInt8], address: InternetAddress?,
    proxied: ProxyProgram.Target? = nil, proxy: RunningProxy? = nil
  ) {
    self.socket = Mutex(socket)
    self.received = received
    self.address = address
    self.proxied = proxied
    self.proxy = proxy
  }

  /// Gives the socket away, which does not block; nil the second time.
  package func takeSocket() -> FileDescriptor? {
    socket.withLock { $0.take() }
  }
}

/// How a server shows that it is there.
package struct Greeting: Sendable {
  package enum Verdict: Sendable, Equatable {
    case incomplete
    case ready
    /// Somebody else answers on this port.
    case wrong(String)
  }

  /// What the client sends first; ssh's server speaks first.
  package var hello: [UInt8]
  package var examine: @Sendable ([UInt8]) -> Verdict
  /// Whether a connection that stands is answer enough.
  package var isConnection = false

  package init(hello: [UInt8], examine: @escaping @Sendable ([UInt8]) -> Verdict) {
    self.hello = hello
    self.examine = examine
  }

  /// Whatever listens: that the connection stands is the answer.
  package static let anything: Greeting = {
    var greeting = Greeting(hello: []) { _ in .ready }
    greeting.isConnection = true
    return greeting
  }()

  /// An SSH server's identification line, after at most 64 KiB of other lines (RFC 4253 §4.2).
  package static let ssh = Greeting(hello: []) { bytes in
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let unfinished = lines.removeLast()
    let marker = Array("SSH-".utf8)
    if lines.contains(where: { $0.starts(with: marker) }) { return .ready }
    if bytes.count > 64 << 10 || (lines.isEmpty && unfinished.count > 8 << 10) {
      return .wrong("the server does not speak SSH")
    }
    return .incomplete
  }
}

/// Waits until a port really answers, with overlapping connection attempts.
///
/// A closed network security group drops SYNs, so that a single attempt would sleep in the
/// kernel's exponential back-off after the port has opened. A new attempt starts every 250 ms,
/// lives for a second, and at most four live at once.
package struct PortProbe: Sendable {
  package var address: InternetAddress
  package var greeting: Greeting
  /// The local address to come from (`-b`).
  package var local: InternetAddress?
  /// How long one server may take from the connection to its greeting (`ConnectTimeout`).
  package var answerTimeout: Duration = .seconds(20)
  package var interval: Duration = .milliseconds(250)
  package var attemptLifetime: Duration = .seconds(1)
  package var mostAttempts = 4

  package init(_ address: InternetAddress, _ greeting: Greeting) {
    self.address = address
    self.greeting = greeting
  }

  /// Looks names up on a thread that may wait.
  ///
  /// - Parameter local: the local address to come from; nil leaves it to the system.
  static func resolving(
    _ address: String, port: Int, _ greeting: Greeting,
    from local: @escaping @Sendable (InternetAddress) throws(Failure) -> InternetAddress? = {
      _ in nil
    }
  ) async throws(Failure) -> PortProbe {
    guard let port = UInt16(exactly: port), port > 0 else {
      throw Failure(.usage, what: "\(port) is no port", next: "give a port from 1 to 65535")
    }
    let found = await outcomeOfBlocking { () throws(Failure) -> PortProbe in
      let target = try InternetAddress.resolve(address, port: port, family: .ipv4)[0]
      var probe = PortProbe(target, greeting)
      probe.local = try local(target)
      return probe
    }
    return try found.get()
  }

  private struct Attempt {
    var socket: Int32
    var deadline: ContinuousClock.Instant
    var isConnected = false
    var received: [UInt8] = []
  }

  /// Blocks until the greeting has come, the deadline has passed, or `flag` is set.
  ///
  /// - Returns: nil at the deadline or when cancelled.
  /// - Throws: when something answers that is not the awaited server, or the network says no in a
  ///   way that waiting cannot change.
  package func wait(
    until deadline: ContinuousClock.Instant, flag: CancellationFlag
  ) throws(Failure) -> AnsweringConnection? {
    var attempts: [Attempt] = []
    defer { for attempt in attempts { close(attempt.socket) } }
    var nextStart = ContinuousClock.now
    while !flag.isCancelled {
      let now = ContinuousClock.now
      guard now < deadline else { return nil }
      for attempt in attempts where attempt.deadline <= now { close(attempt.socket) }
      attempts.removeAll { $0.deadline <= now }
      // While a server is about to greet, nobody else knocks: sshd counts unfinished ones.
      let isAnswered = attempts.contains(where: \.isConnected)
      if now >= nextStart, attempts.count < mostAttempts, !isAnswered {
        nextStart = now + interval
        if let attempt = try start(at: now) { attempts.append(attempt) }
      }
      var polls = attempts.map {
        pollfd(fd: $0.socket, events: Int16($0.isConnected ? POLLIN : POLLOUT), revents: 0)
      }
      let pause = min(max(nextStart - now, .milliseconds(1)), .milliseconds(50))
      _ = unsafe poll(&polls, nfds_t(polls.count), pause.pollMilliseconds)
      for index in polls.indices.reversed() where polls[index].revents != 0 {
        switch try advance(&attempts[index]) {
        case .ready:
          let attempt = attempts.remove(at: index)
          return AnsweringConnection(
            socket: FileDescriptor(owning: attempt.socket), received: attempt.received,
            address: address)
        case .gone:
          close(attempts.remove(at: index).socket)
        case .going:
          break
        }
      }
    }
    return nil
  }

  private func start(at now: ContinuousClock.Instant) throws(Failure) -> Attempt? {
    do {
      let socket = try address.startConnecting(from: local)
      return Attempt(socket: socket, deadline: now + attemptLifetime)
    } catch {
      // A refusal on loopback comes at once; it is "not yet", like a dropped packet.
      if [ECONNREFUSED, ETIMEDOUT, ECONNRESET, EAGAIN].contains(error.number) { return nil }
      throw Failure(
        .hostUnreachable, what: "connect to host \(address.host) port \(address.port)",
        why: error.description, next: "check the network of this machine",
        cause: .system(error.number))
    }
  }

  private enum Progress { case going, ready, gone }

  private func advance(_ attempt: inout Attempt) throws(Failure) -> Progress {
    guard attempt.isConnected else {
      if connectionError(of: attempt.socket) != nil { return .gone }
      if greeting.isConnection { return .ready }
      attempt.isConnected = true
      attempt.deadline = .now + answerTimeout
      if !greeting.hello.isEmpty, (try? writeAll(attempt.socket, greeting.hello)) == nil {
        return .gone
      }
      return .going
    }
    guard let bytes = try? readSome(attempt.socket, limit: 16 << 10), !bytes.isEmpty else {
      return .gone
    }
    attempt.received += bytes
    switch greeting.examine(attempt.received) {
    case .incomplete: return .going
    case .ready: return .ready
    case .wrong(let what):
      throw Failure(
        .protocolFailed, what: "\(address) answers, but \(what)",
        next: "check the port: -p NUMBER, or Port in the configuration")
    }
  }
}

extension Duration {
  /// Rounded up to whole milliseconds, for `poll`.
  var pollMilliseconds: Int32 {
    let (seconds, attoseconds) = components
    let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return Int32(clamping: milliseconds)
  }
}
