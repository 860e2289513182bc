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

  /// Shows `text` with a running time while `body` works.
  package func during<Value: Sendable>(
    _ text: String, redrawnEvery interval: Duration = .seconds(1),
    _ body: @Sendable () async throws -> Value
  ) async throws -> Value {
    show(text)
    defer { finish() }
    return try await withoutActuallyEscaping(body) { body in
      try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
          // Cancelling ends the sleep with an error, and the loop without another redraw.
          while (try? await Task.sleep(for: interval)) != nil { self.tick() }
          return nil
        }
        defer { group.cancelAll() }
        while let result = try await group.next() {
          if let value = result { return value }
        }
        throw CancellationError()
      }
    }
  }
}
