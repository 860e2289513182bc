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
  /// - Throws: what `body` throws, `interrupted` where a signal was the cause, or `system-failed`.
  package func during<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let isOver = CancellationFlag()
    defer { isOver.cancel() }
    let alarm = Alarm()
    // Before anything else: signals that nobody reads would make a process that cannot be ended,
    // where the system gives no more threads.
    guard startThreadIfPossible({ [self] in watch(until: isOver, alarm) }) else {
      throw Failure(
        .systemFailed, what: "cannot start a thread", why: "\(SystemError(EAGAIN))",
        next: "ulimit -u shows the limit", cause: .system(EAGAIN))
    }
    Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP)
    let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
      let first = FirstResult<Value>(continuation)
      let task = Task { try await body() }
      Task { first.give(await task.result) }
      alarm.whenRung {
        task.cancel()
        ChildGroups.end()
        usleep(Self.grace)
        first.give(.failure(Failure(.interrupted, what: "interrupted")))
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

  private func watch(until isOver: CancellationFlag, _ alarm: Alarm) {
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
        alarm.ring()
        // Nothing that was asked to end takes this long, unless it cannot run at all.
        for _ in 0..<30 where !isOver.isCancelled { usleep(50_000) }
        if !isOver.isCancelled { Signals.die(of: signal) }
        return
      }
    }
  }
}

/// Calls its one handler when it is rung, or at once where it has been.
private final class Alarm: Sendable {
  private struct State {
    var isRung = false
    var handler: (@Sendable () -> Void)?
  }
  private let state = Mutex(State())

  func ring() {
    let handler = state.withLock { state in
      state.isRung = true
      return state.handler.take()
    }
    handler?()
  }

  func whenRung(_ handler: @escaping @Sendable () -> Void) {
    let isRung = state.withLock { state in
      if !state.isRung { state.handler = handler }
      return state.isRung
    }
    if isRung { handler() }
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
