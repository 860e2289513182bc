/// Fills in the defaults, expands what takes tokens and checks what must fit together.
struct SSHOptionsBuilder {
  var draft: SSHConfigDraft
  let world: SSHConfigWorld
  let command: SSHCommandLine
  let hostNameOrigin: SSHOrigin?
  var notes: [SSHConfigNote]
  let filesRead: [String]
  let verbosity: Int

  private var port: Int { draft.number(.port) ?? 22 }
  private var user: String { draft[.user] ?? world.userName }

  mutating func build() throws(SSHConfigError) -> SSHOptions {
    if draft.jumpIsNone { draft.settings[.proxyJump] = nil }
    if draft.stdioForward != nil {
      // what -W implies, unless something says otherwise
      draft.set(.exitOnForwardFailure, ["yes"], .commandLine)
      draft.set(.clearAllForwardings, ["yes"], .commandLine)
    }
    if draft.isYes(.clearAllForwardings) {
      draft.localForwards = []
      draft.remoteForwards = []
      draft.settings[.tunnel] = nil
    }
    if let alias = draft.settings[.hostKeyAlias] {
      draft.settings[.hostKeyAlias]?.words = alias.words.map { lowercased($0) }
    }
    try check()
    let tokens = makeTokens()
    try expandDraft(tokens)
    return try makeOptions(tokens)
  }

  private func check() throws(SSHConfigError) {
    if let text = draft[.refuseConnection], !command.printsConfiguration {
      throw SSHConfigError(
        .refused, "RefuseConnection: \(text)", file: draft.settings[.refuseConnection]?.origin.path,
        line: draft.settings[.refuseConnection]?.origin.line)
    }
    if let jump = draft.jump?.hops.last, jump.host == draft.resolvedHost,
      port == jump.port ?? 22, user == jump.user ?? user
    {
      throw SSHConfigError(.option, "jumphost loop via \(jump.host)")
    }
    if draft.number(.connectionAttempts) == 0 {
      throw SSHConfigError(.option, "Invalid number of ConnectionAttempts")
    }
    let remote = draft.unlessNone(.remoteCommand)
    if command.commandText != nil, remote != nil {
      throw SSHConfigError(.option, "Cannot execute command-line and remote command.")
    }
    if draft.isYes(.forkAfterAuthentication), command.commandText == nil, remote == nil,
      draft[.sessionType] != "none"
    {
      throw SSHConfigError(
        .option, "Cannot fork into background without a command to execute.")
    }
  }

  private func makeTokens() -> SSHTokens {
    SSHTokens(
      host: draft.resolvedHost,
      originalHost: SSHDestination.tokenHost(draft.hostArgument), port: port, user: user,
      localUser: world.userName, userID: world.userID, home: world.home,
      localHost: world.hostName, hostKeyAlias: draft[.hostKeyAlias],
      jumpHost: draft.jump?.hops.last?.host ?? "")
  }

  // MARK: Expansion

  private func tilde(_ path: String) throws(SSHConfigError) -> String {
    guard let expanded = world.expandingTilde(path) else {
      let name = path.utf8.dropFirst().prefix { $0 != UInt8(ascii: "/") }
      throw SSHConfigError(.option, "No such user \(String(decoding: name, as: UTF8.self))")
    }
    return expanded
  }

  /// `~`, tokens and `${…}`, as paths take them.
  private func path(_ text: String, _ tokens: SSHTokens) throws(SSHConfigError) -> String {
    try SSHTokens.expand(try tilde(text), environment: world.environment) {
      tokens.value($0, .common)
    }
  }

  private func paths(_ texts: [String], _ tokens: SSHTokens) throws(SSHConfigError) -> [String] {
    var result: [String] = []
    for text in texts { result.append(try path(text, tokens)) }
    return result
  }

  private func sockets(
    _ forwards: [SSHForward], _ tokens: SSHTokens
  ) throws(SSHConfigError) -> [SSHForward] {
    var result: [SSHForward] = []
    for var forward in forwards {
      if case .socket(let path) = forward.listener {
        forward.listener = .socket(path: try tokens.expand(path, .common))
      }
      if case .socket(let path) = forward.target {
        forward.target = .socket(path: try tokens.expand(path, .common))
      }
      result.append(forward)
    }
    return result
  }

  private static let defaultUserKnownHosts = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
  private static let defaultGlobalKnownHosts = [
    "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
  ]
  private static let defaultIdentities = [
    "id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa",
  ].map { "~/.ssh/\($0)" }

