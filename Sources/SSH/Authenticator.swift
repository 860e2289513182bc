import CLibSSH2
package import Platform

extension SSHSession {
  /// Logs in: tries what the plan offers until the server is satisfied.
  ///
  /// - Throws: `authentication-failed` when everything has been tried, worded as ssh does, with
  ///   the keys that were tried.
  package func authenticate(_ plan: AuthenticationPlan, prompts: Prompts) throws(Failure) {
    let authenticator = Authenticator(session: self, plan: plan, prompts: prompts)
    try authenticator.run()
  }
}

/// One login, method by method.
final class Authenticator {
  let session: SSHSession
  let plan: AuthenticationPlan
  let prompts: Prompts
  var log: SSHLog { session.log }
  /// What was tried, for the failure.
  var tried: [String] = []
  /// Why keys could not be tried.
  var unusable: [String] = []
  /// Key candidates that are still to be tried; kept over several factors.
  private var candidates: [KeyCandidate]?
  var passwordTries = 0
  var interactiveTries = 0
  private var exhausted: Set<AuthenticationPlan.Method> = []

  init(session: SSHSession, plan: AuthenticationPlan, prompts: Prompts) {
    self.session = session
    self.plan = plan
    self.prompts = prompts
  }

  /// How a method's turn ended.
  enum Turn {
    case accepted
    /// Right, and the server wants another factor.
    case partial
    /// The server may now want something else: ask what.
    case perhapsPartial
    /// Refused, and worth another try.
    case again
    /// Nothing more to try by this method.
    case exhausted
  }

  func run() throws(Failure) {
    var isKeyUnderWay = false
    guard var offered = try listMethods(&isKeyUnderWay) else { return accepted("none") }
    if let banner = session.handle.userBanner { showBanner(banner) }
    log.debug1("Authentications that can continue: \(offered.joined(separator: ","))")
    if isKeyUnderWay, !offered.contains(AuthenticationPlan.Method.publicKey.rawValue),
      let candidate = candidates?.first
    {
      // Its answer is on the way and would be taken for another's. The key stays a candidate: the
      // server may want it after another factor.
      switch try tryKey(candidate) {
      case .accepted: return accepted(AuthenticationPlan.Method.publicKey.rawValue)
      case .partial: offered = session.context.refusal?.methods ?? offered
      case .perhapsPartial:
        guard let next = try listMethods() else {
          return accepted(AuthenticationPlan.Method.publicKey.rawValue)
        }
        offered = next
      case .again, .exhausted, nil: break
      }
    }
    while true {
      guard
        let method = plan.methods.first(where: {
          offered.contains($0.rawValue) && !exhausted.contains($0)
        })
      else { throw denied(offered) }
      log.debug1("Next authentication method: \(method.rawValue)")
      let turn: Turn
      switch method {
      case .publicKey: turn = try tryKeys()
      case .keyboardInteractive: turn = try tryInteractive()
      case .password: turn = try tryPassword()
      }
      switch turn {
      case .accepted: return accepted(method.rawValue)
      case .exhausted: exhausted.insert(method)
      case .again: break
      case .partial: startNextFactor(after: method)
      case .perhapsPartial:
        guard let next = try listMethods() else { return accepted(method.rawValue) }
        if next != offered { startNextFactor(after: method) }
        offered = next
      }
      if let refusal = session.context.refusal { offered = refusal.methods }
      log.debug1("Authentications that can continue: \(offered.joined(separator: ","))")
    }
  }

  private func startNextFactor(after method: AuthenticationPlan.Method) {
    log.debug1("Authenticated using \"\(method.rawValue)\" with partial success.")
    exhausted = []
    passwordTries = 0
    interactiveTries = 0
  }

  /// What a refusal was, as the server worded it; nil where this libssh2 does not show that, and
  /// only asking anew for the methods tells, which costs one of the server's tries.
  var isPartialSuccess: Bool? { session.context.refusal?.isPartial }

  private func accepted(_ method: String) {
    log.debug1(
      "Authenticated to \(session.peer.name) (\(session.place)) using \"\(method)\".")
  }

  private func listMethods() throws(Failure) -> [String]? {
    try attempt { [user = plan.user] session in session.handle.methods(user: user) }
  }

  /// The same for the first time, with the first key's question sent right behind (RFC 4252 §5.1
  /// lets requests follow one another): the two share a round trip.
  private func listMethods(_ isKeyUnderWay: inout Bool) throws(Failure) -> [String]? {
    var ask: ((SSHSession) -> Step<AttemptResult>)?
    if plan.methods.first == .publicKey {
      let keys = try collectKeys()
      candidates = keys
      ask = keys.first.flatMap(question)
    }
    var isUnderWay = false
    defer { isKeyUnderWay = isUnderWay }
    return try attempt { [user = plan.user] session in
      let step = session.handle.methods(user: user)
      if case .wouldBlock = step, let question = ask {
        ask = nil
        // Anything else than waiting is local trouble, which comes up again in the key's turn.
        if case .wouldBlock = question(session) { isUnderWay = true }
      }
      return step
    }
  }

