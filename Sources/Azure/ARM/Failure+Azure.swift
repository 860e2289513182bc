import HTTP
import Identity
package import Platform

// Every refusal of Azure becomes a failure here, and only here: what the single calls know better
// is put over it where they are made.

extension Failure {
  /// The failure that a refusal stands for.
  init(refusal error: ServiceError, in answer: ARMAnswer) {
    let code: Code =
      switch answer.status {
      case 401: .signInRefused
      case 403 where !Self.isRule(error): .notPermitted
      case 404: .notFound
      case 429: .azureThrottled
      case 408, 500...599: .azureUnavailable
      case 300..<400: .azureAnswerInvalid
      default: .azureRefused
      }
    self.init(
      code, what: "cannot \(answer.purpose)", why: Self.reason(error, answer), next: nil,
      cause: .http(
        status: answer.status, serviceCode: error.code.map { printable($0, limit: 100) },
        correlationID: answer.correlationID))
    switch code {
    case .notPermitted:
      if let denial = error.message.flatMap({ PermissionDenial(message: $0) }) {
        let scope = denial.scope.map { " on \($0)" } ?? ""
        let client = denial.client ?? "this account"
        why =
          "\(client) may not perform \(denial.action)\(scope)" + Self.references(error, answer)
        next =
          "ask an owner of \(denial.scope ?? "the subscription") for a role with the action "
          + denial.action
          + (AzureAction(rawValue: denial.action).role.map { ", such as \($0)" } ?? "")
      } else {
        next = "ask an owner of the subscription for the role that is missing"
      }
    case .azureThrottled: next = "try again in a minute"
    case .azureUnavailable: next = "try again; https://status.azure.com tells of outages"
    case .azureAnswerInvalid: next = Self.proxyMayHaveAnswered
    default:
      next =
        Self.registration(error, answer) ?? Self.command(for: error, answer)
        ?? Self.doctor(answer)
    }
  }

  /// Where Azure's answer is none of Azure's.
  package static let proxyMayHaveAnswered =
    "try again; a proxy on the way may have changed the answer"

  /// Where nothing better is known, not even which machine it is about.
  static let doctor = "jitconnect doctor VM"

  /// The same, by who knows the machine: what is better than that stays.
  package func naming(_ machine: ResourceID?) -> Failure {
    guard next == nil || next == Self.doctor, let machine else { return self }
    var failure = self
    failure.next = "jitconnect doctor \(machine.text)"
    return failure
  }

  /// The doctor of the machine that a call was for.
  private static func doctor(_ answer: ARMAnswer) -> String {
    let path = URLText.path(of: answer.url).split(separator: "/").map(String.init)
    func value(_ key: String) -> String? {
      path.firstIndex { $0.lowercased() == key }.flatMap {
        path.indices.contains($0 + 1) ? path[$0 + 1] : nil
      }
    }
    guard let group = value("resourcegroups"), let name = value("virtualmachines"),
      !(group + name).contains("%")
    else { return doctor }
    return "jitconnect doctor \(group)/\(name)"
  }

  /// What shows the reason of a refusal that no role would change.
  private static func command(for error: ServiceError, _ answer: ARMAnswer) -> String? {
    guard let subscription = answer.subscription else { return nil }
    let commands = [
      ("ScopeLocked", "az lock list"), ("RequestDisallowedByPolicy", "az policy assignment list"),
      ("ResourceGroupNotFound", "az group list"), ("SubscriptionNotFound", "az account list"),
      ("NoRegisteredProviderFound", "az provider show --namespace Microsoft.Security"),
    ]
    guard let command = commands.first(where: { error.hasCode($0.0) })?.1 else { return nil }
    let scope = command == "az account list" ? "" : " --subscription \(subscription)"
    return command + scope + " -o table"
  }

  /// How a resource provider is registered that the subscription has never used.
  private static func registration(_ error: ServiceError, _ answer: ARMAnswer) -> String? {
    guard error.hasCode("MissingSubscriptionRegistration"),
      let namespace = PermissionDenial.quoted(after: "namespace '", in: error.message ?? ""),
      namespace.utf8.allSatisfy({
        $0 == UInt8(ascii: ".") || Character(Unicode.Scalar($0)).isLetter
      }),
      let subscription = answer.subscription
    else { return nil }
    return "az provider register --namespace \(namespace) --subscription \(subscription)"
  }

  /// A 403 that no role would change: a policy of the organisation, a lock.
  private static func isRule(_ error: ServiceError) -> Bool {
    ["RequestDisallowedByPolicy", "ScopeLocked", "RequestDisallowedByAzure"]
      .contains { error.hasCode($0) }
  }

  private static func reason(_ error: ServiceError, _ answer: ARMAnswer) -> String {
    let text: String
    if let message = error.text {
      text = message
    } else if answer.body.isEmpty {
      text = "Azure gave no reason"
    } else if answer.body.first(where: { $0 > 0x20 }) == UInt8(ascii: "<") {
      text = "a web page came instead of Azure's answer"
    } else {
      text = "Azure gave no reason that can be read"
    }
    return text + references(error, answer)
  }

  /// What support asks for: code, status and correlation id.
  private static func references(_ error: ServiceError, _ answer: ARMAnswer) -> String {
    var parts: [String] = []
    if let code = error.code { parts.append(printable(code, limit: 100)) }
    parts.append("HTTP \(answer.status)")
    if let id = answer.correlationID { parts.append("correlation id \(id)") }
    return " (" + parts.joined(separator: ", ") + ")"
  }

  /// A 401 that no other token can answer.
  init(
    unauthorized failure: Failure, challenge: ClaimsChallenge?, _ token: AccessToken,
    _ cloud: Cloud, scope: String
  ) {
    self = failure
    if challenge != nil { what = "Azure asks for a new sign-in: " + failure.what }
    let command = token.signInCommand(
      in: cloud, scope: scope, claims: challenge?.claims)
    next = command.map { "sign in again: " + $0 } ?? token.renewal
  }

  /// No answer came at all.
  init(transport error: HTTPError, purpose: String, host: String) {
    let code: Code =
      switch error.kind {
      case .cancelled: .interrupted
      case .bodyTooLarge, .answerInvalid: .azureAnswerInvalid
      case .requestInvalid, .outOfMemory: .systemFailed
      default: .networkFailed
      }
    let next: String? =
      switch error.kind {
      case .nameNotFound, .connectFailed, .timedOut, .interrupted:
        "check the network and the proxy settings (https_proxy)"
      case .tlsFailed: "check the clock, the system's certificates and any proxy on the way"
      default: nil
      }
    self.init(
      code, what: "cannot \(purpose)", why: "\(host): \(printable(error.message))", next: next,
      cause: error.curlCode.map { .curl($0) })
  }

  /// Whether nothing can have reached Azure: curl's numbers for a name that is not found, a
  /// connection or a proxy that is refused, and a handshake that failed.
  var connectionWasNotMade: Bool {
    guard case .curl(let code) = cause else { return false }
    return [5, 6, 7, 35, 60].contains(code)
  }

  /// The HTTP status of Azure's refusal, if it is one.
  package var httpStatus: Int? {
    guard case .http(let status, _, _) = cause else { return nil }
    return status
  }

  /// Azure's own code of the refusal, lower-cased.
  var serviceCode: String? {
    guard case .http(_, let code, _) = cause else { return nil }
    return code?.lowercased()
  }
}
