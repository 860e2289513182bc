import Synchronization

/// stderr as it stands: at most one unfinished line, the progress, which is taken away before
/// anything else is written and comes back with the next tick.
final class Screen: Sendable {
  private struct State {
    var drawn = ""
    var held = 0
  }

  private let state = Mutex(State())
  private let write: @Sendable (String) -> Void

  init(write: @escaping @Sendable (String) -> Void) { self.write = write }

  func printLines(_ text: String, lineEnd: String) {
    state.withLock { state in
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      write(Self.erasing(&state) + lines.map { $0 + lineEnd }.joined())
    }
  }

  /// Draws `line` in place of what is drawn.
  func draw(_ line: String) {
    state.withLock { state in
      guard state.held == 0, line != state.drawn else { return }
      write("\r" + line + "\u{1B}[K")
      state.drawn = line
    }
  }

  func erase() {
    state.withLock { state in
      let text = Self.erasing(&state)
      if !text.isEmpty { write(text) }
    }
  }

  /// Erases, and draws nothing until ``release()``: a question owns the terminal.
  func hold() {
    state.withLock { state in
      state.held += 1
      let text = Self.erasing(&state)
      if !text.isEmpty { write(text) }
    }
  }

  func release() { state.withLock { $0.held -= 1 } }

  private static func erasing(_ state: inout State) -> String {
    guard !state.drawn.isEmpty else { return "" }
    state.drawn = ""
    return "\r\u{1B}[K"
  }
}
