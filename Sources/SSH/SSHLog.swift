/// Where the session's own words go: `-v` lines and notes to the user.
///
/// No packet contents and no secrets are ever passed here; text of the server has gone through
/// `printable`.
package struct SSHLog: Sendable {
  /// Lines of `-v` (1), `-vv` (2) and `-vvv` (3), already headed `debug1: ` and so on.
  package var debug: @Sendable (Int, String) -> Void
  /// What ssh says on standard error unless `-q`.
  package var note: @Sendable (String) -> Void
  /// Whether that is to hold what ssh says at its level INFO: banners, keys that were added,
  /// "Connection to … closed.".
  package var tellsInformation: Bool
  /// The highest level that `debug` wants, so that costly lines are not made for nobody.
  package var level: Int
  /// How keys are named in those lines.
  package var fingerprintHash = FingerprintHash.sha256

  package init(
    level: Int = 0, debug: @escaping @Sendable (Int, String) -> Void = { _, _ in },
    note: @escaping @Sendable (String) -> Void = { _ in }, tellsInformation: Bool = true
  ) {
    self.level = level
    self.debug = debug
    self.note = note
    self.tellsInformation = tellsInformation
  }

  /// A word of ssh's level INFO.
  func information(_ text: String) {
    if tellsInformation { note(text) }
  }

  func debug1(_ text: @autoclosure () -> String) { write(1, text) }
  func debug2(_ text: @autoclosure () -> String) { write(2, text) }
  func debug3(_ text: @autoclosure () -> String) { write(3, text) }

  private func write(_ level: Int, _ text: () -> String) {
    if level <= self.level { debug(level, "debug\(level): \(text())") }
  }
}