  /// What starts a key's turn, where that needs nobody's passphrase.
  private func question(_ candidate: KeyCandidate) -> ((SSHSession) -> Step<AttemptResult>)? {
    if candidate.needsNewLibrary, !SessionHandle.canUseRSA { return nil }
    if isUnfit(candidate, opened: nil) { return nil }
    chooseAlgorithm(for: candidate)
    let user = plan.user
    switch candidate.holder {
    case .caller(let identity):
      return { $0.handle.tryKey(blob: identity.blob, user: user) }
    case .agent(let key):
      guard plan.agentSocket != nil else { return nil }
      return { $0.handle.tryKey(blob: candidate.blob ?? key, user: user) }
    case .file(let file, let certificate):
      guard !file.isEncrypted, let privateKey = file.privateKey else { return nil }
      return {
        $0.handle.tryKey(
          privateKey: privateKey, publicKey: certificate?.text, passphrase: nil, user: user)
      }
    }
  }

  /// A step against the server, with the server's patience named where it ran out.
  func attempt<Value>(_ step: (SSHSession) -> Step<Value>) throws(Failure) -> Value {
    session.context.refusal = nil
    do {
      return try session.drive("authentication", step)
    } catch {
      guard error.code == .connectionLost, !tried.isEmpty else { throw error }
      var failure = denied([])
      failure.what = "\(user): \(error.what)"
      failure.cause = error.cause
      throw failure
    }
  }

  var user: String { "\(plan.user)@\(session.peer.name)" }

  private func showBanner(_ banner: String) {
    // Several lines, each made harmless by itself.
    for line in banner.split(separator: "\n", omittingEmptySubsequences: false).prefix(100) {
      log.information(printable(String(line), limit: 1000))
    }
  }

  private func denied(_ offered: [String]) -> Failure {
    var reasons: [String] = []
    if !tried.isEmpty { reasons.append("tried \(tried.joined(separator: ", "))") }
    reasons += unusable
    return Failure(
      .authenticationFailed,
      what: "\(user): Permission denied (\(offered.joined(separator: ",")))",
      why: reasons.isEmpty
        ? "nothing to try: no key and no prompt" : reasons.joined(separator: "; "),
      next: "add -v to see each step, -i to name a key")
  }

  // MARK: Keys

  private func tryKeys() throws(Failure) -> Turn {
    var remaining: [KeyCandidate]
    if let candidates { remaining = candidates } else { remaining = try collectKeys() }
    while !remaining.isEmpty {
      let candidate = remaining.removeFirst()
      candidates = remaining
      if let turn = try tryKey(candidate) { return turn }
    }
    candidates = []
    return .exhausted
  }

  /// - Returns: nil when the next key may be tried.
  private func tryKey(_ candidate: KeyCandidate) throws(Failure) -> Turn? {
    if candidate.needsNewLibrary, !SessionHandle.canUseRSA {
      unusable.append(
        "\(candidate.name): RSA keys and certificates need libssh2 1.11.1, this program has "
          + "\(SessionHandle.libraryVersion) (make setup, or --client openssh)")
      return nil
    }
    chooseAlgorithm(for: candidate)
    switch candidate.holder {
    case .caller(let identity):
      announce(candidate)
      return try trySigner(blob: identity.blob, identity.sign)
    case .agent(let key):
      announce(candidate)
      guard let path = plan.agentSocket else { return nil }
      return try trySigner(blob: candidate.blob ?? key) {
        [binding = session.binding] data, algorithm throws(Failure) in
        do throws(AgentClient.Problem) {
          let agent = try AgentClient(path: path)
          if let binding { try agent.bind(binding) }
          return try agent.sign(data, with: key, algorithm: algorithm)
        } catch {
          if error == .interrupted {
            throw Failure(.interrupted, what: "interrupted during authentication")
          }
          throw Failure(.keyUnusable, what: "sign_and_send_pubkey: signing failed", why: "\(error)")
        }
      }
    case .file(let file, let certificate):
      return try tryFile(candidate, file, certificate)
    }
  }

  private func announce(_ candidate: KeyCandidate) {
    if !tried.contains(candidate.name) { tried.append(candidate.name) }
    log.debug1(
      candidate.blob == nil
        ? "Trying private key: \(candidate.name)"
        : "Offering public key: \(candidate.name) \(candidate.summary(log.fingerprintHash))")
  }

