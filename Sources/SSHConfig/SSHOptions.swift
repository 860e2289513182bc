/// A connection's settings after everything that may set them has been read.
///
/// Names and defaults are ssh_config(5)'s. Paths and values have their tokens and `~` expanded
/// unless said otherwise.
package struct SSHOptions: Sendable, Equatable {
  package enum StrictHostKeyChecking: String, Sendable { case yes, no, ask, acceptNew }
  package enum RequestTTY: String, Sendable { case auto, no, yes, force }
  package enum SessionType: String, Sendable { case standard, none, subsystem }
  package enum AddressFamily: String, Sendable { case any, inet, inet6 }
  package enum ControlMaster: String, Sendable { case no, yes, auto, ask, autoask }
  package enum Pubkey: String, Sendable { case yes, no, unbound, hostBound }
  package enum YesNoAsk: String, Sendable { case yes, no, ask }
  package enum ForwardAgent: Sendable, Equatable {
    case no, yes
    /// The socket of another agent.
    case socket(String)
  }
  package enum AddKeysToAgent: Sendable, Equatable {
    case no, ask
    /// Seconds, nil for good.
    case yes(lifetime: Int?)
    case confirm(lifetime: Int?)
  }
  package enum IdentityAgent: Sendable, Equatable {
    /// `SSH_AUTH_SOCK`
    case environment
    case none
    case socket(String)
  }
  package struct KeyFile: Sendable, Equatable {
    package var path: String
    /// False for the defaults and for what the system's file adds.
    package var isExplicit: Bool

    package init(path: String, isExplicit: Bool) {
      self.path = path
      self.isExplicit = isExplicit
    }
  }
  package struct EnvironmentEntry: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }
  package struct PermittedTarget: Sendable, Equatable {
    /// `*` is every host.
    package var host: String
    /// Nil is every port.
    package var port: Int?

    package init(host: String, port: Int?) {
      self.host = host
      self.port = port
    }
  }
  package struct StdioForward: Sendable, Equatable {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
      self.host = host
      self.port = port
    }
  }

  // MARK: Where to

  /// The host as typed.
  package var originalHost: String
  /// `HostName`, expanded and in lower case; nil where nothing set it.
  package var hostName: String?
  /// What to connect to where no VM is behind the name: `HostName`, else the name as typed, made
  /// canonical where that is asked for, in lower case, and numbers as addresses are written.
  package var connectHost: String
  /// Where `HostName` came from.
  package var hostNameOrigin: SSHOrigin?
  /// The user that something set; nil leaves the choice to the caller.
  package var user: String?
  package var userOrigin: SSHOrigin?
  /// 22 unless set.
  package var port: Int
  /// Where the port came from; nil for the default.
  package var portOrigin: SSHOrigin?
  package var addressFamily: AddressFamily
  package var bindAddress: String?
  package var bindInterface: String?
  /// Seconds; nil is the system's own.
  package var connectTimeout: Int?
  package var connectionAttempts: Int
  package var tcpKeepAlive: Bool
  /// The hosts on the way; nil without a jump host.
  package var proxyJump: SSHJump?
  /// As written, to be expanded with ``SSHTokens/Scope/proxyCommand``; nil for `none`.
  package var proxyCommand: String?
  /// `ProxyUseFdpass`: the command hands over a socket.
  package var proxyPassesSocket: Bool
  package var tag: String?

  // MARK: Whom to trust

  package var strictHostKeyChecking: StrictHostKeyChecking
  /// In lower case.
  package var hostKeyAlias: String?
  package var userKnownHostsFiles: [String]
  /// Whether `UserKnownHostsFile` was set, and where.
  package var userKnownHostsFilesOrigin: SSHOrigin?
  package var globalKnownHostsFiles: [String]
  package var revokedHostKeys: String?
  /// As written; expand with ``SSHTokens/Scope/knownHostsCommand``.
  package var knownHostsCommand: String?
  package var hashKnownHosts: Bool
  package var visualHostKey: Bool
  /// One of `MD5`, `SHA1`, `SHA256`, `SHA384`, `SHA512`.
  package var fingerprintHash: String
  package var updateHostKeys: YesNoAsk
  package var checkHostIP: Bool
  package var noHostAuthenticationForLocalhost: Bool
  package var requiredRSASize: Int

  // MARK: Algorithms, nil where nothing set them

  package var ciphers: SSHAlgorithmList?
  package var macs: SSHAlgorithmList?
  package var kexAlgorithms: SSHAlgorithmList?
  package var hostKeyAlgorithms: SSHAlgorithmList?
  package var pubkeyAcceptedAlgorithms: SSHAlgorithmList?
  package var caSignatureAlgorithms: SSHAlgorithmList?
  package var compression: Bool

  // MARK: Who logs in

  /// Without those named `none`; the defaults where none was named; as written under `-G`.
  package var identityFiles: [KeyFile]
  package var certificateFiles: [KeyFile]
  package var identitiesOnly: Bool
  package var identityAgent: IdentityAgent
  package var addKeysToAgent: AddKeysToAgent
  /// In the order of preference; nil is ssh's own order.
  package var preferredAuthentications: [String]?
  package var pubkeyAuthentication: Pubkey
  package var passwordAuthentication: Bool
  package var kbdInteractiveAuthentication: Bool
  package var numberOfPasswordPrompts: Int
  package var batchMode: Bool

  // MARK: What runs

  package var requestTTY: RequestTTY
  package var sessionType: SessionType
  /// From the command line or `RemoteCommand`; a subsystem's name where the type says so.
  package var remoteCommand: String?
  /// Whether ``remoteCommand`` came from the configuration.
  package var remoteCommandIsConfigured: Bool
  package var stdinNull: Bool
  package var forkAfterAuthentication: Bool
  /// The byte; nil for none.
  package var escapeChar: UInt8?
  /// Patterns of variables to send.
  package var sendEnv: [String]
  package var setEnv: [EnvironmentEntry]
  package var permitLocalCommand: Bool
  /// As written; expand with ``SSHTokens/Scope/localCommand``.
  package var localCommand: String?
  /// Seconds; 0 is off.
  package var serverAliveInterval: Int
  package var serverAliveCountMax: Int

  // MARK: Forwarding

  package var localForwards: [SSHForward]
  package var remoteForwards: [SSHForward]
  package var stdioForward: StdioForward?
  package var gatewayPorts: Bool
  package var exitOnForwardFailure: Bool
  package var clearAllForwardings: Bool
  package var forwardAgent: ForwardAgent
  /// Where a client of a remote SOCKS forward may go; nil is anywhere.
  package var permitRemoteOpen: [PermittedTarget]?
  package var streamLocalBindMask: Int
  package var streamLocalBindUnlink: Bool
  package var forwardX11: Bool
  package var controlMaster: ControlMaster
  package var controlPath: String?
  /// Seconds an idle master stays; 0 for ever; nil for not at all.
  package var controlPersist: Int?
  package var wantsTunnel: Bool

  // MARK: How it talks

  package var logLevel: SSHLogLevel
  /// How many `-v` took effect, 0 to 3.
  package var verbosity: Int

  // MARK: Our own, and how it came about

  package var jit: JitSettings
  /// The keywords that ssh knows, that are set and that have no effect here.
  package var unusedKeywords: [SSHKeyword]
  package var notes: [SSHConfigNote]
  package var tokens: SSHTokens
  /// The files that were read, in order.
  package var filesRead: [String]

  /// What `-G` prints that has no field above.
  var draft: SSHConfigDraft

  /// Dynamic (SOCKS) forwards among the local ones.
  package var dynamicForwards: [SSHForward] { localForwards.filter { $0.target == .socks } }

  /// Whether the remote side should be given a terminal, as ssh decides it.
  ///
  /// - Parameter stdinIsTerminal: whether the local standard input is one.
  package func wantsTerminal(stdinIsTerminal: Bool) -> Bool {
    if requestTTY == .no || sessionType == .none { return false }
    if requestTTY == .force { return true }
    guard stdinIsTerminal, !stdinNull else { return false }
    return requestTTY == .yes || remoteCommand == nil
  }

  /// Whether a terminal was asked for that cannot be had: ssh then warns.
  package func lacksTerminal(stdinIsTerminal: Bool) -> Bool {
    (requestTTY == .yes || (requestTTY == .auto && remoteCommand == nil))
      && sessionType != .none && !wantsTerminal(stdinIsTerminal: stdinIsTerminal)
  }
}

