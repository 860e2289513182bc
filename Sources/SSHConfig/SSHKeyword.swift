/// Every keyword of ssh_config(5), from OpenSSH 9.2 (with Debian's GSSAPI additions) to 10.0.
package enum SSHKeyword: String, CaseIterable, Sendable {
  case addKeysToAgent = "addkeystoagent"
  case addressFamily = "addressfamily"
  case batchMode = "batchmode"
  case bindAddress = "bindaddress"
  case bindInterface = "bindinterface"
  case canonicalDomains = "canonicaldomains"
  case canonicalizeFallbackLocal = "canonicalizefallbacklocal"
  case canonicalizeHostname = "canonicalizehostname"
  case canonicalizeMaxDots = "canonicalizemaxdots"
  case canonicalizePermittedCNAMEs = "canonicalizepermittedcnames"
  case caSignatureAlgorithms = "casignaturealgorithms"
  case certificateFile = "certificatefile"
  case channelTimeout = "channeltimeout"
  case checkHostIP = "checkhostip"
  case ciphers
  case clearAllForwardings = "clearallforwardings"
  case compression
  case connectionAttempts = "connectionattempts"
  case connectTimeout = "connecttimeout"
  case controlMaster = "controlmaster"
  case controlPath = "controlpath"
  case controlPersist = "controlpersist"
  case dynamicForward = "dynamicforward"
  case enableEscapeCommandline = "enableescapecommandline"
  case enableSSHKeysign = "enablesshkeysign"
  case escapeChar = "escapechar"
  case exitOnForwardFailure = "exitonforwardfailure"
  case fingerprintHash = "fingerprinthash"
  case forkAfterAuthentication = "forkafterauthentication"
  case forwardAgent = "forwardagent"
  case forwardX11 = "forwardx11"
  case forwardX11Timeout = "forwardx11timeout"
  case forwardX11Trusted = "forwardx11trusted"
  case gatewayPorts = "gatewayports"
  case globalKnownHostsFile = "globalknownhostsfile"
  case gssapiAuthentication = "gssapiauthentication"
  case gssapiClientIdentity = "gssapiclientidentity"
  case gssapiDelegateCredentials = "gssapidelegatecredentials"
  case gssapiKexAlgorithms = "gssapikexalgorithms"
  case gssapiKeyExchange = "gssapikeyexchange"
  case gssapiRenewalForcesRekey = "gssapirenewalforcesrekey"
  case gssapiServerIdentity = "gssapiserveridentity"
  case gssapiTrustDNS = "gssapitrustdns"
  case hashKnownHosts = "hashknownhosts"
  case host
  case hostbasedAcceptedAlgorithms = "hostbasedacceptedalgorithms"
  case hostbasedAuthentication = "hostbasedauthentication"
  case hostKeyAlgorithms = "hostkeyalgorithms"
  case hostKeyAlias = "hostkeyalias"
  case hostName = "hostname"
  case identitiesOnly = "identitiesonly"
  case identityAgent = "identityagent"
  case identityFile = "identityfile"
  case ignoreUnknown = "ignoreunknown"
  case include
  case ipQoS = "ipqos"
  case kbdInteractiveAuthentication = "kbdinteractiveauthentication"
  case kbdInteractiveDevices = "kbdinteractivedevices"
  case kexAlgorithms = "kexalgorithms"
  case knownHostsCommand = "knownhostscommand"
  case localCommand = "localcommand"
  case localForward = "localforward"
  case logLevel = "loglevel"
  case logVerbose = "logverbose"
  case macs
  case match
  case noHostAuthenticationForLocalhost = "nohostauthenticationforlocalhost"
  case numberOfPasswordPrompts = "numberofpasswordprompts"
  case obscureKeystrokeTiming = "obscurekeystroketiming"
  case passwordAuthentication = "passwordauthentication"
  case permitLocalCommand = "permitlocalcommand"
  case permitRemoteOpen = "permitremoteopen"
  case pkcs11Provider = "pkcs11provider"
  case port
  case preferredAuthentications = "preferredauthentications"
  case proxyCommand = "proxycommand"
  case proxyJump = "proxyjump"
  case proxyUseFdpass = "proxyusefdpass"
  case pubkeyAcceptedAlgorithms = "pubkeyacceptedalgorithms"
  case pubkeyAuthentication = "pubkeyauthentication"
  case refuseConnection = "refuseconnection"
  case rekeyLimit = "rekeylimit"
  case remoteCommand = "remotecommand"
  case remoteForward = "remoteforward"
  case requestTTY = "requesttty"
  case requiredRSASize = "requiredrsasize"
  case revokedHostKeys = "revokedhostkeys"
  case securityKeyProvider = "securitykeyprovider"
  case sendEnv = "sendenv"
  case serverAliveCountMax = "serveralivecountmax"
  case serverAliveInterval = "serveraliveinterval"
  case sessionType = "sessiontype"
  case setEnv = "setenv"
  case stdinNull = "stdinnull"
  case streamLocalBindMask = "streamlocalbindmask"
  case streamLocalBindUnlink = "streamlocalbindunlink"
  case strictHostKeyChecking = "stricthostkeychecking"
  case syslogFacility = "syslogfacility"
  case tag
  case tcpKeepAlive = "tcpkeepalive"
  case tunnel
  case tunnelDevice = "tunneldevice"
  case updateHostKeys = "updatehostkeys"
  case useKeychain = "usekeychain"
  case user
  case userKnownHostsFile = "userknownhostsfile"
  case verifyHostKeyDNS = "verifyhostkeydns"
  case versionAddendum = "versionaddendum"
  case visualHostKey = "visualhostkey"
  case warnWeakCrypto = "warnweakcrypto"
  case xauthLocation = "xauthlocation"
}

