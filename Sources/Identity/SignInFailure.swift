import FoundationEssentials
import HTTP
import Platform

extension Failure {
  /// What a refusal of the login server means to the person, and what to do.
  static func signIn(
    _ refusal: TokenRefusal, status: Int?, subject: SignInSubject, requestID: String? = nil
  ) -> Failure {
    let code = refusal.codes.first { SignInCode.entry(for: $0) != nil } ?? refusal.codes.first
    let entry = code.flatMap(SignInCode.entry(for:))
    let correlationID = (refusal.correlationID ?? requestID).map { printable($0, limit: 64) }

    var reasons: [String] = []
    if let entry { reasons.append(subject.filling(entry.words)) }
    reasons.append(refusal.firstLine ?? printable(refusal.error, limit: 100))
    if let correlationID { reasons.append("correlation id \(correlationID)") }
    if let time = refusal.timestamp { reasons.append(printable(time, limit: 40)) }

    let kind: Failure.Code
    let next: String?
    switch entry?.remedy {
    case .signIn where subject.signInCommand != nil:
      kind = .signInNeeded
      next = subject.answering(refusal.claims).signInCommand
    case .signIn:
      // A person is wanted, but an application asked.
      kind = .signInRefused
      next = "check the application's credentials, or sign in as a person: jitconnect login"
    case .step(let text):
      kind = .signInRefused
      next = subject.filling(text)
    case .credential(let text):
      kind = .signInRefused
      next =
        subject.kind == .azureCLI && subject.account == nil
        ? subject.filling("az login --service-principal --username {app} --tenant {tenant}")
        : subject.filling(text)
    case .wait:
      kind = .azureUnavailable
      next = "try again in a minute; https://azure.status.microsoft shows known trouble"
    case nil where refusal.isPassing:
      kind = .azureUnavailable
      next = "try again in a minute; https://azure.status.microsoft shows known trouble"
    case nil where refusal.needsPerson && subject.signInCommand != nil:
      kind = .signInNeeded
      next = subject.answering(refusal.claims).signInCommand
    case nil:
      kind = .signInRefused
      next = subject.signInCommand ?? "check \(subject.credential) of tenant \(subject.tenant)"
    }
    return Failure(
      kind,
      what: "\(subject.credential): signing in as \(subject.name) "
        + "in tenant \(subject.tenant) failed",
      why: reasons.joined(separator: "; "), next: next,
      cause: status.map {
        .http(
          status: $0,
          serviceCode: code.map { "AADSTS\($0)" } ?? printable(refusal.error, limit: 60),
          correlationID: correlationID)
      })
  }

  /// No answer came from the login server.
  static func noSignInAnswer(_ error: HTTPError, host: String, credential: String) -> Failure {
    Failure(
      .networkFailed, what: "\(credential): no answer from \(host)",
      why: printable(error.message, limit: 300),
      next: error.kind == .tlsFailed
        ? "check the system's certificates and clock; a proxy that opens TLS needs its own there"
        : "check the network and the proxy variables (https_proxy, no_proxy)",
      cause: error.curlCode.map { .curl($0) })
  }
}

extension SignInSubject {
  fileprivate func filling(_ template: String) -> String {
    template.replacing("{tenant}", with: tenant).replacing("{app}", with: shownClientID)
      .replacing("{account}", with: name).replacing("{login}", with: loginProgram)
  }

  /// The same subject, whose next sign-in also has to meet the claims of the refusal.
  fileprivate func answering(_ claims: String?) -> SignInSubject {
    guard let claims else { return self }
    var copy = self
    copy.claims = claims
    return copy
  }
}
