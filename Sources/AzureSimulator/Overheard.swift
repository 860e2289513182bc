import Synchronization

/// How much real clients have said to a simulated desktop, in TLS where there is TLS.
package final class Overheard: Sendable {
  private let state = Mutex((connections: 0, count: 0))

  package init() {}

  /// How many have come.
  package var connections: Int { state.withLock { $0.connections } }
  /// In bytes.
  package var count: Int { state.withLock { $0.count } }

  package func forget() { state.withLock { $0 = (0, 0) } }

  func connect() { state.withLock { $0.connections += 1 } }
  func hear(_ count: Int) { state.withLock { $0.count += count } }
}
