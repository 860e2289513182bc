import Platform
import Synchronization

/// A failure that one task leaves for another.
final class Refusal: Sendable {
  private let state = Mutex<Failure?>(nil)

  func set(_ failure: Failure) { state.withLock { $0 = failure } }

  var failure: Failure? { state.withLock { $0 } }
}
