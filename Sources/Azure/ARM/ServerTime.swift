package import FoundationEssentials
package import Platform
import Synchronization

/// Azure's clock, by the `Date` of its latest answer: whether a window is over is for Azure to say,
/// and this machine's clock may be minutes off.
package final class ServerTime: Sendable {
  private let offset = Mutex<TimeInterval?>(nil)

  package init() {}

  /// What to add to this machine's time to get Azure's; 0 until an answer has told.
  package var ahead: TimeInterval { offset.withLock { $0 ?? 0 } }

  /// Azure's time at a moment of this machine's.
  package func now(_ clock: WallClock) -> Date { clock.now() + ahead }

  /// Takes what an earlier run has heard, until an answer tells.
  package func assume(_ ahead: TimeInterval?) {
    guard let ahead, ahead.isFinite else { return }
    offset.withLock { $0 = $0 ?? ahead }
  }

  /// - Parameters:
  ///   - date: the server's when it answered.
  ///   - local: this machine's when the answer was read.
  package func heard(_ date: Date, at local: Date) {
    // A proxy without a clock of its own stamps nonsense.
    guard Self.plausible.contains(date) else { return }
    let ahead = date.timeIntervalSince(local)
    // The header tells whole seconds, and the answer was some time on its way.
    offset.withLock { $0 = abs(ahead) < Self.tolerance ? 0 : ahead }
  }

  private static let tolerance: TimeInterval = 3
  /// From 2024 to 2100.
  private static let plausible =
    Date(timeIntervalSince1970: 1_704_067_200)...Date(timeIntervalSince1970: 4_102_444_800)
}