  /// Expands in the draft what `-G` prints expanded.
  private mutating func expandDraft(_ tokens: SSHTokens) throws(SSHConfigError) {
    if let text = draft.unlessNone(.remoteCommand) {
      draft.settings[.remoteCommand]?.words = [try tokens.expand(text, .common)]
    }
    if let text = draft.unlessNone(.controlPath) {
      let expanded = try path(text, tokens)
      draft.settings[.controlPath]?.words = [expanded]
    }
    if let text = draft[.identityAgent] {
      let expanded = try path(text, tokens)
      draft.settings[.identityAgent]?.words = [expanded]
    }
    for keyword in [JitKeyword.rdpFile, .rdpSign, .rdpSignKey, .rdpSignPassphrase] {
      guard let file = draft.jit[keyword]?.text else { continue }
      let expanded = try tilde(file)
      draft.jit[keyword]?.text = expanded
    }
    if let text = draft.forwardAgentPath {
      draft.forwardAgentPath = try path(text, tokens)
    }
    let user = draft.settings[.userKnownHostsFile]?.words ?? Self.defaultUserKnownHosts
    let isUserSet = draft.settings[.userKnownHostsFile] != nil
    draft.knownHosts =
      user.first.map { sameWord($0, "none") } ?? false ? [] : try paths(user, tokens)
    let global = draft.settings[.globalKnownHostsFile]?.words ?? Self.defaultGlobalKnownHosts
    draft.globalKnownHosts = global.first.map { sameWord($0, "none") } ?? false ? [] : global
    draft.updatesHostKeys = updateRule(userFiles: isUserSet ? user : [])
    if draft.identityFiles.isEmpty {
      for name in Self.defaultIdentities { draft.addIdentity(name, isExplicit: false) }
    }
    draft.localForwards = try sockets(draft.localForwards, tokens)
    draft.remoteForwards = try sockets(draft.remoteForwards, tokens)
  }

  /// `UpdateHostKeys` as ssh settles it: on by default only beside the default files, and asking
  /// only where somebody can answer.
  private func updateRule(userFiles: [String]) -> SSHOptions.YesNoAsk {
    switch draft[.updateHostKeys] {
    case "true": return .yes
    case "false": return .no
    case "ask": break
    default:
      let isPlain =
        (draft[.verifyHostKeyDNS] ?? "false") == "false"
        && (userFiles.isEmpty || userFiles == ["~/.ssh/known_hosts"])
      return isPlain ? .yes : .no
    }
    if draft.isYes(.controlPersist), draft.unlessNone(.controlPath) != nil { return .no }
    let runsCommand = command.commandText != nil || draft.unlessNone(.remoteCommand) != nil
    if runsCommand || draft[.requestTTY] == "false" { return .no }
    let level = draft[.logLevel].flatMap { SSHLogLevel(rawValue: $0) } ?? .info
    return level < .info ? .no : .ask
  }

  private func keyFiles(
    _ files: [SSHConfigDraft.NamedFile], _ tokens: SSHTokens
  ) throws(SSHConfigError) -> [SSHOptions.KeyFile] {
    var result: [SSHOptions.KeyFile] = []
    for file in files where !sameWord(file.path, "none") {
      // -G shows them as written, so what is wrong with one is told only when it is to be used
      if command.printsConfiguration {
        result.append(SSHOptions.KeyFile(path: file.path, isExplicit: file.isExplicit))
      } else {
        result.append(
          SSHOptions.KeyFile(path: try path(file.path, tokens), isExplicit: file.isExplicit))
      }
    }
    return result
  }

  private func list(_ keyword: SSHKeyword) -> SSHAlgorithmList? {
    draft[keyword].map { SSHAlgorithmList($0) }
  }

  // MARK: The typed settings

