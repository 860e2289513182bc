import FoundationEssentials
import Platform
import Synchronization

/// What stays open when the user breaks off, kept up to date as the flow goes on.
final class WindowNotice: Sendable {
  private let text = Mutex<String?>(nil)
  private let opened = Mutex<Date?>(nil)

  /// When the window ends that was opened or used last.
  var end: Date? { opened.withLock { $0 } }

  /// A policy is being written.
  func enabling(_ machine: String) {
    text.withLock { $0 = "just-in-time access on \(machine) may have been enabled" }
  }

  func enabled(_ machine: String) {
    text.withLock { $0 = "just-in-time access on \(machine) is enabled; no window was requested" }
  }

  /// A request is on its way and may have been heard.
  func requested(port: Int, of machine: String, for source: String) {
    text.withLock {
      $0 = "a window to port \(port) of \(machine) for \(source) may have been opened"
    }
  }

  func opened(port: Int, of machine: String, for source: String, until end: Date, now: Date) {
    opened.withLock { $0 = end }
    text.withLock {
      $0 =
        "port \(port) of \(machine) stays open for \(source) until "
        + localTimeText(end, now: now)
    }
  }

  /// The window was closed again (`JitCloseOnExit`).
  func closed(port: Int, of machine: String) {
    text.withLock { $0 = "port \(port) of \(machine) is closed again" }
  }

  /// The interruption with what it leaves behind.
  func explaining(_ failure: Failure) -> Failure {
    var failure = failure
    failure.why = text.withLock { $0 } ?? "no window was requested"
    return failure
  }
}
