import Azure
import Platform
import SSH
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One SSH session, from the answering connection to its end.
struct SessionPlan: Sendable {
  private let world: World
  private let options: SSHOptions
  /// The remote command's own bytes; nil where it comes from a configuration file.
  private let commandBytes: [UInt8]?
  /// Nil for a host that is no Azure VM.
  private let machine: VirtualMachine?
  /// Whether Azure has said that this address is the machine's, and which machine it is.
  private let isConfirmed: Bool
  /// A certificate of Entra ID to log in by; nil where the user's own keys are used.
  private let login: EntraLogin?
  /// What the session carries in place of a shell or command.
  private let tunnel: DesktopTunnel?

  init(
    _ connect: Connect, machine: VirtualMachine?, isConfirmed: Bool, login: EntraLogin? = nil,
    tunnel: DesktopTunnel? = nil
  ) {
    self.login = login
    self.tunnel = tunnel
    world = connect.world
    options = connect.options
    commandBytes = connect.commandLine.commandBytes
    self.machine = machine
    self.isConfirmed = isConfirmed
  }

  /// Runs the session on a thread of its own.
  ///
  /// - Returns: nil where the machine is not confirmed and its key is not the pinned one: nothing
  ///   of the user has been sent.
  func run(over connection: AnsweringConnection) async throws -> Ending? {
    try await Blocking.run { try runBlocking(over: connection) }
  }

