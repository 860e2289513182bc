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
  private let remains = Mutex<(@Sendable () -> String?)?>(nil)

  package init() {}

  /// What an interruption from now on leaves behind, asked when it comes.
  func leaving(_ text: @escaping @Sendable () -> String?) { remains.withLock { $0 = text } }

  /// The signal that ended the flow; nil when none did.
  package var signal: Int32? {
    let signal = received.load(ordering: .relaxed)
    return signal == 0 ? nil : signal
  }

  /// What is left to steps that do not hear of it at once, such as another program that is run.
  private static let grace: useconds_t = 500_000

  /// Runs `body` and cancels it when SIGINT, SIGTERM or SIGHUP arrives; it is not waited for long
  /// then.
  ///
  /// - Throws: what `body` throws, or `interrupted` where a signal was the cause.
  package func during<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP)
    let task = Task { try await body() }
    let isOver = CancellationFlag()
    defer { isOver.cancel() }
    let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
      let first = FirstResult<Value>(continuation)
      Task { first.give(await task.result) }
      startThread { [self] in
        watch(until: isOver) {
          task.cancel()
          ChildGroups.end()
          usleep(Self.grace)
          first.give(.failure(Failure(.interrupted, what: "interrupted")))
        }
      }
    }
    if signal != nil {
      // Of what the interrupted step had to say only what it leaves behind is of interest, not the
      // call that broke off.
      var interruption = Failure(.interrupted, what: "interrupted", why: remains.withLock { $0 }?())
      if case .failure(let failure as Failure) = result, failure.code == .interrupted,
        failure.cause == nil
      {
        interruption.why = failure.why ?? interruption.why
      }
      throw interruption
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

/// The first of several results is taken; the others come too late.
private final class FirstResult<Value: Sendable>: Sendable {
  private let continuation: Mutex<CheckedContinuation<Result<Value, any Error>, Never>?>

  init(_ continuation: CheckedContinuation<Result<Value, any Error>, Never>) {
    self.continuation = Mutex(continuation)
  }

  func give(_ result: Result<Value, any Error>) {
    continuation.withLock { $0.take() }?.resume(returning: result)
  }
}
