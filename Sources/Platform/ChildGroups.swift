import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The process groups of programs that run for this one and hear no Ctrl-C of its terminal.
///
/// They end with this process, however it ends: by its own exit or by ``Signals/die(of:)``.
package enum ChildGroups {
  private struct State {
    var running: Set<Int32> = []
    var isOver = false
    var isRegistered = false
  }

  private static let state = Mutex(State())

  /// Starts a program as the leader of a group of its own.
  ///
  /// - Throws: `EINTR` where this process is ending.
  static func start(_ spawn: () throws(SystemError) -> Int32) throws(SystemError) -> Int32 {
    let result = state.withLock { state -> Result<Int32, SystemError> in
      if state.isOver { return .failure(SystemError(EINTR)) }
      if !state.isRegistered {
        state.isRegistered = true
        _ = atexit { ChildGroups.end(forGood: true) }
      }
      do throws(SystemError) {
        let child = try spawn()
        state.running.insert(child)
        return .success(child)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Takes note of an end, while nobody can mean this id: as soon as it has been waited for it may
  /// be another's.
  static func reap(_ child: Int32, _ wait: () -> ChildProcess.Ending?) -> ChildProcess.Ending? {
    state.withLock { state in
      guard let ending = wait() else { return nil }
      state.running.remove(child)
      return ending
    }
  }

  /// Ends all that runs.
  ///
  /// - Parameter forGood: nothing may be started any more.
  package static func end(forGood: Bool = false) {
    state.withLock { state in
      if forGood { state.isOver = true }
      for child in state.running { kill(-child, SIGKILL) }
    }
  }
}
