extension SSHConfigReader {
  /// Reads the arguments of a keyword that is neither `Host`, `Match` nor `Include`.
  mutating func read(
    _ keyword: SSHKeyword, _ arguments: inout ConfigArguments, _ context: Context
  ) throws(LineFailure) {
    let origin = arguments.origin
    let active = arguments.isActive
    switch keyword.syntax {
    case .states(let states):
      let printed = try state(keyword, states, &arguments)
      if active { draft.set(keyword, [printed], origin) }
    case .integer:
      let word = arguments.next() ?? ""
      switch wholeNumber(word, in: 0...Int(Int32.max)) {
      case .number(let number): if active { draft.set(keyword, [String(number)], origin) }
      case let reading:
        throw arguments.bad("integer value \(word.isEmpty ? "missing" : reading.complaint).")
      }
    case .time:
      if let seconds = try time(&arguments), active {
        draft.set(keyword, [String(seconds)], origin)
      }
    case .string:
      let word = try arguments.required()
      if active { draft.set(keyword, [word], origin) }
    case .command:
      let text = arguments.command()
      if active { draft.set(keyword, [text], origin) }
    case .words(let limit):
      let words = try self.words(&arguments)
      if words.count > limit, active, draft.settings[keyword] == nil {
        throw arguments.bad("too many \(arguments.keyword) entries.")
      }
      if active, !words.isEmpty { draft.set(keyword, words, origin) }
    case .port:
      let word = try arguments.required()
      guard let port = world.port(word), port > 0 else {
        throw arguments.bad("Bad port '\(word)'.")
      }
      if active { draft.set(keyword, [String(port)], origin) }
    case .algorithms(let kind):
      let word = try arguments.required()
      if SSHAlgorithmList(word).unknownName(kind) != nil {
        throw arguments.bad("\(Self.algorithmComplaint(kind)) '\(word)'.")
      }
      if active { draft.set(keyword, [word], origin) }
    case .special:
      try readSpecial(keyword, &arguments, context)
    }
  }

  private static func algorithmComplaint(_ kind: SSHAlgorithmKind) -> String {
    switch kind {
    case .cipher: "Bad SSH2 cipher spec"
    case .mac: "Bad SSH2 MAC spec"
    case .kex: "Bad SSH2 KexAlgorithms"
    case .keySignature, .caSignature: "Bad key types"
    }
  }

  private func state(
    _ keyword: SSHKeyword, _ states: [(String, String)], _ arguments: inout ConfigArguments
  ) throws(LineFailure) -> String {
    let word = arguments.next() ?? ""
    for (spelling, printed) in states where sameWord(spelling, word) { return printed }
    switch keyword {
    case .logLevel: throw arguments.bad("unsupported log level '\(word)'")
    case .syslogFacility: throw arguments.bad("unsupported log facility '\(word)'")
    case .fingerprintHash where word.isEmpty: throw arguments.bad("Missing argument.")
    case .fingerprintHash: throw arguments.bad("Invalid hash algorithm \"\(word)\".")
    default:
      throw arguments.bad(
        word.isEmpty ? "missing argument." : "unsupported option \"\(word)\".")
    }
  }

  /// Seconds; nil for `none`.
  private func time(_ arguments: inout ConfigArguments) throws(LineFailure) -> Int? {
    let word = try arguments.required("missing time value.")
    if word == "none" { return nil }
    guard let seconds = SSHDuration.seconds(word) else {
      throw arguments.bad("invalid time value.")
    }
    return seconds
  }

  /// All words; `none` only alone.
  func words(_ arguments: inout ConfigArguments) throws(LineFailure) -> [String] {
    var words: [String] = []
    while let word = arguments.next() {
      if word.isEmpty { throw arguments.bad("keyword \(arguments.keyword) empty argument") }
      if sameWord(word, "none"), !words.isEmpty || !arguments.isEmpty {
        throw arguments.bad(
          "keyword \(arguments.keyword) \"none\" argument must appear alone.")
      }
      words.append(word)
    }
    return words
  }

  // MARK: Keywords with a rule of their own

  private mutating func readSpecial(
    _ keyword: SSHKeyword, _ arguments: inout ConfigArguments, _ context: Context
  ) throws(LineFailure) {
    switch keyword {
    case .identityFile, .certificateFile:
      try readKeyFile(keyword, &arguments, context)
    case .localForward, .remoteForward, .dynamicForward:
      try readForward(keyword, &arguments)
    case .sendEnv: try readSendEnv(&arguments)
    case .setEnv: try readSetEnv(&arguments)
    case .proxyJump: try readProxyJump(&arguments, context)
    case .forwardAgent: try readForwardAgent(&arguments)
    case .identityAgent:
      let path = try agentPath(arguments.required(), arguments)
      if arguments.isActive { draft.set(keyword, [path], arguments.origin) }
    case .addKeysToAgent: try readAddKeysToAgent(&arguments)
    case .controlPersist: try readControlPersist(&arguments)
    case .escapeChar:
      let word = try arguments.required()
      guard let printed = Self.escapeCharacter(word) else {
        throw arguments.bad("Bad escape character.")
      }
      if arguments.isActive { draft.set(keyword, [printed], arguments.origin) }
    case .rekeyLimit: try readRekeyLimit(&arguments)
    case .ipQoS: try readIPQoS(&arguments)
    case .tunnelDevice:
      let word = try arguments.required()
      guard let printed = Self.tunnelDevice(word) else { throw arguments.bad("Bad tun device.") }
      if arguments.isActive { draft.set(keyword, [printed], arguments.origin) }
    case .streamLocalBindMask:
      let word = try arguments.required("Missing StreamLocalBindMask argument.")
      guard let mask = Int(word, radix: 8), (0...0o777).contains(mask) else {
        throw arguments.bad("Bad mask.")
      }
      if arguments.isActive { draft.set(keyword, [String(mask)], arguments.origin) }
    case .permitRemoteOpen: try readPermitRemoteOpen(&arguments)
    case .canonicalDomains: try readCanonicalDomains(&arguments)
    case .canonicalizePermittedCNAMEs: try readPermittedCNAMEs(&arguments)
    default: _ = arguments.takeAll()
    }
  }