  private func trySigner(
    blob: [UInt8], _ sign: (_ data: [UInt8], _ algorithm: String) throws(Failure) -> [UInt8]
  ) throws(Failure) -> Turn? {
    var problem: Failure?
    var hasSigned = false
    let result = try attempt { [user = plan.user] session -> Step<AttemptResult> in
      let step = session.handle.tryKey(blob: blob, user: user)
      guard case .wouldBlock = step, case .wanted(let data) = session.context.signature else {
        return step
      }
      do throws(Failure) {
        log.debug1("Server accepts key: \(log.fingerprintHash.fingerprint(of: blob))")
        let signature = try sign(data, Self.algorithm(in: data))
        session.context.signature = .ready(signature)
        hasSigned = true
      } catch {
        session.context.signature = .refused
        problem = error
      }
      return session.handle.tryKey(blob: blob, user: user)
    }
    session.context.signature = .none
    if let problem {
      if problem.code == .interrupted { throw problem }
      log.note("\(problem)")
      unusable.append("\(problem)")
      return nil
    }
    if case .accepted = result { return .accepted }
    return hasSigned ? turnAfterSignature : nil
  }

  /// What a refused signature means; nil when the next key may be tried.
  private var turnAfterSignature: Turn? {
    guard let isPartialSuccess else { return .perhapsPartial }
    return isPartialSuccess ? .partial : nil
  }

  /// The signature's algorithm in the data to be signed (RFC 4252 §7).
  static func algorithm(in data: [UInt8]) -> String {
    var reader = WireReader(data)
    guard reader.string() != nil, reader.byte() != nil, reader.string() != nil,
      reader.string() != nil, reader.string() != nil, reader.byte() != nil
    else { return "" }
    return reader.text() ?? ""
  }

  private func tryFile(
    _ candidate: KeyCandidate, _ file: KeyFile, _ certificate: PublicKeyLine?
  ) throws(Failure) -> Turn? {
    guard let privateKey = file.privateKey else { return nil }
    var passphrase: SecretBytes?
    var isAnnounced = false
    if file.isEncrypted {
      guard !plan.isBatch else {
        log.debug1("\(file.path) is encrypted and nothing may be asked")
        unusable.append("\(file.path) is encrypted and nothing may be asked")
        return nil
      }
      // Nobody is asked for the passphrase of a key that the server does not want.
      if let blob = certificate?.blob ?? file.publicBlob {
        announce(candidate)
        isAnnounced = true
        guard try serverWants(blob) else { return nil }
      }
      guard let found = try askPassphrase(for: file, privateKey) else { return nil }
      passphrase = found
    }
    if isUnfit(candidate, opened: passphrase) { return nil }
    if !isAnnounced { announce(candidate) }
    let result: AttemptResult
    do {
      result = try attempt { [user = plan.user] session in
        session.handle.tryKey(
          privateKey: privateKey, publicKey: certificate?.text, passphrase: passphrase, user: user)
      }
    } catch {
      guard case .libssh2(let code)? = error.cause, Self.localKeyErrors.contains(Int32(code)) else {
        throw error
      }
      let words = "Load key \"\(file.path)\": \(error.why ?? "invalid format")"
      log.note(words)
      unusable.append(words)
      return nil
    }
    switch result {
    case .accepted:
      try addToAgent(file, privateKey, passphrase)
      return .accepted
    case .refused: return nil
    case .refusedAfterSignature:
      let turn = turnAfterSignature
      if case .partial = turn { try addToAgent(file, privateKey, passphrase) }
      return turn
    }
  }

  /// Errors that say something of the key file, not of the connection.
  private static let localKeyErrors: Set<Int32> = [
    LIBSSH2_ERROR_FILE, LIBSSH2_ERROR_KEYFILE_AUTH_FAILED, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
    LIBSSH2_ERROR_METHOD_NONE, LIBSSH2_ERROR_INVAL, LIBSSH2_ERROR_ALGO_UNSUPPORTED,
    LIBSSH2_ERROR_PUBLICKEY_PROTOCOL, LIBSSH2_ERROR_DECRYPT, LIBSSH2_ERROR_PROTO,
  ]

  /// Asks the server about a key without signing anything.
  private func serverWants(_ blob: [UInt8]) throws(Failure) -> Bool {
    var wanted = false
    _ = try attempt { [user = plan.user] session -> Step<AttemptResult> in
      let step = session.handle.tryKey(blob: blob, user: user)
      guard case .wouldBlock = step, case .wanted = session.context.signature else { return step }
      wanted = true
      session.context.signature = .refused
      return session.handle.tryKey(blob: blob, user: user)
    }
    session.context.signature = .none
    return wanted
  }

  private func askPassphrase(
    for file: KeyFile, _ privateKey: SecretBytes
  ) throws(Failure) -> SecretBytes? {
    for _ in 0..<3 {
      let question = "Enter passphrase for key '\(printable(file.path, limit: 500))': "
      guard let passphrase = try prompts.secret(question), !passphrase.isEmpty else { break }
      if KeyCheck.opens(privateKey, with: passphrase) { return passphrase }
      log.debug2("bad passphrase given, try again...")
    }
    unusable.append("\(file.path): no passphrase that fits, or a cipher that libssh2 does not know")
    return nil
  }
}