  private mutating func makeOptions(_ tokens: SSHTokens) throws(SSHConfigError) -> SSHOptions {
    let batch = draft.isYes(.batchMode)
    let interval = draft.number(.serverAliveInterval) ?? (batch ? 300 : 0)
    draft.aliveInterval = interval
    let remote = draft.unlessNone(.remoteCommand)
    var revoked: String?
    if let text = draft.unlessNone(.revokedHostKeys) { revoked = try tilde(text) }
    return SSHOptions(
      originalHost: draft.hostArgument,
      hostName: hostNameOrigin == nil ? nil : draft.resolvedHost,
      connectHost: draft.resolvedHost,
      hostNameOrigin: hostNameOrigin,
      user: draft[.user], userOrigin: draft.settings[.user]?.origin,
      port: port, portOrigin: draft.settings[.port]?.origin,
      addressFamily: draft[.addressFamily].flatMap { .init(rawValue: $0) } ?? .any,
      bindAddress: draft[.bindAddress], bindInterface: draft[.bindInterface],
      // As ssh: 0 leaves it to the system.
      connectTimeout: draft.number(.connectTimeout).flatMap { $0 > 0 ? $0 : nil },
      connectionAttempts: draft.number(.connectionAttempts) ?? 1,
      tcpKeepAlive: draft.isYes(.tcpKeepAlive, default: true),
      proxyJump: draft.jump, proxyCommand: draft.unlessNone(.proxyCommand),
      proxyPassesSocket: draft.isYes(.proxyUseFdpass), tag: draft[.tag],
      strictHostKeyChecking: strictness, hostKeyAlias: draft[.hostKeyAlias],
      userKnownHostsFiles: draft.knownHosts,
      userKnownHostsFilesOrigin: draft.settings[.userKnownHostsFile]?.origin,
      globalKnownHostsFiles: draft.globalKnownHosts,
      revokedHostKeys: revoked,
      knownHostsCommand: draft.unlessNone(.knownHostsCommand),
      hashKnownHosts: draft.isYes(.hashKnownHosts), visualHostKey: draft.isYes(.visualHostKey),
      fingerprintHash: draft[.fingerprintHash] ?? "SHA256", updateHostKeys: draft.updatesHostKeys,
      checkHostIP: draft.isYes(.checkHostIP),
      noHostAuthenticationForLocalhost: draft.isYes(.noHostAuthenticationForLocalhost),
      requiredRSASize: draft.number(.requiredRSASize) ?? 1024,
      ciphers: list(.ciphers), macs: list(.macs), kexAlgorithms: list(.kexAlgorithms),
      hostKeyAlgorithms: list(.hostKeyAlgorithms),
      pubkeyAcceptedAlgorithms: list(.pubkeyAcceptedAlgorithms),
      caSignatureAlgorithms: list(.caSignatureAlgorithms),
      compression: draft.isYes(.compression),
      identityFiles: try keyFiles(draft.identityFiles, tokens),
      certificateFiles: try keyFiles(draft.certificateFiles, tokens),
      identitiesOnly: draft.isYes(.identitiesOnly), identityAgent: identityAgent,
      addKeysToAgent: addKeysToAgent,
      preferredAuthentications: draft[.preferredAuthentications].map { JitKeyword.list($0) },
      pubkeyAuthentication: pubkey,
      passwordAuthentication: draft.isYes(.passwordAuthentication, default: true),
      kbdInteractiveAuthentication: draft.isYes(.kbdInteractiveAuthentication, default: true),
      numberOfPasswordPrompts: draft.number(.numberOfPasswordPrompts) ?? 3,
      batchMode: batch, requestTTY: requestTTY, sessionType: sessionType,
      remoteCommand: command.commandText ?? remote,
      remoteCommandIsConfigured: command.commandText == nil && remote != nil,
      stdinNull: draft.isYes(.stdinNull),
      forkAfterAuthentication: draft.isYes(.forkAfterAuthentication),
      escapeChar: escapeChar,
      sendEnv: draft.sendEnv, setEnv: setEnv,
      permitLocalCommand: draft.isYes(.permitLocalCommand),
      localCommand: draft.unlessNone(.localCommand),
      serverAliveInterval: interval,
      serverAliveCountMax: draft.number(.serverAliveCountMax) ?? 3,
      localForwards: draft.localForwards, remoteForwards: draft.remoteForwards,
      stdioForward: draft.stdioForward, gatewayPorts: draft.isYes(.gatewayPorts),
      exitOnForwardFailure: draft.isYes(.exitOnForwardFailure),
      clearAllForwardings: draft.isYes(.clearAllForwardings), forwardAgent: forwardAgent,
      permitRemoteOpen: permitRemoteOpen,
      streamLocalBindMask: draft.number(.streamLocalBindMask) ?? 0o177,
      streamLocalBindUnlink: draft.isYes(.streamLocalBindUnlink),
      forwardX11: draft.isYes(.forwardX11), controlMaster: controlMaster,
      controlPath: draft.unlessNone(.controlPath),
      controlPersist: draft.isYes(.controlPersist) ? draft.controlPersistTime ?? 0 : nil,
      wantsTunnel: draft[.tunnel].map { $0 != "false" } ?? false,
      logLevel: draft[.logLevel].flatMap { SSHLogLevel(rawValue: $0) } ?? .info,
      verbosity: min(3, verbosity),
      jit: JitSettings(values: draft.jit, sourceSets: draft.sourceSets),
      unusedKeywords: unused, notes: notes + unused.map { Self.unusedNote($0, draft) },
      tokens: tokens, filesRead: filesRead, draft: draft)
  }

