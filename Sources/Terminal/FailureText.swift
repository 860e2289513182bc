package import Platform

/// A failure as it is shown: `jitconnect: error[code]: what: why`, then the next step on a line of
/// its own.
///
/// Further lines of `why` (a list) are indented. No line end at the end.
package func failureText(_ failure: Failure, programName: String, colours: Bool) -> String {
  let label = "error[\(printable(failure.code.rawValue))]"
  var text = "\(programName): \(colours ? Style.red.applied(to: label) : label): "
  text += printable(failure.what)
  if let why = failure.why, !why.isEmpty {
    let lines = why.split(separator: "\n", omittingEmptySubsequences: true)
      .map { printable(String($0)) }
    text += ": " + lines.joined(separator: "\n  ")
  }
  if let next = failure.next, !next.isEmpty {
    text += "\n  next: \(printable(next))"
  }
  return text
}
