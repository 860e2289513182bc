package import Platform

/// What the doctor saw at one step of the way.
package struct Finding: Sendable, Equatable {
  package enum State: String, Sendable {
    case ok
    case problem
    /// It could not be seen; that is no problem by itself.
    case unknown
  }

  /// An action of Azure's that the step is about, the resource it is on, and which of Azure's own
  /// roles has it.
  package struct Right: Sendable, Equatable {
    package var action: String
    package var scope: String
    package var role: String?
  }

  /// `sign-in`, `plan`, `port`, and so on: stable, for programs.
  package var check: String
  package var state: State
  /// One line.
  package var text: String
  /// More lines, such as the rules in their order, or why it could not be seen.
  package var details: [String] = []
  /// The command that mends it.
  package var next: String?
  /// The failure's, where one is the reason.
  package var code: Failure.Code?
  package var right: Right?

  static func ok(_ check: String, _ text: String, _ details: [String] = []) -> Finding {
    Finding(check: check, state: .ok, text: text, details: details)
  }

  static func problem(
    _ check: String, _ text: String, _ details: [String] = [], next: String? = nil
  ) -> Finding {
    Finding(check: check, state: .problem, text: text, details: details, next: next)
  }

  static func unknown(
    _ check: String, _ text: String, _ details: [String] = [], next: String? = nil
  ) -> Finding {
    Finding(check: check, state: .unknown, text: text, details: details, next: next)
  }

  /// A step that failed. What may not be read, or found no answer, is unknown.
  init(_ check: String, _ failure: Failure) {
    self.check = check
    state = Self.hidingCodes.contains(failure.code) ? .unknown : .problem
    text = failure.what
    details = Self.lines(of: failure)
    next = failure.next
    code = failure.code
  }

  /// A step that cannot be seen because an earlier one failed.
  static func unseen(_ check: String, _ failure: Failure, _ details: [String] = []) -> Finding {
    let reason =
      switch failure.code {
      // What went wrong stands in full where it did.
      case .signInNeeded, .signInRefused, .tokenStoreUnavailable: "nobody is signed in"
      case .networkFailed: "Azure cannot be reached"
      default: failure.what
      }
    var finding = Finding.unknown(check, "not seen: \(reason)", details)
    finding.code = failure.code
    return finding
  }

  /// The reason of a failure, in lines.
  static func lines(of failure: Failure) -> [String] {
    (failure.why ?? "").split(separator: "\n").map(String.init)
  }

  private static let hidingCodes: [Failure.Code] = [
    .notPermitted, .azureThrottled, .azureUnavailable, .azureAnswerInvalid, .networkFailed,
    .signInNeeded, .signInRefused,
  ]

  private init(
    check: String, state: State, text: String, details: [String] = [], next: String? = nil
  ) {
    self.check = check
    self.state = state
    self.text = text
    self.details = details
    self.next = next
  }
}
