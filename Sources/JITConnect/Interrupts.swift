import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Ctrl-C and its like while the flow waits for Azure or for the port.
///
/// The SSH session reads the signals itself, so it must run outside ``during(_:)``; so must a
/// prompt (``paused(_:)``), which has a terminal to restore.
package final class Interrupts: Sendable {
  private let received = Atomic<Int32>(0)
  private let pauses = Atomic<Int>(0)

  package init() {}

  /// The signal that ended the flow; nil when none did.
  package var signal: Int32? {
    let signal = received.load(ordering: .relaxed)
    return signal == 0 ? nil : signal
  }

  /// Runs `body` and cancels it when SIGINT, SIGTERM or SIGHUP arrives.
  ///
  /// - Throws: what `body` throws, or `interrupted` where a signal was the cause.
  package func during<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    Signals.watch(SIGINT, SIGTERM, SIGHUP)
    let task = Task { try await body() }
    let isOver = CancellationFlag()
    defer { isOver.cancel() }
    startThread { [self] in watch(until: isOver) { task.cancel() } }
    let result = await task.result
    if signal != nil, case .failure(let error) = result {
      if let failure = error as? Failure, failure.code == .interrupted { throw failure }
      throw Failure(.interrupted, what: "interrupted")
    }
    return try result.get()
  }

  /// Leaves the signals to `body`, which may throw `interrupted` itself.
  package func paused<Value>(_ body: () async throws -> Value) async rethrows -> Value {
    pauses.add(1, ordering: .sequentiallyConsistent)
    defer { pauses.subtract(1, ordering: .sequentiallyConsistent) }
    return try await body()
  }

  private func watch(until isOver: CancellationFlag, interrupt: () -> Void) {
    guard let pipe = Signals.pipe() else { return }
    while !isOver.isCancelled {
      var ready = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&ready, 1, 50) > 0 else { continue }
      guard !isOver.isCancelled, pauses.load(ordering: .sequentiallyConsistent) == 0 else {
        // Somebody else reads the pipe now.
        usleep(10_000)
        continue
      }
      for signal in Signals.arrived() where [SIGINT, SIGTERM, SIGHUP].contains(signal) {
        received.store(signal, ordering: .relaxed)
        interrupt()
        return
      }
    }
  }
}
