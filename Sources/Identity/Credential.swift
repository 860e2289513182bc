package import HTTP
package import Platform

/// One way to get tokens, already found to be set up here.
protocol Credential: Sendable {
  /// The Azure SDKs' name of it.
  var name: String { get }
  /// The tenants it is signed in to, the first choice first; empty where that is not known.
  var tenants: [String] { get }
  /// Who it is and by what secret, as a digest: a part of the store's key, so that a token of one
  /// identity, or of a secret that has been replaced, never serves another. Nil: never stored.
  func storeIdentity(for request: TokenRequest) async throws(CredentialError) -> StoreIdentity?
  /// A fresh token, by network, file or process; or an SSH certificate, where the credential can
  /// get one.
  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken
}

extension Credential {
  var tenants: [String] { [] }
}

/// The parts of a store key that the credential alone knows.
struct StoreIdentity: Sendable {
  var credential: String
  var tenant: String
  /// False for a token that is this machine's own: the state folder may be another's too.
  var outlivesProcess = true
  /// Asked when the token is about to be stored: false where its owner has signed out meanwhile.
  var isWanted: @Sendable () -> Bool = { true }
}

/// Why a credential gives no token.
enum CredentialError: Error, Sendable {
  /// It cannot apply here: the chain goes on, and tells the reason if nothing else applies.
  case unavailable(String)
  /// It is set up and was refused: the chain stops.
  case failed(Failure)
}

/// Whether a credential is set up here.
enum CredentialState: Sendable {
  case ready(any Credential)
  /// What was looked for and not found: "AZURE_CLIENT_SECRET is not set".
  case absent(String)
  /// Somebody began to set it up: what is missing.
  case incomplete(String)
}

/// The world that credentials see.
package struct CredentialContext: Sendable {
  package var cloud: Cloud
  package var environment: Environment
  package var transport: any HTTPTransport
  package var clock: WallClock
  package var sleep: @Sendable (Duration) async -> Void
  /// Told to the user beside the result, never instead of it.
  package var warn: @Sendable (String) -> Void
  /// The subscription that was named, where one was: it chooses among az's accounts.
  package var subscription: String?
  /// Our own logins.
  package var accounts: AccountStore?
  /// The user name of the one that was named, where one was.
  var account: String?
  /// Whether the credential was chosen by its name, and is not tried in its turn.
  var isChosen = false
  /// Asked only where a machine's own identity may be meant.
  var machine: @Sendable () -> MachineKind = { .detect() }
  var arcKeyFolder = Assumptions.arcKeyFolder

  package init(
    cloud: Cloud, environment: Environment, transport: any HTTPTransport,
    clock: WallClock = .system,
    sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
    warn: @escaping @Sendable (String) -> Void = { _ in }, subscription: String? = nil,
    accounts: AccountStore? = nil
  ) {
    self.cloud = cloud
    self.environment = environment
    self.transport = transport
    self.clock = clock
    self.sleep = sleep
    self.warn = warn
    self.subscription = subscription
    self.accounts = accounts
  }

  var tokenEndpoint: TokenEndpoint {
    TokenEndpoint(
      cloud: cloud, transport: transport, clock: clock, sleep: sleep,
      declaresCapability: declaresCapability)
  }

  /// Presence alone counts, as for az.
  var declaresCapability: Bool { environment.variables["AZURE_IDENTITY_DISABLE_CP1"] == nil }
}

extension Failure {
  /// The credential gives tokens, but nobody certifies a key for it.
  static func noCertificate(_ credential: String) -> Failure {
    Failure(
      .signInRefused, what: "\(credential) cannot get an SSH certificate of Entra ID",
      why: "Entra ID gives them to people and to applications that sign in themselves",
      next: "jitconnect login, or name a user of the VM: jitconnect USER@VM")
  }

  /// The token endpoint gave a token that does not say how long it lives, or one that has ended.
  ///
  /// - Parameter saysNothing: the former is known.
  static func tokenWithoutEnd(_ credential: String, saysNothing: Bool = false) -> Failure {
    Failure(
      .azureAnswerInvalid, what: "\(credential): the login server's answer is not usable",
      why: saysNothing
        ? "it does not say how long the token lives: expires_in is missing or no number above 0"
        : "the token has no end, or has ended already",
      next: saysNothing
        ? "try again; a proxy on the way may have changed the answer"
        : "check this machine's clock")
  }
}