extension SSHKeyword {
  /// As people write it, near enough to ssh_config(5): letter case does not count.
  package var displayName: String {
    let name = "\(self)"
    return name.prefix(1).uppercased() + name.dropFirst()
  }

  /// How a keyword's arguments read.
  enum Syntax {
    /// One of the words, each with the word that `-G` prints for it.
    case states([(String, String)])
    case integer
    /// Seconds; `none` leaves the value unset.
    case time
    case string
    /// The rest of the line as it stands.
    case command
    /// One or more words; `none` only alone.
    case words(limit: Int)
    case port
    case algorithms(SSHAlgorithmKind)
    /// Has a rule of its own in the reader.
    case special
  }

  private static let flag: [(String, String)] = [
    ("true", "yes"), ("false", "no"), ("yes", "yes"), ("no", "no"),
  ]
  // -G prints the first word of each meaning, and for these that is true/false
  private static let yesNoAsk: [(String, String)] = [
    ("true", "true"), ("false", "false"), ("yes", "true"), ("no", "false"), ("ask", "ask"),
  ]

  /// From `keywords[]` and the `multistate_…` tables of readconf.c.
  var syntax: Syntax {
    switch self {
    case .batchMode, .canonicalizeFallbackLocal, .checkHostIP, .clearAllForwardings,
      .enableEscapeCommandline, .enableSSHKeysign, .exitOnForwardFailure,
      .forkAfterAuthentication, .forwardX11, .forwardX11Trusted, .gatewayPorts,
      .gssapiAuthentication, .gssapiDelegateCredentials, .gssapiKeyExchange,
      .gssapiRenewalForcesRekey, .gssapiTrustDNS, .hashKnownHosts, .hostbasedAuthentication,
      .identitiesOnly, .kbdInteractiveAuthentication, .noHostAuthenticationForLocalhost,
      .passwordAuthentication, .permitLocalCommand, .proxyUseFdpass, .stdinNull,
      .streamLocalBindUnlink, .tcpKeepAlive, .useKeychain, .visualHostKey:
      .states(Self.flag)
    case .updateHostKeys, .verifyHostKeyDNS: .states(Self.yesNoAsk)
    case .strictHostKeyChecking:
      .states([
        ("true", "true"), ("false", "false"), ("yes", "true"), ("no", "false"), ("ask", "ask"),
        ("off", "false"), ("accept-new", "accept-new"),
      ])
    case .compression: .states([("yes", "yes"), ("no", "no")])
    case .addressFamily: .states([("inet", "inet"), ("inet6", "inet6"), ("any", "any")])
    case .controlMaster:
      .states([
        ("true", "true"), ("yes", "true"), ("false", "false"), ("no", "false"), ("auto", "auto"),
        ("ask", "ask"), ("autoask", "autoask"),
      ])
    case .tunnel:
      .states([
        ("ethernet", "ethernet"), ("point-to-point", "point-to-point"),
        ("true", "point-to-point"), ("yes", "point-to-point"), ("false", "false"),
        ("no", "false"),
      ])
    case .requestTTY:
      .states([
        ("true", "true"), ("yes", "true"), ("false", "false"), ("no", "false"),
        ("force", "force"), ("auto", "auto"),
      ])
    case .sessionType:
      .states([("none", "none"), ("subsystem", "subsystem"), ("default", "default")])
    case .canonicalizeHostname:
      .states([
        ("true", "true"), ("false", "false"), ("yes", "true"), ("no", "false"),
        ("always", "always"),
      ])
    case .pubkeyAuthentication:
      .states([
        ("true", "true"), ("false", "false"), ("yes", "true"), ("no", "false"),
        ("unbound", "unbound"), ("host-bound", "host-bound"),
      ])
    case .fingerprintHash:
      .states(["MD5", "SHA1", "SHA256", "SHA384", "SHA512"].map { ($0, $0) })
    case .logLevel: .states(SSHLogLevel.spellings)
    case .syslogFacility:
      .states(
        (["DAEMON", "USER", "AUTH", "AUTHPRIV"] + (0...7).map { "LOCAL\($0)" }).map { ($0, $0) })
    case .canonicalizeMaxDots, .connectionAttempts, .numberOfPasswordPrompts, .requiredRSASize,
      .serverAliveCountMax:
      .integer
    case .connectTimeout, .forwardX11Timeout, .serverAliveInterval: .time
    case .bindAddress, .bindInterface, .controlPath, .gssapiClientIdentity,
      .gssapiKexAlgorithms, .gssapiServerIdentity, .hostKeyAlias, .hostName, .ignoreUnknown,
      .kbdInteractiveDevices, .pkcs11Provider, .preferredAuthentications, .revokedHostKeys,
      .securityKeyProvider, .tag, .user, .warnWeakCrypto, .xauthLocation:
      .string
    case .knownHostsCommand, .localCommand, .proxyCommand, .refuseConnection, .remoteCommand,
      .versionAddendum:
      .command
    case .globalKnownHostsFile, .userKnownHostsFile: .words(limit: 32)
    case .logVerbose, .channelTimeout, .obscureKeystrokeTiming: .words(limit: 256)
    case .port: .port
    case .ciphers: .algorithms(.cipher)
    case .macs: .algorithms(.mac)
    case .kexAlgorithms: .algorithms(.kex)
    case .hostKeyAlgorithms, .hostbasedAcceptedAlgorithms, .pubkeyAcceptedAlgorithms:
      .algorithms(.keySignature)
    case .caSignatureAlgorithms: .algorithms(.caSignature)
    case .addKeysToAgent, .canonicalDomains, .canonicalizePermittedCNAMEs, .certificateFile,
      .controlPersist, .dynamicForward, .escapeChar, .forwardAgent, .host, .identityAgent,
      .identityFile, .include, .ipQoS, .localForward, .match, .permitRemoteOpen, .proxyJump,
      .rekeyLimit, .remoteForward, .sendEnv, .setEnv, .streamLocalBindMask, .tunnelDevice:
      .special
    }
  }