  private mutating func readKeyFile(
    _ keyword: SSHKeyword, _ arguments: inout ConfigArguments, _ context: Context
  ) throws(LineFailure) {
    let path = try arguments.required()
    guard arguments.isActive else { return }
    let isIdentity = keyword == .identityFile
    let count = isIdentity ? draft.identityFiles.count : draft.certificateFiles.count
    if count >= 100 {
      let what = isIdentity ? "identity" : "certificate"
      throw arguments.bad("Too many \(what) files specified (max 100).")
    }
    if isIdentity {
      draft.addIdentity(path, isExplicit: context.kind.isUsers)
    } else {
      draft.addCertificate(path, isExplicit: context.kind.isUsers)
    }
  }

  private mutating func readForwardAgent(_ arguments: inout ConfigArguments) throws(LineFailure) {
    let word = try arguments.required("missing argument.")
    for (spelling, value) in ["true": "yes", "false": "no", "yes": "yes", "no": "no"]
    where sameWord(spelling, word) {
      if arguments.isActive { draft.set(.forwardAgent, [value], arguments.origin) }
      return
    }
    let path = try agentPath(word, arguments)
    guard arguments.isActive else { return }
    draft.set(.forwardAgent, ["yes"], arguments.origin)
    if draft.forwardAgentPath == nil { draft.forwardAgentPath = path }
  }

  private func agentPath(
    _ word: String, _ arguments: ConfigArguments
  ) throws(LineFailure) -> String {
    if (try? SSHTokens.expand(word, environment: world.environment, token: nil)) == nil {
      throw arguments.bad("Invalid environment expansion \(word).")
    }
    let bytes = Array(word.utf8)
    if bytes.first == UInt8(ascii: "$"), bytes.count < 2 || bytes[1] != UInt8(ascii: "{") {
      let name = bytes.dropFirst()
      let valid = name.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
      if name.isEmpty || !valid { throw arguments.bad("Invalid environment name \(word).") }
    }
    return word
  }

  private mutating func readAddKeysToAgent(
    _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    let word = arguments.next() ?? ""
    let second = arguments.next()
    if word.isEmpty { throw arguments.bad("missing argument.") }
    let states = [
      "true": "true", "false": "false", "yes": "true", "no": "false", "ask": "ask",
      "confirm": "confirm",
    ]
    var value = states[lowercased(word)]
    var lifetime = 0
    if value == "confirm", let second {
      guard let seconds = SSHDuration.seconds(second) else {
        throw arguments.bad("invalid time value.")
      }
      lifetime = seconds
    } else if value == nil, second == nil, let seconds = SSHDuration.seconds(word) {
      value = "true"
      lifetime = seconds
    } else if value == nil || second != nil {
      throw arguments.bad("unsupported option")
    }
    if arguments.isActive, let value, draft.settings[.addKeysToAgent] == nil {
      draft.set(.addKeysToAgent, [value], arguments.origin)
      draft.addKeysLifetime = lifetime
    }
  }

  private mutating func readControlPersist(
    _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    let word = try arguments.required("Missing ControlPersist argument.")
    let value: String
    var seconds = 0
    switch word {
    case "no", "false": value = "no"
    case "yes", "true": value = "yes"
    default:
      guard let read = SSHDuration.seconds(word) else {
        throw arguments.bad("Bad ControlPersist argument.")
      }
      value = "yes"
      seconds = read
    }
    if arguments.isActive, draft.settings[.controlPersist] == nil {
      draft.set(.controlPersist, [value], arguments.origin)
      draft.controlPersistTime = seconds
    }
  }

  private mutating func readRekeyLimit(_ arguments: inout ConfigArguments) throws(LineFailure) {
    let word = try arguments.required()
    var bytes = 0
    if word != "default" {
      guard let scaled = Self.scaledNumber(word) else {
        throw arguments.bad("Bad number '\(word)': Invalid argument")
      }
      if scaled != 0, scaled < 16 { throw arguments.bad("RekeyLimit too small") }
      bytes = scaled
    }
    if arguments.isActive { draft.set(.rekeyLimit, [String(bytes)], arguments.origin) }
    guard !arguments.isEmpty else { return }
    if let seconds = try time(&arguments), arguments.isActive, draft.rekeyInterval == nil {
      draft.rekeyInterval = seconds
    }
  }

  private mutating func readIPQoS(_ arguments: inout ConfigArguments) throws(LineFailure) {
    var printed: [String] = []
    for _ in 0..<2 {
      guard let word = arguments.next() else {
        if printed.isEmpty { throw arguments.bad("Bad IPQoS value: (null)") }
        printed.append(printed[0])
        break
      }
      guard let value = Self.ipQoS(word) else {
        throw arguments.bad("Bad IPQoS value: \(word)")
      }
      printed.append(value)
    }
    if arguments.isActive { draft.set(.ipQoS, printed, arguments.origin) }
  }
}
