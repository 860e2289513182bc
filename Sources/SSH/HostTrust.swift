package import Platform

/// The decision whether a server's key is to be trusted.
package struct HostTrust: Sendable {
  /// `StrictHostKeyChecking`.
  package enum Checking: Sendable, Equatable {
    case yes, ask, acceptNew
    /// `no` and `off`.
    case off
  }

  /// The host as messages name it: what the user typed, or the alias.
  package var host: String
  /// The address connected to; nil where a proxy hides it.
  package var address: String?
  package var port: Int
  /// `HostKeyAlias`: looked up and written in place of host and port.
  package var alias: String?
  package var checking: Checking
  /// Where a new key goes; nil where there is no such file, and so no way to trust one.
  package var file: String?
  package var hashesNames: Bool
  /// Whether somebody can be asked.
  package var canAsk: Bool
  /// `VisualHostKey`: the key's picture is shown.
  package var showsPicture = false
  /// `RevokedHostKeys`; nil where there is no such file.
  package var revokedKeysFile: String?

  package var fingerprintHash = FingerprintHash.sha256
  /// `RequiredRSASize` in bits.
  package var requiredRSASize = 0
  /// `NoHostAuthenticationForLocalhost`: any key will do on loopback.
  package var trustsLoopback = false

  package init(
    host: String, address: String?, port: Int = 22, alias: String? = nil,
    checking: Checking = .ask, file: String?, hashesNames: Bool = false, canAsk: Bool = true
  ) {
    self.host = host
    self.address = address
    self.port = port
    self.alias = alias
    self.checking = checking
    self.file = file
    self.hashesNames = hashesNames
    self.canAsk = canAsk
  }

  /// The names under which the host is looked up.
  package var names: [String] { [alias ?? KnownHosts.name(host, port: port)] }

  /// Names that may confirm a key: the host without its port.
  package var fallbackNames: [String] {
    alias == nil && port != 22 ? [host.lowercased()] : []
  }

  package enum Decision: Sendable, Equatable {
    case trusted
    /// Trusted, and to be written down; with what ssh says about it.
    case remember
    /// The lines to show and the question to ask.
    case ask(lines: [String], question: String)
    /// `off` with a key that is not the known one: go on, but with nothing that a false server
    /// could use: no password, no forwarded agent.
    case distrusted(warning: [String])
    case refuse(warning: [String], Failure)
  }

  /// Decides by what the files say and the setting; asks nobody and writes nothing.
  package func decide(_ key: HostKey, known: KnownHosts) -> Decision {
    if KeyStrength.isTooShort(key.blob, minimum: requiredRSASize) {
      return .refuse(warning: [], tooShort(key))
    }
    if let file = revokedKeysFile {
      do throws(Failure) {
        if try RevokedKeys(file: file).contains(key) {
          return .refuse(warning: [revokedByFile(key, file)], revoked(in: printable(file)))
        }
      } catch {
        return .refuse(warning: [], error)
      }
    }
    if isExempt { return .trusted }
    let plain = [host, address].compactMap(\.self)
    let verdict = known.verdict(
      on: key, names: names, fallback: fallbackNames,
      others: plain.flatMap { [$0.lowercased(), KnownHosts.name($0, port: port)] })
    switch verdict {
    case .match: return .trusted
    case .revoked(let line):
      return .refuse(warning: revokedWarning(key), revoked(in: printable(line.place)))
    case .changed(let lines):
      if checking == .off { return .distrusted(warning: changedWarning(key, lines)) }
      return .refuse(warning: changedWarning(key, lines), changed(key, lines))
    case .otherType(let lines):
      switch checking {
      case .off: return remembering(key, known, other: lines)
      // "New" means a host without keys: another type is what a false server would show.
      case .yes, .acceptNew: return .refuse(warning: [], unknown(key, known, other: lines))
      case .ask: return asking(key, known, other: lines)
      }
    case .unknown:
      switch checking {
      case .off, .acceptNew: return remembering(key, known, other: [])
      case .yes: return .refuse(warning: [], unknown(key, known, other: []))
      case .ask: return asking(key, known, other: [])
      }
    }
  }

  /// As with ssh, a name given for the key's sake (`HostKeyAlias`, a VM's pin) is always checked.
  private var isExempt: Bool {
    trustsLoopback && alias == nil && (address == "::1" || address?.hasPrefix("127.") == true)
  }

  private func asking(_ key: HostKey, _ known: KnownHosts, other: [KnownHosts.Line]) -> Decision {
    guard canAsk, file != nil else {
      return .refuse(warning: [], unknown(key, known, other: other))
    }
    return .ask(lines: questionLines(key, known, other: other), question: Self.question)
  }

  /// A key that can be kept nowhere would be taken anew each time, from whomever: no setting trusts
  /// that, as with ssh.
  private func remembering(
    _ key: HostKey, _ known: KnownHosts, other: [KnownHosts.Line]
  ) -> Decision {
    file == nil ? .refuse(warning: [], unknown(key, known, other: other)) : .remember
  }

  /// Decides, asks where that is needed, and writes the key down.
  ///
  /// - Returns: whether the server may be shown passwords and a forwarded agent.
  package func settle(
    _ key: HostKey, known: KnownHosts, prompts: Prompts, log: SSHLog
  ) throws(Failure) -> Bool {
    let decision = decide(key, known: known)
    if showsPicture, case .trusted = decision {
      log.note("Host key fingerprint is \(fingerprint(of: key))")
      picture(key).forEach(log.note)
    }
    switch decision {
    case .trusted where isExempt:
      log.debug1("Forcing accepting of host key for loopback/localhost.")
      return true
    case .trusted:
      log.debug1("Host '\(shown)' is known and matches the \(key.typeName) host key.")
      return true
    case .remember:
      try remember(key, log: log)
      return true
    case .ask(let lines, var question):
      lines.forEach(log.note)
      while true {
        guard let answer = try prompts.line(question) else {
          throw declined
        }
        switch reply(answer, to: key) {
        case .yes:
          try remember(key, log: log)
          return true
        case .no:
          throw declined
        case .unclear: question = "Please type 'yes', 'no' or the fingerprint: "
        }
      }
    case .distrusted(let warning):
      warning.forEach(log.note)
      for method in ["Password", "Keyboard-interactive"] {
        log.note("\(method) authentication is disabled to avoid man-in-the-middle attacks.")
      }
      return false
    case .refuse(let warning, let failure):
      warning.forEach(log.note)
      throw failure
    }
  }

  /// What was typed at the question.
  enum Reply { case yes, no, unclear }

  func reply(_ answer: String, to key: HostKey) -> Reply {
    let word = answer.filter { !$0.isWhitespace }
    if word.lowercased() == "yes" || word == fingerprint(of: key) { return .yes }
    return word.isEmpty || word.lowercased() == "no" ? .no : .unclear
  }

  /// Writes the key down under the host's name.
  package func remember(_ key: HostKey, log: SSHLog) throws(Failure) {
    guard let file else { return }
    do {
      for name in names {
        try KnownHosts.append(key, name: name, to: file, hashed: hashesNames)
      }
      log.information(
        "Warning: Permanently added '\(shown)' (\(key.typeName)) to the list of known hosts.")
    } catch {
      // As ssh: a key that cannot be kept is no reason not to work.
      log.note("Failed to add the host to the list of known hosts (\(printable(file))): \(error)")
    }
  }
}
