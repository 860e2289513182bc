import FoundationEssentials
import Platform
import Synchronization

/// What stays open when the user breaks off, kept up to date as the flow goes on.
final class WindowNotice: Sendable {
  private let text = Mutex<String?>(nil)

  /// A request is on its way and may have been heard.
  func requested(port: Int, of machine: String, for source: String) {
    text.withLock {
      $0 = "a window to port \(port) of \(machine) for \(source) may have been opened"
    }
  }

  func opened(port: Int, of machine: String, for source: String, until end: Date, now: Date) {
    text.withLock {
      $0 =
        "port \(port) of \(machine) stays open for \(source) until "
        + localTimeText(end, now: now)
    }
  }

  /// The interruption with what it leaves behind.
  func explaining(_ failure: Failure) -> Failure {
    guard let left = text.withLock({ $0 }) else { return failure }
    var failure = failure
    failure.why = left
    return failure
  }
}
