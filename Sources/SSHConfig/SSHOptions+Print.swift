extension SSHOptions {
  /// What `-G` prints, line by line, in OpenSSH 9.2's order; our own settings follow where set.
  ///
  /// - Parameter defaults: the algorithms offered unasked, for lists with `+`, `-`, `^` or none.
  /// - Parameter all: the algorithms that patterns in a list may name.
  package func printedConfiguration(
    defaults: (SSHAlgorithmKind) -> [String] = { SSHAlgorithms.defaults($0) },
    all: (SSHAlgorithmKind) -> [String] = { SSHAlgorithms.all($0) }
  ) -> [String] {
    var lines: [String] = []
    func add(_ keyword: SSHKeyword, _ text: String?) {
      if let text { lines.append("\(keyword.rawValue) \(text)") }
    }
    func addSet(_ keyword: SSHKeyword, default value: String? = nil) {
      add(keyword, draft[keyword] ?? value)
    }
    func addCommand(_ keyword: SSHKeyword) { add(keyword, draft.unlessNone(keyword)) }
    func addList(_ keyword: SSHKeyword, _ kind: SSHAlgorithmKind) {
      let names =
        draft[keyword].map {
          SSHAlgorithmList($0).assembled(defaults: defaults(kind), all: all(kind))
        } ?? defaults(kind)
      add(keyword, names.isEmpty ? draft[keyword] : names.joined(separator: ","))
    }

    add(.host, draft.hostArgument)
    add(.user, draft[.user] ?? tokens.localUser)
    add(.hostName, draft.resolvedHost)
    add(.port, String(port))

    for (keyword, value) in Self.flagOrder { addSet(keyword, default: value) }
    add(.updateHostKeys, Self.updatePrinted[updateHostKeys])
    addSet(.enableEscapeCommandline, default: "no")

    addSet(.canonicalizeMaxDots, default: "1")
    addSet(.connectionAttempts, default: "1")
    addSet(.forwardX11Timeout, default: "1200")
    addSet(.numberOfPasswordPrompts, default: "3")
    addSet(.serverAliveCountMax, default: "3")
    add(.serverAliveInterval, String(draft.aliveInterval))
    addSet(.requiredRSASize, default: "1024")

    addSet(.bindAddress)
    addSet(.bindInterface)
    addList(.ciphers, .cipher)
    addCommand(.controlPath)
    addList(.hostKeyAlgorithms, .keySignature)
    addSet(.hostKeyAlias)
    addList(.hostbasedAcceptedAlgorithms, .keySignature)
    addSet(.identityAgent)
    addSet(.ignoreUnknown)
    addSet(.kbdInteractiveDevices)
    addList(.kexAlgorithms, .kex)
    addList(.caSignatureAlgorithms, .caSignature)
    addCommand(.localCommand)
    addCommand(.remoteCommand)
    add(.logLevel, logLevel.printed)
    addList(.macs, .mac)
    addCommand(.pkcs11Provider)
    if draft[.securityKeyProvider] == nil {
      add(.securityKeyProvider, "internal")
    } else {
      addCommand(.securityKeyProvider)
    }
    addSet(.preferredAuthentications)
    addList(.pubkeyAcceptedAlgorithms, .keySignature)
    addCommand(.revokedHostKeys)
    addSet(.xauthLocation, default: "/usr/bin/xauth")
    addCommand(.knownHostsCommand)

    // ssh lists a forward to a socket under both keywords
    for forward in draft.localForwards {
      switch forward.target {
      case .socks: add(.dynamicForward, forward.printed)
      case .socket: add(.dynamicForward, forward.printedListener)
      case .port: break
      }
    }
    for forward in draft.localForwards where forward.target != .socks {
      add(.localForward, forward.printed)
    }
    for forward in draft.remoteForwards {
      // ssh prints a remote SOCKS forward's target as the word it keeps inside
      let target = forward.target == .socks ? " [socks]:0" : ""
      add(.remoteForward, forward.printed + target)
    }

    for file in draft.identityFiles { add(.identityFile, file.path) }
    addSet(.canonicalDomains, default: "none")
    for file in draft.certificateFiles { add(.certificateFile, file.path) }
    add(.globalKnownHostsFile, Self.joined(draft.globalKnownHosts))
    add(.userKnownHostsFile, Self.joined(draft.knownHosts))
    for name in draft.sendEnv { add(.sendEnv, name) }
    for entry in draft.setEnv { add(.setEnv, entry) }
    addSet(.logVerbose, default: "none")
    lines += specialLines()
    return lines + jitLines()
  }

  private static func joined(_ words: [String]) -> String {
    words.isEmpty ? "none" : words.joined(separator: " ")
  }

  private static let updatePrinted: [YesNoAsk: String] = [
    .yes: "true", .no: "false", .ask: "ask",
  ]

  private static let flagOrder: [(SSHKeyword, String?)] = [
    (.addressFamily, "any"), (.batchMode, "no"), (.canonicalizeFallbackLocal, "yes"),
    (.canonicalizeHostname, "false"), (.checkHostIP, "no"), (.compression, "no"),
    (.controlMaster, "false"), (.enableSSHKeysign, "no"), (.clearAllForwardings, "no"),
    (.exitOnForwardFailure, "no"), (.fingerprintHash, "SHA256"), (.forwardX11, "no"),
    (.forwardX11Trusted, "yes"), (.gatewayPorts, "no"), (.gssapiAuthentication, "no"),
    (.gssapiKeyExchange, nil), (.gssapiDelegateCredentials, "no"), (.gssapiTrustDNS, nil),
    (.gssapiRenewalForcesRekey, nil), (.gssapiClientIdentity, nil),
    (.gssapiServerIdentity, nil), (.gssapiKexAlgorithms, nil), (.hashKnownHosts, "no"),
    (.hostbasedAuthentication, "no"), (.identitiesOnly, "no"),
    (.kbdInteractiveAuthentication, "yes"), (.noHostAuthenticationForLocalhost, "no"),
    (.passwordAuthentication, "yes"), (.permitLocalCommand, "no"), (.proxyUseFdpass, "no"),
    (.pubkeyAuthentication, "true"), (.requestTTY, "auto"), (.sessionType, "default"),
    (.stdinNull, "no"), (.forkAfterAuthentication, "no"), (.streamLocalBindUnlink, "no"),
    (.strictHostKeyChecking, "ask"), (.tcpKeepAlive, "yes"), (.tunnel, "false"),
    (.verifyHostKeyDNS, "false"), (.visualHostKey, "no"),
  ]

  /// The lines whose values are put together from several.
  private func specialLines() -> [String] {
    var lines = ["permitremoteopen \(draft[.permitRemoteOpen] ?? "any")"]
    let adding = draft[.addKeysToAgent] ?? "false"
    if let lifetime = draft.addKeysLifetime, lifetime > 0 {
      lines.append("addkeystoagent\(adding == "confirm" ? " confirm" : "") \(lifetime)")
    } else {
      lines.append("addkeystoagent \(adding)")
    }
    lines.append("forwardagent \(draft.forwardAgentPath ?? draft[.forwardAgent] ?? "no")")
    lines.append("connecttimeout \(draft[.connectTimeout] ?? "none")")
    lines.append("tunneldevice \(draft[.tunnelDevice] ?? "any:any")")
    // ssh's own spelling of the key
    let names = draft[.canonicalizePermittedCNAMEs] ?? "none"
    lines.append("canonicalizePermittedcnames \(names)")
    if draft.isYes(.controlPersist), let time = draft.controlPersistTime, time > 0 {
      lines.append("controlpersist \(time)")
    } else {
      lines.append("controlpersist \(draft[.controlPersist] ?? "no")")
    }
    lines.append("escapechar \(printedEscape)")
    lines.append("ipqos \(draft[.ipQoS] ?? "lowdelay throughput")")
    lines.append("rekeylimit \(draft[.rekeyLimit] ?? "0") \(draft.rekeyInterval ?? 0)")
    lines.append("streamlocalbindmask 0\(String(streamLocalBindMask, radix: 8))")
    lines.append("syslogfacility \(draft[.syslogFacility] ?? "USER")")
    if let jump = proxyJump {
      lines.append("proxyjump \(jump.printed)")
    } else if let command = proxyCommand {
      lines.append("proxycommand \(command)")
    }
    for keyword in [SSHKeyword.tag, .channelTimeout, .obscureKeystrokeTiming, .versionAddendum] {
      if let text = draft[keyword] { lines.append("\(keyword.rawValue) \(text)") }
    }
    return lines
  }

  private func jitLines() -> [String] {
    JitKeyword.allCases.flatMap { keyword in
      let lines =
        keyword == .sourceSet
        ? jit.sourceSets.map { $0.set.text[...] }
        : jit.values[keyword]?.text.split(separator: "\n") ?? []
      return lines.map { "\(lowercased(keyword.rawValue)) \($0)" }
    }
  }

  /// As vis(3) writes it.
  private var printedEscape: String {
    guard let byte = escapeChar else { return "none" }
    func text(_ byte: UInt8) -> String { String(decoding: [byte], as: UTF8.self) }
    switch byte {
    case UInt8(ascii: "\\"): return "\\\\"
    case 0x21...0x7E: return text(byte)
    case 0x20, 0xA0: return byte == 0x20 ? "\\040" : "\\240"
    case 0x7F: return "\\^?"
    case 0xFF: return "\\M^?"
    case 0x00..<0x20: return "\\^" + text(byte + 0x40)
    case 0x80..<0xA0: return "\\M^" + text(byte - 0x80 + 0x40)
    default: return "\\M-" + text(byte - 0x80)
    }
  }
}
