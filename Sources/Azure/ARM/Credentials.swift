import FoundationEssentials
import HTTP
import Identity
import Platform

/// The token of one call and how a refusal of it is answered: each way once.
struct Credentials {
  let scope: String
  private var tenant: String?
  private var claims: String?
  /// The tenant that Azure named, once a call with its token is under way.
  private(set) var learnedTenant: String?
  /// The challenge that was answered, or could not be.
  private(set) var challenge: ClaimsChallenge?
  private var renewals = 0

  init(scope: String, tenant: String?) {
    self.scope = scope
    self.tenant = tenant
  }

  func token(from provider: any TokenProvider) async throws(Failure) -> AccessToken {
    try await provider.token(
      for: TokenRequest(scope: scope, tenant: tenant, claims: claims))
  }

  /// Whether the call is worth another try with another token; changes what is asked for.
  mutating func canAnswer(
    _ error: ServiceError, _ answer: ARMAnswer, _ pacing: Pacing
  ) -> Bool {
    if let demand = ClaimsChallenge(authenticate: answer.headers.all("WWW-Authenticate")) {
      guard challenge == nil else { return false }
      challenge = demand
      claims = demand.claims
      return true
    }
    if error.hasCode("InvalidAuthenticationTokenTenant") {
      guard learnedTenant == nil, let named = Self.rightTenant(in: error.message ?? "") else {
        return false
      }
      learnedTenant = named
      tenant = named
      claims = nil
      return true
    }
    guard renewals == 0 else { return false }
    renewals += 1
    // The store holds the refused token for valid. A claim on its age, as Azure's own challenges
    // use it, is what makes a provider leave its store aside.
    let now = Int(pacing.clock.now().timeIntervalSince1970)
    claims = #"{"access_token":{"nbf":{"essential":true,"value":"\#(now)"}}}"#
    return true
  }

  /// The tenant that Azure's refusal names as the right one.
  ///
  /// The text is: … wrong issuer 'https://sts.windows.net/<a>/'. It must match the tenant
  /// 'https://sts.windows.net/<b>/' …
  static func rightTenant(in message: String) -> String? {
    guard let start = message.firstRange(of: "must match") else { return nil }
    let rest = String(message[start.upperBound...])
    guard
      let issuers = PermissionDenial.quoted(after: "tenant '", in: rest)
        ?? PermissionDenial.quoted(after: "tenants '", in: rest)
    else { return nil }
    let parts = issuers.split { $0 == "/" || $0 == "," || $0 == " " }
    return parts.map { $0.lowercased() }.first { UUID(uuidString: $0) != nil }
  }
}
