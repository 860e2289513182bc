/// Blocking work on a thread of its own, awaited: the cooperative pool is never blocked.
package enum Blocking {
  /// Runs `body` on a new thread and waits for it without blocking this task's thread.
  package static func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      startThread {
        continuation.resume(with: Result(catching: body))
      }
    }
  }
}
