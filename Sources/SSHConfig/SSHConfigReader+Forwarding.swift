// Forwards, jumps, variables and names that are passed on to the other side.

extension SSHConfigReader {
  /// The forwarding that a command line or a file asks for; nil if it does not read as one.
  func forward(_ text: String, _ direction: SSHForward.Direction) -> SSHForward? {
    guard
      let expanded = try? SSHTokens.expand(text, environment: world.environment, token: nil)
    else { return nil }
    return SSHForward.parse(expanded, direction) { world.port($0) }
  }

  mutating func readForward(
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

  mutating func readSendEnv(_ arguments: inout ConfigArguments) throws(LineFailure) {
    while let word = arguments.next() {
      if word.isEmpty || word.utf8.contains(UInt8(ascii: "=")) {
        throw arguments.bad("Invalid environment name.")
      }
      guard arguments.isActive else { continue }
      if word.utf8.first == UInt8(ascii: "-") {
        let pattern = word.withoutFirstByte
        draft.sendEnv.removeAll { SSHPattern.matches($0, pattern) }
      } else {
        draft.sendEnv.append(word)
      }
    }
  }

  mutating func readSetEnv(_ arguments: inout ConfigArguments) throws(LineFailure) {
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

  mutating func readProxyJump(
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

  mutating func readPermitRemoteOpen(
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

  mutating func readCanonicalDomains(
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

  mutating func readPermittedCNAMEs(
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
}
