import CPlatform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Signals as bytes in a pipe, so that they are handled in a loop and not in a handler.
package enum Signals {
  /// The end to poll and read: one byte, the signal's number, for each that arrived. One per
  /// process. Nil where the system refused a pipe.
  package static func pipe() -> Int32? {
    let descriptor = platform_signal_pipe()
    return descriptor < 0 ? nil : descriptor
  }

  /// Reports these through the pipe from now on.
  package static func watch(_ signals: Int32...) {
    for signal in signals { _ = platform_signal_watch(signal) }
  }

  /// Reports these through the pipe, except what the process was started to ignore (nohup).
  package static func watchUnlessIgnored(_ signals: Int32...) {
    for signal in signals where platform_signal_is_ignored(signal) == 0 { watch(signal) }
  }

  /// Gives these their default action again.
  package static func restoreDefault(_ signals: Int32...) {
    for signal in signals { _ = platform_signal_default(signal) }
  }

  /// Gives these their default action again, except what the process was started to ignore.
  package static func restoreDefaultUnlessIgnored(_ signals: Int32...) {
    for signal in signals where platform_signal_is_ignored(signal) == 0 { restoreDefault(signal) }
  }

  /// Lets every signal through to this thread: who started us may have left some blocked, and no
  /// thread of the concurrency runtime takes any.
  package static func unblock() {
    var mask = sigset_t()
    unsafe sigemptyset(&mask)
    unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
  }

  /// Ends the process by this signal, as if it had never been handled: a shell that runs a loop of
  /// commands then sees that its user wants out. Returns only where the system refuses.
  package static func die(of signal: Int32) {
    ChildGroups.end(forGood: true)
    restoreDefault(signal)
    // The threads of the concurrency runtime block every signal.
    var mask = sigset_t()
    unsafe sigemptyset(&mask)
    unsafe sigaddset(&mask, signal)
    unsafe pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    raise(signal)
  }

  /// Stops the process group, as Ctrl-Z does; returns when it goes on.
  ///
  /// A signal to the process may stop another thread first, while this one runs on for a moment:
  /// long enough to set a terminal that is the shell's by then. So the others of the group get it
  /// while it means nothing here, and then this very thread does.
  package static func suspend() {
    guard platform_signal_is_ignored(SIGTSTP) == 0 else { return }
    ignore(SIGTSTP)
    kill(0, SIGTSTP)
    restoreDefault(SIGTSTP)
    var mask = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&mask)
    unsafe sigaddset(&mask, SIGTSTP)
    unsafe pthread_sigmask(SIG_UNBLOCK, &mask, &before)
    pthread_kill(pthread_self(), SIGTSTP)
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  /// Ignores these.
  package static func ignore(_ signals: Int32...) {
    for signal in signals { _ = platform_signal_ignore(signal) }
  }

  /// The signals that have arrived; does not wait.
  package static func arrived() -> [Int32] {
    guard let descriptor = pipe() else { return [] }
    let signals = ((try? readSome(descriptor, limit: 64)) ?? []).map { Int32($0) }
    if let end = signals.first(where: { [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains($0) }) {
      lastEnd.store(end, ordering: .relaxed)
    }
    return signals
  }

  private static let lastEnd = Atomic<Int32>(0)

  /// The last signal that asked this process to end; nil where none has arrived.
  package static var end: Int32? {
    _ = arrived()
    let signal = lastEnd.load(ordering: .relaxed)
    return signal == 0 ? nil : signal
  }
}
