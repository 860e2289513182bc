extension SSHConfigReader {
  /// Applies a command line in its order: letters replace, `-o`, `-p`, `-l` and our own keep the
  /// first value.
  ///
  /// - Returns: how many `-v` took effect.
  mutating func apply(_ line: SSHCommandLine) throws(SSHConfigError) -> Int {
    var verbosity = 0
    for (index, option) in line.options.enumerated() {
      if index == line.optionsBeforeDestination, let destination = line.destination {
        apply(destination)
      }
      switch option {
      case .long(.jit(let keyword, let value)):
        draft.set(keyword, value, .commandLine)
      case .long(.flag): break
      case .letter("v", _):
        if verbosity == 0 {
          verbosity = 1
          draft.replace(.logLevel, SSHLogLevel.debug1.rawValue)
        } else if logLevel < .debug3 {
          verbosity += 1
          draft.replace(.logLevel, logLevel.next.rawValue)
        }
      case .letter(let letter, nil): try applyPlain(letter)
      case .letter(let letter, let value?): try apply(letter, value)
      }
    }
    if line.options.count <= line.optionsBeforeDestination, let destination = line.destination {
      apply(destination)
    }
    return verbosity
  }

  private var logLevel: SSHLogLevel {
    draft[.logLevel].flatMap { SSHLogLevel(rawValue: $0) } ?? .info
  }

  private mutating func apply(_ destination: SSHDestination) {
    if let user = destination.user { draft.set(.user, [user], .commandLine) }
    if let port = destination.port { draft.set(.port, [String(port)], .commandLine) }
  }

  private mutating func applyPlain(_ letter: Character) throws(SSHConfigError) {
    switch letter {
    case "4": draft.replace(.addressFamily, "inet")
    case "6": draft.replace(.addressFamily, "inet6")
    case "A": draft.replace(.forwardAgent, "yes")
    case "a": draft.replace(.forwardAgent, "no")
    case "C": draft.replace(.compression, "yes")
    case "f":
      draft.replace(.forkAfterAuthentication, "yes")
      draft.replace(.stdinNull, "yes")
    case "g": draft.replace(.gatewayPorts, "yes")
    case "K":
      draft.replace(.gssapiAuthentication, "yes")
      draft.replace(.gssapiDelegateCredentials, "yes")
    case "k": draft.replace(.gssapiDelegateCredentials, "no")
    case "M":
      draft.replace(.controlMaster, draft[.controlMaster] == "true" ? "ask" : "true")
    case "N":
      if let type = draft[.sessionType], type != "none" {
        throw SSHConfigError(.option, "Cannot specify -N with -s/SessionType")
      }
      draft.replace(.sessionType, "none")
      draft.replace(.requestTTY, "false")
    case "n": draft.replace(.stdinNull, "yes")
    case "q": draft.replace(.logLevel, SSHLogLevel.quiet.rawValue)
    case "s":
      if let type = draft[.sessionType], type != "subsystem" {
        throw SSHConfigError(.option, "Cannot specify -s with -N/SessionType")
      }
      draft.replace(.sessionType, "subsystem")
    case "T": draft.replace(.requestTTY, "false")
    case "t": draft.replace(.requestTTY, draft[.requestTTY] == "true" ? "force" : "true")
    case "X": draft.replace(.forwardX11, "yes")
    case "x": draft.replace(.forwardX11, "no")
    case "Y":
      draft.replace(.forwardX11, "yes")
      draft.replace(.forwardX11Trusted, "yes")
    default: break
    }
  }

  private static let controlCommands: Set<String> = [
    "cancel", "check", "exit", "forward", "proxy", "stop",
  ]

  private mutating func apply(_ letter: Character, _ value: String) throws(SSHConfigError) {
    switch letter {
    case "B": draft.replace(.bindInterface, value)
    case "b": draft.replace(.bindAddress, value)
    case "c":
      // -c takes no list that begins with -
      if value.hasPrefix("-") || SSHAlgorithmList(value).unknownName(.cipher) != nil {
        throw SSHConfigError(.option, "Unknown cipher type '\(value)'")
      }
      draft.replace(.ciphers, value)
    case "D": draft.addLocal(try forward(letter, value, [.dynamic], "dynamic"))
    case "e":
      guard let printed = Self.escapeCharacter(value) else {
        throw SSHConfigError(.option, "Bad escape character '\(value)'.")
      }
      draft.replace(.escapeChar, printed)
    case "I": draft.replace(.pkcs11Provider, value)
    case "i": applyIdentity(value)
    case "J": try applyJump(value)
    case "L": draft.addLocal(try forward(letter, value, [.local], "local"))
    case "l": draft.set(.user, [value], .commandLine)
    case "m":
      let isPlain = !["+", "-", "^"].contains { value.hasPrefix($0) }
      if !isPlain || SSHAlgorithmList(value).unknownName(.mac) != nil {
        throw SSHConfigError(.option, "Unknown mac type '\(value)'")
      }
      draft.replace(.macs, value)
    case "O": try applyControl(value)
    case "o": try readOption(value)
    case "P": draft.set(.tag, [value], .commandLine)
    case "p":
      if draft.settings[.port] != nil { return }
      guard let port = world.port(value), port > 0 else {
        throw SSHConfigError(.option, "Bad port '\(value)'")
      }
      draft.set(.port, [String(port)], .commandLine)
    case "R": draft.addRemote(try forward(letter, value, [.remote, .remoteDynamic], "remote"))
    case "S": draft.replace(.controlPath, value)
    case "W": try applyStdioForward(value)
    case "w":
      guard let printed = Self.tunnelDevice(value) else {
        throw SSHConfigError(.option, "Bad tun device '\(value)'")
      }
      draft.set(.tunnel, ["point-to-point"], .commandLine)
      draft.replace(.tunnelDevice, printed)
    default: break
    }
  }

  private func forward(
    _ letter: Character, _ value: String, _ directions: [SSHForward.Direction], _ name: String
  ) throws(SSHConfigError) -> SSHForward {
    for direction in directions {
      if let forward = forward(value, direction) { return forward }
    }
    throw SSHConfigError(.option, "Bad \(name) forwarding specification '\(value)'")
  }

  private mutating func applyIdentity(_ value: String) {
    guard let path = world.expandingTilde(value), world.fileExists(path) else {
      note(
        .warning,
        "Warning: Identity file \(value) not accessible: No such file or directory.")
      return
    }
    draft.addIdentity(path, isExplicit: true)
  }

  private mutating func applyJump(_ value: String) throws(SSHConfigError) {
    if draft.jump != nil || draft.jumpIsNone {
      throw SSHConfigError(
        .option,
        "Only a single -J option is permitted (use commas to separate multiple jump hops)")
    }
    if draft.settings[.proxyCommand] != nil {
      throw SSHConfigError(.option, "Cannot specify -J with ProxyCommand")
    }
    do throws(SSHConfigError) {
      try setJump(value, strict: true, active: true, .commandLine)
    } catch {
      var lines = ["Invalid -J argument"]
      if !error.message.isEmpty { lines.insert(error.message, at: 0) }
      throw SSHConfigError(error.kind, lines: lines)
    }
  }

  private mutating func applyControl(_ value: String) throws(SSHConfigError) {
    if draft.stdioForward != nil {
      throw SSHConfigError(.option, "Cannot specify multiplexing command with -W")
    }
    if hasControlCommand {
      throw SSHConfigError(.option, "Multiplexing command already specified")
    }
    guard Self.controlCommands.contains(value) else {
      throw SSHConfigError(.option, "Invalid multiplex command.")
    }
    hasControlCommand = true
  }

  private mutating func applyStdioForward(_ value: String) throws(SSHConfigError) {
    if draft.stdioForward != nil {
      throw SSHConfigError(.option, "stdio forward already specified")
    }
    if hasControlCommand {
      throw SSHConfigError(.option, "Cannot specify stdio forward with -O")
    }
    guard
      let expanded = try? SSHTokens.expand(value, environment: world.environment, token: nil),
      let (host, port) = SSHForward.parseStdio(expanded, port: { world.port($0) })
    else {
      throw SSHConfigError(.option, "Bad stdio forwarding specification '\(value)'")
    }
    draft.stdioForward = SSHOptions.StdioForward(host: host, port: port)
    draft.replace(.requestTTY, "false")
    draft.replace(.sessionType, "none")
  }
}
