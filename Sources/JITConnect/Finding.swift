import Platform

/// What the doctor saw at one step of the way.
package struct Finding: Sendable, Equatable {
  package enum State: String, Sendable {
    case ok
    case problem
    /// It could not be seen; that is no problem by itself.
    case unknown
  }

  /// `sign-in`, `plan`, `port`, and so on: stable, for programs.
  package var check: String
  package var state: State
  package var text: String
  /// More lines, such as the rules in their order.
  package var details: [String] = []
  /// The command that mends it.
  package var next: String?

  static func ok(_ check: String, _ text: String, _ details: [String] = []) -> Finding {
    Finding(check: check, state: .ok, text: text, details: details)
  }

  static func problem(
    _ check: String, _ text: String, _ details: [String] = [], next: String? = nil
  ) -> Finding {
    Finding(check: check, state: .problem, text: text, details: details, next: next)
  }

  static func unknown(_ check: String, _ text: String, next: String? = nil) -> Finding {
    Finding(check: check, state: .unknown, text: text, next: next)
  }

  /// A step that failed. What may not be read is unknown.
  init(_ check: String, _ failure: Failure) {
    self.check = check
    state =
      [.notPermitted, .azureThrottled, .azureUnavailable].contains(failure.code)
      ? .unknown : .problem
    text = failure.description
    next = failure.next
  }

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
