import Synchronization

/// One question after another, however many machines there are to ask about.
final class QuestionTurn: Sendable {
  private let isTaken = Mutex(())

  /// Blocks while somebody else asks.
  func take<Value>(_ ask: () -> Value) -> Value { isTaken.withLock { _ in ask() } }
}
