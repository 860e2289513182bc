import Platform

/// A wait as one line: what is waited for, and since when.
package struct ProgressLine: Sendable, Equatable {
  /// "waiting for port 22 of web1".
  package var text: String
  package var elapsed: Duration

  package init(_ text: String, elapsed: Duration = .zero) {
    self.text = text
    self.elapsed = elapsed
  }

  /// The line for a terminal of that width, one column short of it: in the last column a terminal
  /// would wrap.
  ///
  /// The time is never cut.
  package func drawn(width: Int, programName: String) -> String {
    let text = "\(programName): \(printable(text))"
    let room = max(width - 1, 0)
    guard elapsed >= .seconds(1) else { return fitted("\(text) …", to: room) }
    let time = elapsedText(elapsed)
    let whole = "\(text) … \(time)"
    guard displayWidth(whole) > room else { return whole }
    return fitted("\(fitted(text, to: max(room - displayWidth(time) - 1, 0))) \(time)", to: room)
  }
}

/// Whole seconds as `12 s`, from two minutes on `2 min 05 s`.
package func elapsedText(_ elapsed: Duration) -> String {
  let seconds = max(elapsed.components.seconds, 0)
  guard seconds >= 120 else { return "\(seconds) s" }
  let rest = seconds % 60
  return "\(seconds / 60) min \(rest < 10 ? "0" : "")\(rest) s"
}
