/// What the login server remembers between calls.
struct SignInState: Sendable {
  struct Code: Sendable {
    var identity: String
    /// As it stood in the address: a code is redeemed where it was asked for.
    var authority: String
    var clientID: String
    var redirect: String
    var challenge: String
    var nonce: String
    var expires: Instant
    var isUsed = false
  }

  struct DeviceCode: Sendable {
    var clientID: String
    var authority: String
    var expires: Instant
    var isUsed = false
  }

  struct RefreshToken: Sendable {
    var identity: String
    var clientID: String
  }

  /// A token of another issuer, as it was issued here.
  struct ForeignToken: Sendable {
    var issuer: String
    var subject: String
    var audience: String
    var expires: Instant
  }

  var codes: [String: Code] = [:]
  var deviceCodes: [String: DeviceCode] = [:]
  var refreshTokens: [String: RefreshToken] = [:]
  var foreignTokens: [String: ForeignToken] = [:]
  /// `jti` of the assertions that were taken.
  var usedAssertions: Set<String> = []
  /// How often each grant was asked for.
  var grants: [String: Int] = [:]
  /// Everything that must be in no log: what was issued, and what was given.
  var secrets: Set<String> = []
}
