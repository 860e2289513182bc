import Synchronization

/// Draws a ``ProgressLine`` in place on a terminal and takes it away at the end; silent where
/// stderr is no terminal or `-q` was given.
///
/// Any thread may call it.
package final class Progress: Sendable {
  private struct Stage {
    var text: String
    var since: ContinuousClock.Instant
  }

  private let console: Console
  private let stage = Mutex<Stage?>(nil)

  package init(_ console: Console) { self.console = console }

  /// A new thing is waited for; its time starts at `now`.
  package func show(_ text: String, now: ContinuousClock.Instant = .now) {
    stage.withLock { $0 = Stage(text: text, since: now) }
    tick(now: now)
  }

  /// Draws the time anew.
  ///
  /// To be called about once a second.
  package func tick(now: ContinuousClock.Instant = .now) {
    guard console.errorIsTerminal, !console.isQuiet else { return }
    stage.withLock { stage in
      guard let stage else { return }
      let line = ProgressLine(stage.text, elapsed: now - stage.since)
      console.screen.draw(line.drawn(width: console.width, programName: console.programName))
    }
  }

  /// Takes the line away.
  package func finish() {
    stage.withLock { stage in
      stage = nil
      console.screen.erase()
    }
  }

  /// Draws the time anew every second until the task is cancelled.
  package func ticking() -> Task<Void, Never> {
    Task {
      while (try? await Task.sleep(for: .seconds(1))) != nil { tick() }
    }
  }
}
