#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private final class ThreadBody {
  let run: @Sendable () -> Void
  init(run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a detached thread. Where the system refuses one (a limit), a thread of the concurrency
/// runtime serves: never the caller's own, which may hold a lock that `body` wants.
package func startThread(_ body: @escaping @Sendable () -> Void) {
  if !startThreadIfPossible(body) { Task.detached { body() } }
}

/// Starts a detached thread.
///
/// - Returns: whether the system gave one.
package func startThreadIfPossible(_ body: @escaping @Sendable () -> Void) -> Bool {
  var attributes = pthread_attr_t()
  unsafe pthread_attr_init(&attributes)
  defer { unsafe pthread_attr_destroy(&attributes) }
  unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  let box = unsafe Unmanaged.passRetained(ThreadBody(run: body))
  #if canImport(Darwin)
    var thread: pthread_t?
  #else
    var thread = pthread_t()
  #endif
  let result = unsafe pthread_create(&thread, &attributes, threadMain, box.toOpaque())
  if result != 0 { unsafe box.release() }
  return result == 0
}

#if canImport(Darwin)
  private let threadMain: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = {
    unsafe Unmanaged<ThreadBody>.fromOpaque($0).takeRetainedValue().run()
    return nil
  }
#else
  private let threadMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
    guard let context = unsafe $0 else { return nil }
    unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
    return nil
  }
#endif