/// The values of our own keywords, each with where it came from.
package struct JitSettings: Sendable, Equatable {
  package struct Value: Sendable, Equatable {
    /// In the stored form: seconds, a state in lower case, or text.
    package var text: String
    package var origin: SSHOrigin

    package init(text: String, origin: SSHOrigin) {
      self.text = text
      self.origin = origin
    }
  }

  /// A set of sources and where it was written.
  package struct NamedSources: Sendable, Equatable {
    package var set: JitSourceSet
    package var origin: SSHOrigin
  }

  package var values: [JitKeyword: Value]
  package var sourceSets: [NamedSources]

  package init(values: [JitKeyword: Value] = [:], sourceSets: [NamedSources] = []) {
    self.values = values
    self.sourceSets = sourceSets
  }

  /// The set of that name, in any case.
  package func sourceSet(_ name: String) -> NamedSources? {
    sourceSets.first { $0.set.name == lowercased(name) }
  }

  /// What was set, or the default; nil where neither is.
  package func text(_ keyword: JitKeyword) -> String? {
    values[keyword]?.text ?? keyword.row.defaultValue
  }

  package func origin(of keyword: JitKeyword) -> SSHOrigin? { values[keyword]?.origin }

  /// Whether the command line itself, and no file or variable, says so.
  package func isSpelledOut(_ keyword: JitKeyword) -> Bool {
    values[keyword]?.origin == .commandLine
  }

  /// `JitDuration` in seconds; nil is the shortest the policy allows.
  package var duration: Int? { text(.duration).flatMap { Int($0) } }
  /// `JitWait` in seconds.
  package var wait: Int { text(.wait).flatMap { Int($0) } ?? 120 }
  package var reason: String? { text(.reason) }
  package var source: JitSource {
    guard let text = text(.source), case .success(let source) = JitSource.parse(text) else {
      return .auto
    }
    return source
  }
  /// Empty is the built-in list.
  package var ipServices: [String] { text(.ipServices).map { JitKeyword.list($0) } ?? [] }
  package var subscription: String? { text(.subscription) }
  package var resourceGroup: String? { text(.resourceGroup) }
  /// `JitVM`; nil is the name as typed.
  package var vm: String? { text(.vm) }
  package var enable: SSHOptions.YesNoAsk { state(.enable) ?? .ask }
  package var start: SSHOptions.YesNoAsk { state(.start) ?? .ask }
  package var closeOnExit: Bool { text(.closeOnExit) == "yes" }
  package var client: Client { state(.client) ?? .libssh2 }
  package var entra: Entra { state(.entra) ?? .auto }
  package var address: Address { state(.address) ?? .public }
  package var cloud: String? { text(.cloud) }
  /// A credential's name or an account; nil leaves it to `AZURE_TOKEN_CREDENTIALS` and the chain.
  package var identity: String? { text(.identity) }
  package var keepOthers: Bool { text(.keepOthers) == "yes" }
  package var tokenStore: TokenStore { state(.tokenStore) ?? .file }
  /// False: no Azure call at all.
  package var isOn: Bool { text(.mode) != "off" }
  /// Whether a host that is no Azure VM is reached as plain ssh would.
  package var reachesUnknownHosts: Bool { text(.unknownHost) == "ssh" }
  package var rdpClient: String? { text(.rdpClient) }
  package var rdpFile: String? { text(.rdpFile) }

  package enum Client: String, Sendable { case libssh2, openssh }
  package enum Entra: String, Sendable { case auto, yes, no }
  package enum Address: String, Sendable { case `public`, `private` }
  package enum TokenStore: String, Sendable { case file, keyring }

  func state<State: RawRepresentable<String>>(_ keyword: JitKeyword) -> State? {
    text(keyword).flatMap { State(rawValue: $0) }
  }
}
