package import Platform
import Synchronization

/// What a jump host's child tells the process that started it, beside what the user reads: whether
/// the port behind the host may still open, or the way to the host itself failed.
///
/// Otherwise each second of the wait would be one more failed login at the jump host, or at one of
/// those before it.
package final class HopStatus: Sendable {
  /// Set for the children that carry a jump.
  static let variable = "JITCONNECT_IS_HOP"

  package static let isNoWay: Int32 = 254

  private let hasLoggedIn = Atomic(false)

  package init() {}

  /// The jump host has let us in: what fails from here on is the connection behind it.
  func arrive() { hasLoggedIn.store(true, ordering: .relaxed) }

  /// Whether this process carries a jump; what it starts does not.
  package static func takeOrder(from environment: inout Environment) -> Bool {
    environment.variables.removeValue(forKey: variable) == "1"
  }

  /// The exit status of a process that carries a jump after a failure; nil where that says nothing.
  package var status: Int32? { hasLoggedIn.load(ordering: .relaxed) ? nil : Self.isNoWay }
}
