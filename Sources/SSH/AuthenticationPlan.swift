package import Platform

/// How a user may prove who they are, in the order to try.
package struct AuthenticationPlan: Sendable {
  package enum Method: String, Sendable {
    case publicKey = "publickey"
    case keyboardInteractive = "keyboard-interactive"
    case password = "password"
  }

  /// A key file that may serve.
  package struct IdentityFile: Sendable {
    package var path: String
    /// The user named it (`-i`, `IdentityFile`): a missing file is worth a word.
    package var isExplicit: Bool

    package init(path: String, isExplicit: Bool) {
      self.path = path
      self.isExplicit = isExplicit
    }
  }

  /// `AddKeysToAgent`: what becomes of a key file that has logged in.
  package struct AgentAddition: Sendable, Equatable {
    /// Seconds after which the agent forgets the key; nil is never.
    package var lifetime: Int?
    /// Whether the agent asks before each use.
    package var confirmsUse: Bool
    /// Whether the user is asked before the key is added.
    package var asks: Bool

    package init(lifetime: Int? = nil, confirmsUse: Bool = false, asks: Bool = false) {
      self.lifetime = lifetime
      self.confirmsUse = confirmsUse
      self.asks = asks
    }
  }

  package var user: String
  /// In the order of `PreferredAuthentications`.
  package var methods: [Method]
  package var identities: [IdentityFile]
  /// `CertificateFile`; the one beside each identity (`id-cert.pub`) is found by itself.
  package var certificates: [String]
  /// The agent's socket; nil where there is none or `IdentityAgent none`.
  package var agentSocket: String?
  /// Nil leaves the agent as it is.
  package var agentAddition: AgentAddition?
  package var identitiesOnly: Bool
  /// Keys held by the caller, tried first.
  package var signers: [SigningIdentity]
  package var passwordPrompts: Int
  /// `BatchMode`: nothing is asked.
  package var isBatch: Bool

  /// `PubkeyAcceptedAlgorithms`, best first; nil takes what libssh2 takes.
  package var acceptedAlgorithms: [String]?
  /// `RequiredRSASize` in bits.
  package var requiredRSASize = 0

  package init(
    user: String, methods: [Method] = [.publicKey, .keyboardInteractive, .password],
    identities: [IdentityFile] = [], certificates: [String] = [], agentSocket: String? = nil,
    identitiesOnly: Bool = false, signers: [SigningIdentity] = [], passwordPrompts: Int = 3,
    isBatch: Bool = false
  ) {
    self.user = user
    self.methods = methods
    self.identities = identities
    self.certificates = certificates
    self.agentSocket = agentSocket
    self.identitiesOnly = identitiesOnly
    self.signers = signers
    self.passwordPrompts = passwordPrompts
    self.isBatch = isBatch
  }
}

/// A key whose private half the caller holds, such as one minted for an Entra certificate.
package struct SigningIdentity: Sendable {
  /// For `-v` and for the error that lists what was tried.
  package var name: String
  /// The public key or certificate, as it travels.
  package var blob: [UInt8]
  /// Signs the data by an algorithm such as `rsa-sha2-512`.
  ///
  /// Returns the signature's own bytes (PKCS#1 for RSA), without the type in front of them.
  package var sign: @Sendable (_ data: [UInt8], _ algorithm: String) throws(Failure) -> [UInt8]

  package init(
    name: String, blob: [UInt8],
    sign: @escaping @Sendable (_ data: [UInt8], _ algorithm: String) throws(Failure) -> [UInt8]
  ) {
    self.name = name
    self.blob = blob
    self.sign = sign
  }
}

/// Ways to ask the person at the terminal.
///
/// Nil is "not possible": no terminal, or forbidden.
package struct Prompts: Sendable {
  /// Asks with echo; the answer has no line end.
  package var line: @Sendable (String) throws(Failure) -> String?
  /// Asks without echo.
  package var secret: @Sendable (String) throws(Failure) -> SecretBytes?
  /// Asks for leave to do something; no answer is no.
  package var permission: @Sendable (String) throws(Failure) -> Bool

  package init(
    line: @escaping @Sendable (String) throws(Failure) -> String?,
    secret: @escaping @Sendable (String) throws(Failure) -> SecretBytes?,
    permission: (@Sendable (String) throws(Failure) -> Bool)? = nil
  ) {
    self.line = line
    self.secret = secret
    if let permission {
      self.permission = permission
    } else {
      self.permission = { question throws(Failure) in
        let answer = try line("\(question) (yes/no) ")
        return answer?.lowercased() == "yes"
      }
    }
  }

  /// Nobody can be asked.
  package static let impossible = Prompts(line: { _ in nil }, secret: { _ in nil })
}