  private func runBlocking(over connection: AnsweringConnection) throws(Failure) -> Ending? {
    guard let socket = connection.takeSocket() else {
      throw Failure(.connectionLost, what: "the connection is gone")
    }
    defer { connection.proxy?.end() }
    // Interruptions end the session in its own loop, with the terminal restored.
    Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP, SIGQUIT)
    Signals.ignore(SIGPIPE)
    var request = if let tunnel { tunnel.request } else { try request() }
    let log = sessionLog
    let session = try SSHSession(
      socket: socket, received: connection.received,
      peer: peer(of: connection), log: log, keepsAlive: options.tcpKeepAlive)
    let trust = HostKeyFiles(world.environment, options, machine).trust(
      address: connection.address, port: connection.address.map { Int($0.port) } ?? options.port,
      canAsk: canAsk)
    let command = KnownHostsCommand(
      options, tokens(address: connection.address), world, environmentWithAgent,
      name: trust.rule.names.first ?? trust.rule.host)
    var known = trust.known
    known.lines += try command?.lines(.order) ?? []
    var algorithms = try algorithms(trust.rule, known)
    algorithms.compression = options.compression
    let deadline =
      ContinuousClock.now + (options.connectTimeout.map { .seconds($0) } ?? .seconds(120))
    let key = try session.handshake(algorithms, deadline: deadline)
    if !isConfirmed, trust.rule.decide(key, known: trust.known) != .trusted {
      world.debug("the host key is not the pinned one")
      session.disconnect()
      return nil
    }
    known.lines = trust.known.lines
    known.lines += try command?.lines(.hostName, key) ?? []
    let isTrusted = try trust.rule.settle(key, known: known, prompts: prompts, log: log)
    var authentication = authenticationPlan
    if !isTrusted {
      // Nothing that a false server could use.
      authentication.methods.removeAll { $0 != .publicKey }
      let lost = request.withdrawFromDistrusted()
      lost.forEach {
        log.note("\($0) forwarding is disabled to avoid man-in-the-middle attacks.")
      }
      if request.forwarding.failureIsFatal, !lost.isEmpty || request.isForward {
        throw Failure(
          .forwardingFailed, what: "Error: forwarding disabled due to host key check failure")
      }
    }
    do throws(Failure) {
      try session.authenticate(authentication, prompts: prompts)
    } catch {
      guard let login, let machine else { throw error }
      throw login.explaining(error, on: machine)
    }
    world.hop.arrive()
    if tunnel == nil {
      let localCommand = try LocalCommand(
        options, tokens(address: connection.address), environmentWithAgent)
      request.whenStanding = { [self] () throws(Failure) in try stand(localCommand) }
    }
    let ending = try session.run(request, streams: streams)
    session.disconnect()
    return ending
  }

  private func peer(of connection: AnsweringConnection) -> SSHSession.Peer {
    // ssh's words where a proxy hides the address.
    SSHSession.Peer(
      name: shownHost, address: connection.address?.host ?? "UNKNOWN",
      port: connection.address.map { Int($0.port) } ?? 65535)
  }

  /// The host in messages: an Azure VM as it was typed, any other as ssh names it.
  private var shownHost: String {
    machine == nil ? options.connectHost : options.originalHost
  }

  /// What `%h` and its like stand for: of a VM, where it was reached and as whom.
  private func tokens(address: InternetAddress?) -> SSHTokens {
    var tokens = options.tokens
    guard machine != nil, let address else { return tokens }
    tokens.host = address.host
    tokens.port = Int(address.port)
    tokens.user = user
    return tokens
  }

  private var user: String { login?.user ?? options.loginName(on: machine, world.environment) }

  // MARK: What is offered and asked

  private func algorithms(
    _ rule: HostTrust, _ known: KnownHosts
  ) throws(Failure) -> AlgorithmPreferences {
    var preferences = AlgorithmPreferences()
    func list(
      _ setting: SSHAlgorithmList?, _ kind: SSHAlgorithmKind, _ own: [String]
    ) -> [String] {
      guard let setting else { return own }
      return setting.assembled(defaults: own, all: own + SSHAlgorithms.known(kind))
    }
    preferences.keyExchange = list(options.kexAlgorithms, .kex, preferences.keyExchange)
    preferences.ciphers = list(options.ciphers, .cipher, preferences.ciphers)
    preferences.macs = list(options.macs, .mac, preferences.macs)
    preferences.hostKeys = list(options.hostKeyAlgorithms, .keySignature, preferences.hostKeys)
    // libssh2 never checks the signature of a host certificate.
    preferences.hostKeys.removeAll { $0.contains("-cert-v01@") }
    if options.hostKeyAlgorithms == nil {
      preferences.putFirst(keyTypes: known.keyTypes(for: rule.names))
    }
    return preferences
  }

  private var authenticationPlan: AuthenticationPlan {
    let allowed: [String: Bool] = [
      "publickey": options.pubkeyAuthentication != .no,
      "keyboard-interactive": options.kbdInteractiveAuthentication,
      "password": options.passwordAuthentication,
    ]
    if let login {
      // The server may ask for a second factor in its own words.
      return AuthenticationPlan(
        user: user, methods: methods(allowed, of: ["publickey", "keyboard-interactive"]),
        identitiesOnly: true, signers: [login.signer], isBatch: options.batchMode)
    }
    let order =
      options.preferredAuthentications ?? ["publickey", "keyboard-interactive", "password"]
    var plan = AuthenticationPlan(
      user: user, methods: methods(allowed, of: order),
      identities: options.identityFiles.map {
        AuthenticationPlan.IdentityFile(path: $0.path, isExplicit: $0.isExplicit)
      },
      certificates: options.certificateFiles.map(\.path), agentSocket: ownAgent,
      identitiesOnly: options.identitiesOnly, passwordPrompts: options.numberOfPasswordPrompts,
      isBatch: options.batchMode)
    plan.acceptedAlgorithms = acceptedAlgorithms
    plan.requiredRSASize = options.requiredRSASize
    plan.agentAddition =
      switch options.addKeysToAgent {
      case .no: nil
      case .ask: AuthenticationPlan.AgentAddition(asks: true)
      case .yes(let lifetime): AuthenticationPlan.AgentAddition(lifetime: lifetime)
      case .confirm(let lifetime):
        AuthenticationPlan.AgentAddition(lifetime: lifetime, confirmsUse: true)
      }
    return plan
  }

  /// `PubkeyAcceptedAlgorithms`, best first.
  private var acceptedAlgorithms: [String] {
    let own = SSHAlgorithms.defaults(.keySignature)
    return options.pubkeyAcceptedAlgorithms?
      .assembled(defaults: own, all: SSHAlgorithms.known(.keySignature)) ?? own
  }

  private func methods(
    _ allowed: [String: Bool], of order: [String]
  ) -> [AuthenticationPlan.Method] {
    order.filter { allowed[$0] == true }.compactMap { AuthenticationPlan.Method(rawValue: $0) }
  }

  private var canAsk: Bool {
    let isPossible = world.prompt.isPossible
    return !options.batchMode
      && (isPossible || Askpass.chosen(environmentWithAgent, hasTerminal: isPossible) != nil)
  }

  private var prompts: Prompts {
    if options.batchMode { return .impossible }
    let prompt = world.prompt
    if let askpass = Askpass.chosen(environmentWithAgent, hasTerminal: prompt.isPossible) {
      return askpass.prompts
    }
    return Prompts(
      line: { question throws(Failure) in try answer(prompt.line(question)) },
      secret: { question throws(Failure) in try answer(prompt.secret(question)) })
  }

  // MARK: What runs

  private var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  /// libssh2 puts a request in one packet of at most 35,000 bytes (MAX_SSH_PACKET_LEN), headers and
  /// padding among them; 34,725 bytes were measured to pass.
  private static let longestCommand = 34_700

  /// The remote command, as the bytes that the remote shell gets.
  private var command: [UInt8]? {
    get throws(Failure) {
      guard let command = commandBytes ?? options.remoteCommand.map({ Array($0.utf8) }) else {
        return nil
      }
      guard command.count <= Self.longestCommand else {
        throw Failure(
          .notBuiltIn, what: "a remote command of \(command.count) bytes cannot be sent",
          why: "libssh2 sends at most \(Self.longestCommand)",
          next: "send it as input to a shell (\"… sh -s < script\"), or use --client openssh")
      }
      return command
    }
  }

  private func request() throws(Failure) -> SessionRequest {
    let program: SessionRequest.Program
    if let forward = options.stdioForward {
      program = .forward(host: forward.host, port: forward.port)
    } else {
      switch options.sessionType {
      case .none: program = .none
      case .subsystem: program = .subsystem(options.remoteCommand ?? "")
      case .standard:
        program = try command.map { .command($0) } ?? .shell
      }
    }
    var terminal: SessionRequest.Terminal?
    if options.stdioForward == nil, options.wantsTerminal(stdinIsTerminal: inputIsTerminal) {
      terminal = SessionRequest.Terminal(
        name: world.environment["TERM"] ?? "dumb",
        settings: inputIsTerminal ? TerminalSettings.of(STDIN_FILENO) : nil,
        size: TerminalSize.of(STDIN_FILENO) ?? TerminalSize(columns: 0, rows: 0))
    } else if options.stdioForward == nil, options.lacksTerminal(stdinIsTerminal: inputIsTerminal) {
      world.console.remark("Pseudo-terminal will not be allocated because stdin is not a terminal.")
    }
    if options.forwardX11, program != .none, world.environment["DISPLAY"] != nil {
      world.console.remark("Warning: X11 forwarding setup failed: it is not built in")
    }
    return SessionRequest(
      program, terminal: terminal, environment: sentVariables, escape: options.escapeChar,
      aliveInterval: options.serverAliveInterval > 0
        ? .seconds(options.serverAliveInterval) : nil,
      aliveCountMax: options.serverAliveCountMax, forwarding: ForwardingPlan(options),
      agentSocket: forwardedAgent)
  }

  /// The agent that the other side may use: only where it was asked for (`-A`) and one is there.
  private var forwardedAgent: String? {
    let path: String?
    switch options.forwardAgent {
    case .no: return nil
    case .yes: path = ownAgent
    case .socket(let named): path = named
    }
    guard let path else { return nil }
    if let problem = SSHSession.agentProblem(path) {
      world.debug("agent at \(path): \(problem), not forwarded")
      return nil
    }
    return path
  }

  /// The agent that `IdentityAgent` leaves: to be asked, and to be forwarded.
  private var ownAgent: String? {
    switch options.identityAgent {
    case .none: nil
    case .environment: world.environment["SSH_AUTH_SOCK"]
    case .socket(let path): path
    }
  }

  /// What the user's programs see once the connection stands: as with ssh, the agent is the one of
  /// `IdentityAgent`.
  private var environmentWithAgent: Environment {
    var environment = world.environment
    if options.identityAgent != .environment { environment.variables["SSH_AUTH_SOCK"] = ownAgent }
    return environment
  }

  private var sentVariables: [(name: String, value: String)] {
    var sent = options.setEnv.map { (name: $0.name, value: $0.value) }
    let fixed = Set(sent.map(\.name))
    for (name, value) in world.environment.variables.sorted(by: { $0.key < $1.key })
    where !fixed.contains(name) && options.sendEnv.contains(where: { SSHPattern.matches(name, $0) })
    {
      sent.append((name: name, value: value))
    }
    return sent
  }

  private var hasInput: Bool { !options.stdinNull && !options.forkAfterAuthentication }

  private var streams: SessionStreams {
    var streams = SessionStreams(
      input: hasInput ? STDIN_FILENO : nil, output: STDOUT_FILENO, error: STDERR_FILENO,
      terminal: inputIsTerminal && hasInput ? STDIN_FILENO : nil)
    if world.background != nil {
      // The session's own, which outlive the standard ones; with -N there is nothing to write, and
      // whoever reads our output shall see its end.
      streams.output = isForwardOnly ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
      streams.error = isForwardOnly ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    }
    return streams
  }

  private var isForwardOnly: Bool {
    options.sessionType == .none && options.stdioForward == nil
  }

  /// Forwards listen and the remote program runs.
  private func stand(_ localCommand: LocalCommand?) throws(Failure) {
    if let localCommand {
      do {
        try localCommand.run()
      } catch {
        world.console.remark("LocalCommand: \(error)")
      }
    }
    guard let background = world.background else { return }
    world.debug("forking to background")
    try background.leave(keepsErrors: options.verbosity > 0)
  }

  private var sessionLog: SSHLog {
    let console = world.console
    var log = SSHLog(
      level: options.verbosity, debug: world.writeDebug,
      note: { [tunnel] text in if tunnel?.keeps(text) != true { console.remark(text) } },
      tellsInformation: options.logLevel >= .info)
    log.fingerprintHash = FingerprintHash(options)
    return log
  }
}

extension SSHOptions {
  /// Who logs in: named, else the VM's administrator, else the local user.
  func loginName(on machine: VirtualMachine?, _ environment: Environment) -> String {
    if let user { return user }
    if let administrator = machine?.adminUsername, SSHName.isValidUser(administrator) {
      return administrator
    }
    return environment.userName
  }
}

/// An answer as the session takes it: nil is "not possible", an interruption is thrown.
private func answer<Value>(_ answer: Prompt.Answer<Value>) throws(Failure) -> Value? {
  switch answer {
  case .given(let value): return value
  case .interrupted: throw Failure(.interrupted, what: "interrupted")
  case .declined, .notPossible: return nil
  }
}