  /// Accepted, and without effect here: told at `-v`, so that nobody relies on it unknowingly.
  package var isUnused: Bool { Self.unused.contains(self) }

  private static let unused: Set<SSHKeyword> = [
    .caSignatureAlgorithms, .channelTimeout, .checkHostIP, .controlMaster, .controlPath,
    .controlPersist, .enableEscapeCommandline, .enableSSHKeysign, .forwardX11, .forwardX11Timeout,
    .forwardX11Trusted, .gssapiAuthentication, .gssapiClientIdentity,
    .gssapiDelegateCredentials, .gssapiKexAlgorithms, .gssapiKeyExchange,
    .gssapiRenewalForcesRekey, .gssapiServerIdentity, .gssapiTrustDNS,
    .hostbasedAcceptedAlgorithms, .hostbasedAuthentication, .ipQoS, .kbdInteractiveDevices,
    .logVerbose, .obscureKeystrokeTiming, .pkcs11Provider, .proxyUseFdpass,
    .rekeyLimit, .securityKeyProvider, .syslogFacility, .tunnel, .tunnelDevice, .updateHostKeys,
    .useKeychain,
    .verifyHostKeyDNS, .versionAddendum, .warnWeakCrypto, .xauthLocation,
  ]
}

/// What a word at the start of a line means.
enum KeywordReading {
  case keyword(SSHKeyword)
  case jit(JitKeyword)
  /// Silently without effect (`Protocol`).
  case ignored
  case deprecated
  /// Refused by ssh with a message, and then skipped.
  case unsupported
  case unknown

