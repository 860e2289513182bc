import CLibSSH2
import Platform

/// What a person answers: a password, or the server's own questions.
extension Authenticator {
  func tryPassword() throws(Failure) -> Turn {
    guard !plan.isBatch, passwordTries < plan.passwordPrompts else { return .exhausted }
    if passwordTries > 0 { log.note("Permission denied, please try again.") }
    guard let password = try prompts.secret("\(user)'s password: ") else { return .exhausted }
    passwordTries += 1
    if passwordTries == 1 { tried.append("password") }
    let result: AttemptResult
    do {
      result = try attempt { [user = plan.user] in $0.handle.tryPassword(password, user: user) }
    } catch {
      guard error.cause == .libssh2(Int(LIBSSH2_ERROR_PASSWORD_EXPIRED)) else { throw error }
      throw Failure(
        .authenticationFailed, what: "\(user): the password has expired",
        why: "changing it during the login is not built in",
        next: "use --client openssh, or change it on the server", cause: error.cause)
    }
    if case .accepted = result { return .accepted }
    return turn(isFirst: passwordTries == 1)
  }

  func tryInteractive() throws(Failure) -> Turn {
    guard !plan.isBatch, interactiveTries < plan.passwordPrompts else { return .exhausted }
    interactiveTries += 1
    if interactiveTries == 1 { tried.append("keyboard-interactive") }
    var rounds = 0
    var gaveUp = false
    var problem: Failure?
    let asked = prompts
    let (name, log) = (user, self.log)
    session.context.answerPrompts = { round in
      rounds += round.prompts.isEmpty ? 0 : 1
      for text in [round.name, round.instruction] where !text.isEmpty {
        for line in text.split(separator: "\n") { log.note(printable(String(line), limit: 1000)) }
      }
      var answers: [SecretBytes] = []
      for prompt in round.prompts {
        // Headed with who asks, so that a server's question cannot pass for a local one.
        let text = "(\(name)) \(printable(prompt.text, limit: 500)) "
        do throws(Failure) {
          if gaveUp { return nil }
          let answer =
            prompt.echo
            ? try asked.line(text).map { SecretBytes(Array($0.utf8)) } : try asked.secret(text)
          guard let answer else {
            gaveUp = true
            return nil
          }
          answers.append(answer)
        } catch {
          problem = error
          gaveUp = true
          return nil
        }
      }
      return answers
    }
    defer { session.context.answerPrompts = nil }
    let result = try attempt { [user = plan.user] session -> Step<AttemptResult> in
      session.handle.tryInteractive(user: user)
    }
    if let problem { throw problem }
    if case .accepted = result { return .accepted }
    if isPartialSuccess == true { return .partial }
    if gaveUp || rounds == 0 && interactiveTries > 1 { return .exhausted }
    return turn(isFirst: interactiveTries == 1)
  }

  /// What a refusal means where it may have been one of several factors.
  private func turn(isFirst: Bool) -> Turn {
    if let isPartialSuccess { return isPartialSuccess ? .partial : .again }
    // Listing the methods again costs one of the server's tries, so it is done once.
    return isFirst ? .perhapsPartial : .again
  }
}