  private var unused: [SSHKeyword] {
    SSHKeyword.allCases.filter { $0.isUnused && draft.settings[$0] != nil }
  }

  private static func unusedNote(
    _ keyword: SSHKeyword, _ draft: SSHConfigDraft
  ) -> SSHConfigNote {
    let place = draft.settings[keyword].map { "\($0.origin.place): " } ?? ""
    return SSHConfigNote(.debug, "\(place)\(keyword.rawValue) has no effect here")
  }

  private var escapeChar: UInt8? {
    guard let text = draft[.escapeChar] else { return UInt8(ascii: "~") }
    return UInt8(text)
  }

  private var strictness: SSHOptions.StrictHostKeyChecking {
    switch draft[.strictHostKeyChecking] {
    case "true": .yes
    case "false": .no
    case "accept-new": .acceptNew
    default: .ask
    }
  }

  private var requestTTY: SSHOptions.RequestTTY {
    switch draft[.requestTTY] {
    case "true": .yes
    case "false": .no
    case "force": .force
    default: .auto
    }
  }

  private var sessionType: SSHOptions.SessionType {
    switch draft[.sessionType] {
    case "none": .none
    case "subsystem": .subsystem
    default: .standard
    }
  }

  private var pubkey: SSHOptions.Pubkey {
    switch draft[.pubkeyAuthentication] {
    case "false": .no
    case "unbound": .unbound
    case "host-bound": .hostBound
    default: .yes
    }
  }

  private var controlMaster: SSHOptions.ControlMaster {
    switch draft[.controlMaster] {
    case "true": .yes
    case "auto": .auto
    case "ask": .ask
    case "autoask": .autoask
    default: .no
    }
  }

  private var forwardAgent: SSHOptions.ForwardAgent {
    guard draft.isYes(.forwardAgent) else { return .no }
    guard let path = draft.forwardAgentPath else { return .yes }
    // $VARIABLE, the older form
    if path.utf8.first == UInt8(ascii: "$") {
      return world.environment(path.withoutFirstByte).map { .socket($0) } ?? .no
    }
    return .socket(path)
  }

  private var identityAgent: SSHOptions.IdentityAgent {
    guard let text = draft[.identityAgent] else { return .environment }
    if sameWord(text, "none") { return .none }
    if text == "SSH_AUTH_SOCK" { return .environment }
    if text.utf8.first == UInt8(ascii: "$") {
      return world.environment(text.withoutFirstByte).map { .socket($0) } ?? .none
    }
    return .socket(text)
  }

  private var addKeysToAgent: SSHOptions.AddKeysToAgent {
    let lifetime = draft.addKeysLifetime.flatMap { $0 > 0 ? $0 : nil }
    return switch draft[.addKeysToAgent] {
    case "true": .yes(lifetime: lifetime)
    case "ask": .ask
    case "confirm": .confirm(lifetime: lifetime)
    default: .no
    }
  }

  private var setEnv: [SSHOptions.EnvironmentEntry] {
    draft.setEnv.compactMap { entry in
      guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      return SSHOptions.EnvironmentEntry(
        name: String(entry[..<equals]),
        value: String(entry[entry.utf8.index(after: equals)...]))
    }
  }

  private var permitRemoteOpen: [SSHOptions.PermittedTarget]? {
    guard let words = draft.settings[.permitRemoteOpen]?.words,
      !words.contains(where: { sameWord($0, "any") })
    else { return nil }
    // "none" is no target; the others have been checked.
    return words.compactMap { word in
      guard let (host, rest) = SSHDestination.hostAndRest(Array(word.utf8)[...]), let rest else {
        return nil
      }
      let port = String(decoding: rest, as: UTF8.self)
      return SSHOptions.PermittedTarget(
        host: String(decoding: host, as: UTF8.self), port: port == "*" ? nil : world.port(port))
    }
  }
}