  private static let aliases: [String: SSHKeyword] = [
    "challengeresponseauthentication": .kbdInteractiveAuthentication,
    "skeyauthentication": .kbdInteractiveAuthentication,
    "tisauthentication": .kbdInteractiveAuthentication,
    "dsaauthentication": .pubkeyAuthentication,
    "identityfile2": .identityFile,
    "smartcarddevice": .pkcs11Provider,
    "keepalive": .tcpKeepAlive,
    "hostbasedkeytypes": .hostbasedAcceptedAlgorithms,
    "hostbasedacceptedkeytypes": .hostbasedAcceptedAlgorithms,
    "pubkeyacceptedkeytypes": .pubkeyAcceptedAlgorithms,
    // Debian's
    "protocolkeepalives": .serverAliveInterval,
    "setuptimeout": .serverAliveInterval,
  ]
  private static let deprecatedWords: Set<String> = [
    "cipher", "fallbacktorsh", "globalknownhostsfile2", "rhostsauthentication",
    "useblacklistedkeys", "userknownhostsfile2", "useroaming", "usersh", "useprivilegedport",
  ]
  private static let unsupportedWords: Set<String> = [
    "afstokenpassing", "kerberosauthentication", "kerberostgtpassing", "rsaauthentication",
    "rhostsrsaauthentication", "compressionlevel",
  ]

  /// - Parameter word: in lower case.
  init(_ word: String) {
    if let keyword = SSHKeyword(rawValue: word) ?? Self.aliases[word] {
      self = .keyword(keyword)
    } else if let keyword = JitKeyword.named(word) {
      self = .jit(keyword)
    } else if word == "protocol" {
      self = .ignored
    } else if Self.deprecatedWords.contains(word) {
      self = .deprecated
    } else if Self.unsupportedWords.contains(word) {
      self = .unsupported
    } else {
      self = .unknown
    }
  }
}

/// ssh's log levels, least talkative first.
package enum SSHLogLevel: String, CaseIterable, Comparable, Sendable {
  case quiet = "QUIET"
  case fatal = "FATAL"
  case error = "ERROR"
  case info = "INFO"
  case verbose = "VERBOSE"
  case debug1 = "DEBUG1"
  case debug2 = "DEBUG2"
  case debug3 = "DEBUG3"

  static let spellings: [(String, String)] =
    [("SILENT", "QUIET")] + allCases.map { ($0.rawValue, $0.rawValue) } + [("DEBUG", "DEBUG1")]

  /// As `-G` prints it: the oldest name of the level.
  var printed: String {
    switch self {
    case .quiet: "SILENT"
    case .debug1: "DEBUG"
    default: rawValue
    }
  }

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  package static func < (left: SSHLogLevel, right: SSHLogLevel) -> Bool {
    left.rank < right.rank
  }

  /// One step more talkative, up to `DEBUG3`.
  var next: SSHLogLevel {
    let cases = Self.allCases
    return rank + 1 < cases.count ? cases[rank + 1] : self
  }
}
