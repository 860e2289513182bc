import Platform
import SSH
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A port of loopback that leads through an SSH session to the machine's own RDP port.
///
/// The port is taken before the session begins, so that nobody else can take it in between.
final class DesktopTunnel: Sendable {
  /// Where the desktop's client goes.
  let entrance: InternetAddress
  /// The machine's RDP port.
  let port: Int
  private let target: ForwardingPlan.Target
  private let listener: FileDescriptor
  private let stop: (read: Int32, write: Int32)
  private let standing = AsyncStream.makeStream(of: Void.self)
  private let lastRefusal = Mutex<String?>(nil)
  private let visitCount = Mutex(0)
  private let visiting = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameter port: the machine's RDP port.
  init(to port: Int) throws(Failure) {
    self.port = port
    // Not "localhost", which is IPv6 to some machines.
    target = .tcp(host: "127.0.0.1", port: port)
    do {
      listener = FileDescriptor(owning: try Self.loopback(0).listen())
      entrance = try Self.loopback(try boundPort(of: listener.number))
      stop = try makePipe()
    } catch {
      throw Failure(
        .forwardingFailed, what: "no port of loopback can be listened on", why: "\(error)")
    }
  }

  private static func loopback(_ port: UInt16) throws -> InternetAddress {
    let addresses = try InternetAddress.resolve(
      "127.0.0.1", port: port, family: .ipv4, numericOnly: true)
    guard let address = addresses.first else { throw SystemError(EADDRNOTAVAIL) }
    return address
  }

  deinit {
    standing.continuation.finish()
    visiting.continuation.finish()
    close(stop.read)
    close(stop.write)
  }

  /// What the session is for.
  var request: SessionRequest {
    var request = SessionRequest(
      .none,
      forwarding: ForwardingPlan(
        local: [ForwardingPlan.Forward(.listening(listener.number), to: target)],
        failureIsFatal: true))
    request.stop = stop.read
    request.whenStanding = { [standing] () throws(Failure) in standing.continuation.yield() }
    request.whenForwarding = { [weak self] in
      self?.visitCount.withLock { $0 += 1 }
      self?.visiting.continuation.yield()
    }
    return request
  }

  /// Whether the session came to stand; false when it ended before.
  func stands() async -> Bool {
    for await _ in standing.stream { return true }
    return false
  }

  /// The session has ended, whether it stood or not.
  func sessionHasEnded() {
    standing.continuation.finish()
    visiting.continuation.finish()
  }

  /// How many connections it has taken, our own too.
  var visits: Int { visitCount.withLock { $0 } }

  /// Waits for one more, or for the session's end.
  func visit(after count: Int) async {
    for await _ in visiting.stream where visits > count { return }
  }

  /// The session's words about the tunnel are kept for the one failure that comes of them.
  ///
  /// - Returns: whether they were.
  func keeps(_ note: String) -> Bool {
    guard note.hasPrefix("channel: open failed") else { return false }
    lastRefusal.withLock { $0 = printable(note, limit: 300) }
    return true
  }

  /// Why the last connection through it did not come about.
  var refusal: String? { lastRefusal.withLock { $0 } }

  /// Ends the session when its last connection is closed.
  func finish() { try? writeAll(stop.write, [0]) }
}
