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
  private func words(_ arguments: inout ConfigArguments) throws(LineFailure) -> [String] {
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

  /// The forwarding that a command line or a file asks for; nil if it does not read as one.
  func forward(_ text: String, _ direction: SSHForward.Direction) -> SSHForward? {
    guard
      let expanded = try? SSHTokens.expand(text, environment: world.environment, token: nil)
    else { return nil }
    return SSHForward.parse(expanded, direction) { world.port($0) }
  }

  private mutating func readForward(
    _ keyword: SSHKeyword, _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    var spec = try arguments.required()
    var direction: SSHForward.Direction =
      switch keyword {
      case .localForward: .local
      case .remoteForward: .remote
      default: .dynamic
      }
    if direction != .dynamic {
      if let target = arguments.next(), !target.isEmpty {
        // 9.2's buffer; a longer one would be cut, and that into another meaning
        if spec.utf8.count + target.utf8.count + 1 > 4096 {
          throw arguments.bad("Bad forwarding specification.")
        }
        spec += ":\(target)"
      } else if direction == .remote {
        direction = .remoteDynamic
      } else {
        throw arguments.bad("Missing target argument.")
      }
    }
    guard let forward = forward(spec, direction) else {
      throw arguments.bad("Bad forwarding specification.")
    }
    guard arguments.isActive else { return }
    if keyword == .remoteForward { draft.addRemote(forward) } else { draft.addLocal(forward) }
  }

  private mutating func readSendEnv(_ arguments: inout ConfigArguments) throws(LineFailure) {
    while let word = arguments.next() {
      if word.isEmpty || word.utf8.contains(UInt8(ascii: "=")) {
        throw arguments.bad("Invalid environment name.")
      }
      guard arguments.isActive else { continue }
      if word.utf8.first == UInt8(ascii: "-") {
        let pattern = String(word.dropFirst())
        draft.sendEnv.removeAll { SSHPattern.matches($0, pattern) }
      } else {
        draft.sendEnv.append(word)
      }
    }
  }

  private mutating func readSetEnv(_ arguments: inout ConfigArguments) throws(LineFailure) {
    let isFirst = draft.setEnv.isEmpty
    while let word = arguments.next() {
      guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) else {
        throw arguments.bad("Invalid SetEnv.")
      }
      guard arguments.isActive, isFirst else { continue }
      let name = String(word[..<equals]) + "="
      if !draft.setEnv.contains(where: { $0.hasPrefix(name) }) { draft.setEnv.append(word) }
    }
  }

  private mutating func readProxyJump(
    _ arguments: inout ConfigArguments, _ context: Context
  ) throws(LineFailure) {
    let text = arguments.command()
    do throws(SSHConfigError) {
      try setJump(
        text, strict: context.kind == .commandLine, active: arguments.isActive, arguments.origin)
    } catch {
      let place = "\(arguments.origin.place): Invalid ProxyJump \"\(text)\""
      throw .bad(error.message.isEmpty ? place : "\(error.message)\n\(place)")
    }
  }

  mutating func setJump(
    _ text: String, strict: Bool, active: Bool, _ origin: SSHOrigin
  ) throws(SSHConfigError) {
    let free = draft.jump == nil && !draft.jumpIsNone
    if sameWord(text, "none") {
      if active, free { draft.jumpIsNone = true }
      return
    }
    switch SSHJump.parse(text, strict: strict, port: { world.port($0) }) {
    case .failure(let error): throw error
    case .success(let jump):
      guard active, free, draft.settings[.proxyCommand] == nil else { return }
      draft.jump = jump
      draft.set(.proxyJump, [jump.printed], origin)
      draft.set(.proxyCommand, ["none"], origin)
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

  private mutating func readPermitRemoteOpen(
    _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    var words: [String] = []
    while let word = arguments.next() {
      if sameWord(word, "none") || sameWord(word, "any") {
        if !words.isEmpty || !arguments.isEmpty {
          throw arguments.bad("keyword permitremoteopen \"\(word)\" argument must appear alone.")
        }
      } else {
        guard let (_, rest) = SSHDestination.hostAndRest(Array(word.utf8)[...]) else {
          throw .fatal(fatal("missing host in permitremoteopen", arguments.origin))
        }
        let port = rest.map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard port == "*" || (world.port(port) ?? 0) > 0 else {
          throw .fatal(fatal("bad port number in permitremoteopen", arguments.origin))
        }
      }
      words.append(word)
    }
    if words.isEmpty {
      throw .fatal(fatal("missing permitremoteopen specification", arguments.origin))
    }
    if arguments.isActive { draft.set(.permitRemoteOpen, words, arguments.origin) }
  }

  private func fatal(_ text: String, _ origin: SSHOrigin) -> SSHConfigError {
    SSHConfigError(
      .configuration, "\(origin.place): \(text)", file: origin.path, line: origin.line)
  }

  private mutating func readCanonicalDomains(
    _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    var domains: [String] = []
    for word in try words(&arguments) {
      if let complaint = SSHName.domainComplaint(word) { throw arguments.bad(complaint) }
      let domain = lowercased(word)
      domains.append(domain.utf8.last == UInt8(ascii: ".") ? String(domain.dropLast()) : domain)
    }
    if arguments.isActive, !domains.isEmpty {
      draft.set(.canonicalDomains, domains, arguments.origin)
    }
  }

  private mutating func readPermittedCNAMEs(
    _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    var rules: [String] = []
    for word in try words(&arguments) {
      if sameWord(word, "none") {
        rules.append("none")
        continue
      }
      if word == "*" {
        rules.append("*:*")
        continue
      }
      let lower = lowercased(word)
      let parts = lower.utf8.split(
        separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[1].isEmpty else {
        throw arguments.bad("Invalid permitted CNAME \"\(lower)\"")
      }
      rules.append(lower)
    }
    if arguments.isActive, !rules.isEmpty {
      draft.set(.canonicalizePermittedCNAMEs, rules, arguments.origin)
    }
  }

  // MARK: Values that letters of the command line share

  /// How `-G` prints an escape character: itself, `^X` for a control character, or `none`.
  static func escapeCharacter(_ word: String) -> String? {
    let bytes = Array(word.utf8)
    if word == "none" { return word }
    if bytes.count == 1 { return String(bytes[0]) }
    guard bytes.count == 2, bytes[0] == UInt8(ascii: "^"), (64..<128).contains(bytes[1]) else {
      return nil
    }
    return String(bytes[1] & 31)
  }

  /// `any`, or a number, for each side.
  static func tunnelDevice(_ word: String) -> String? {
    let parts = word.utf8.split(
      separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    var sides: [String] = []
    for part in parts {
      if sameWord(part, "any") {
        sides.append("any")
      } else if case .number(let number) = wholeNumber(part, in: 0...0x7FFF_FFFD) {
        sides.append(String(number))
      } else {
        return nil
      }
    }
    if sides.count == 1 { sides.append("any") }
    return sides.joined(separator: ":")
  }

  /// `4K`, `1.5M`, `2G`: bytes.
  static func scaledNumber(_ word: String) -> Int? {
    var bytes = Array(word.utf8)[...]
    if bytes.first == UInt8(ascii: "+") { bytes = bytes.dropFirst() }
    let scales: [UInt8: Int] = [
      UInt8(ascii: "b"): 0, UInt8(ascii: "k"): 10, UInt8(ascii: "m"): 20, UInt8(ascii: "g"): 30,
      UInt8(ascii: "t"): 40, UInt8(ascii: "p"): 50, UInt8(ascii: "e"): 60,
    ]
    var shift = 0
    var isScaled = false
    if let last = bytes.last, let scale = scales[last.lowercase] {
      shift = scale
      isScaled = true
      bytes = bytes.dropLast()
    }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let digits = parts.first, digits.allSatisfy(\.isDigit),
      digits.count <= 18, let whole = digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self)),
      whole <= Int.max >> shift
    else { return nil }
    let result = whole << shift
    guard parts.count == 2 else { return digits.isEmpty && !isScaled ? nil : result }
    let fraction = parts[1].prefix(9)
    guard parts[1].allSatisfy(\.isDigit) else { return nil }
    // without a unit the fraction is dropped
    guard isScaled, let part = fraction.isEmpty ? 0 : Int(String(decoding: fraction, as: UTF8.self))
    else { return isScaled ? nil : result }
    var extra = part
    var divisor = 1
    for _ in fraction { divisor *= 10 }
    while extra > Int.max >> shift {
      extra /= 10
      divisor /= 10
    }
    let (sum, overflow) = result.addingReportingOverflow((extra << shift) / max(divisor, 1))
    return overflow ? nil : sum
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

  /// Names of DSCP and TOS values, in the order in which a number is named.
  private static let qosNames: [(String, Int)] = [
    ("af11", 0x28), ("af12", 0x30), ("af13", 0x38), ("af21", 0x48), ("af22", 0x50),
    ("af23", 0x58), ("af31", 0x68), ("af32", 0x70), ("af33", 0x78), ("af41", 0x88),
    ("af42", 0x90), ("af43", 0x98), ("cs0", 0x00), ("cs1", 0x20), ("cs2", 0x40), ("cs3", 0x60),
    ("cs4", 0x80), ("cs5", 0xA0), ("cs6", 0xC0), ("cs7", 0xE0), ("ef", 0xB8), ("le", 0x04),
    ("lowdelay", 0x10), ("throughput", 0x08), ("reliability", 0x04),
  ]

  private static func ipQoS(_ word: String) -> String? {
    if sameWord(word, "none") { return "none" }
    let value: Int
    if let named = qosNames.first(where: { sameWord($0.0, word) }) {
      value = named.1
    } else {
      let lower = lowercased(word)
      let number =
        lower.hasPrefix("0x")
        ? Int(lower.dropFirst(2), radix: 16)
        : lower.hasPrefix("0") ? Int(lower, radix: 8) : Int(lower)
      guard let number, (0...255).contains(number) else { return nil }
      value = number
    }
    if let named = qosNames.first(where: { $0.1 == value }) { return named.0 }
    let hex = String(value, radix: 16)
    return "0x\(hex.utf8.count == 1 ? "0" : "")\(hex)"
  }
}
