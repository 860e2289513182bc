import Platform
import Synchronization
import Terminal

/// One question after another, however many machines there are to ask about.
final class QuestionTurn: Sendable {
  /// Whether one was answered with Ctrl-C, which is meant for all that would come.
  private let isOver = Mutex(false)

  /// Blocks while somebody else asks.
  ///
  /// - Parameter flag: nobody waits for the answer any more.
  func take<Value: Sendable>(
    unless flag: CancellationFlag, _ ask: () -> Prompt.Answer<Value>
  ) -> Prompt.Answer<Value> {
    isOver.withLock { isOver in
      if isOver || flag.isCancelled { return .interrupted }
      let answer = ask()
      if case .interrupted = answer { isOver = true }
      return answer
    }
  }
}
