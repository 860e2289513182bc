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
  private let target: ForwardingPlan.Target
  private let listener: FileDescriptor
  private let stop: (read: Int32, write: Int32)
  private let standing = AsyncStream.makeStream(of: Void.self)
  private let lastRefusal = Mutex<String?>(nil)

  /// - Parameter port: the machine's RDP port.
  init(to port: Int) throws(Failure) {
    // Not "localhost", which is IPv6 to some machines.
    target = .tcp(host: "127.0.0.1", port: port)
    do {
      let free = try InternetAddress.resolve(
        "127.0.0.1", port: 0, family: .ipv4, numericOnly: true)[0]
      listener = FileDescriptor(owning: try free.listen())
      entrance = try InternetAddress.resolve(
        "127.0.0.1", port: try boundPort(of: listener.number), family: .ipv4, numericOnly: true)[0]
      stop = try makePipe()
    } catch {
      throw Failure(
        .forwardingFailed, what: "no port of loopback can be listened on", why: "\(error)")
    }
  }

  deinit {
    standing.continuation.finish()
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
    return request
  }

  /// Whether the session came to stand; false when it ended before.
  func stands() async -> Bool {
    for await _ in standing.stream { return true }
    return false
  }

  /// The session has ended, whether it stood or not.
  func sessionHasEnded() { standing.continuation.finish() }

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
