/// Turns a command line and the configuration around it into a connection's settings.
///
/// The order is: command line, `JITCONNECT_…` variables, our own file, the user's, the system's;
/// the first value wins.
package enum SSHConfigResolver {
  package static func resolve(
    _ commandLine: SSHCommandLine, in world: SSHConfigWorld, sources: SSHConfigSources
  ) throws(SSHConfigError) -> SSHOptions {
    guard let destination = commandLine.destination else {
      throw SSHConfigError(.usage, "no host given")
    }
    var reader = SSHConfigReader(world: world)
    let verbosity = try reader.apply(commandLine)
    if let user = reader.draft[.user], !SSHName.isValidUser(user) {
      throw SSHConfigError(.unsafeName, "remote username contains invalid characters")
    }
    if reader.draft[.sessionType] == "subsystem", commandLine.commandText == nil {
      throw SSHConfigError(.usage, "You must specify a subsystem to invoke.")
    }
    try reader.applyEnvironment()
    reader.host = destination.host
    reader.originalHost = destination.host
    reader.commandText = commandLine.commandText
    try reader.readFiles(sources, named: commandLine.configFile)

    let name = try reader.hostName(typed: destination.host)
    if reader.wantsFinalPass || reader.canonicalizes {
      reader.isFinalPass = true
      reader.host = name
      reader.draft.settings[.hostName] = SSHConfigDraft.Setting(
        words: [name], origin: reader.draft.settings[.hostName]?.origin ?? .commandLine)
      try reader.readFiles(sources, named: commandLine.configFile)
    }
    reader.draft.hostArgument = destination.host
    reader.draft.resolvedHost = name
    var builder = SSHOptionsBuilder(
      draft: reader.draft, world: world, command: commandLine,
      hostNameOrigin: reader.configuredHostName, notes: reader.notes, filesRead: reader.filesRead,
      verbosity: verbosity)
    return try builder.build()
  }
}

extension SSHConfigResolver {
  /// What a command line means where there is no file, no variable and no home to look into.
  package static func resolve(words: [String]) throws(SSHConfigError) -> SSHOptions {
    try resolve(
      SSHCommandLine.parse(words),
      in: SSHConfigWorld(
        home: "/nonexistent", userName: "nobody", userID: 65534, hostName: "localhost"),
      sources: .none)
  }
}

extension SSHConfigReader {
  /// Our own settings from the environment; empty counts as unset.
  fileprivate mutating func applyEnvironment() throws(SSHConfigError) {
    for row in JitKeyword.table {
      guard let value = world.environment(row.variable), !value.isEmpty else { continue }
      switch row.keyword.read(value) {
      case .success(let read):
        draft.set(row.keyword, read, .environment(row.variable))
      case .failure(let error):
        throw SSHConfigError(.configuration, "\(row.variable): \(error.message)")
      }
    }
  }

  fileprivate mutating func readFiles(
    _ sources: SSHConfigSources, named file: String?
  ) throws(SSHConfigError) {
    if let own = sources.own {
      let folder = own.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(own[..<$0]) } ?? "."
      _ = try readFile(own, Context(kind: .own(folder: folder)), checkingOwner: true)
    }
    if let file {
      if sameWord(file, "none") { return }
      if try !readFile(file, Context(kind: .user), checkingOwner: false) {
        throw SSHConfigError(
          .configuration, "Can't open user config file \(file): No such file or directory",
          file: file)
      }
      return
    }
    if let user = sources.user {
      _ = try readFile(user, Context(kind: .user), checkingOwner: true)
    }
    if let system = sources.system {
      _ = try readFile(system, Context(kind: .system), checkingOwner: false)
    }
  }

  // MARK: The name to connect to

  fileprivate var canonicalizes: Bool {
    draft[.canonicalizeHostname].map { $0 != "false" } ?? false
  }

  /// `HostName` with `%h` filled in, in lower case, made canonical where that is asked for.
  fileprivate mutating func hostName(typed: String) throws(SSHConfigError) -> String {
    var name = SSHDestination.tokenHost(typed)
    if let setting = draft.settings[.hostName] {
      configuredHostName = setting.origin
      let short = name
      name = try SSHTokens.expand(setting.words.joined(separator: " "), environment: nil) {
        $0 == UInt8(ascii: "h") ? short : nil
      }
    }
    if let address = world.numericAddress(name) {
      return sameWord(address, name) ? name : address
    }
    // what can only be an address stays as written
    if Self.looksLikeAddress(name) { return name }
    name = lowercased(name)
    return canonicalizes ? try canonical(name) : name
  }

  private static func looksLikeAddress(_ name: String) -> Bool {
    name.utf8.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ":") }
      || name.utf8.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
  }

  private func canonical(_ name: String) throws(SSHConfigError) -> String {
    let isDirect =
      draft.jump == nil && (draft[.proxyCommand].map { sameWord($0, "none") } ?? true)
    if !isDirect, draft[.canonicalizeHostname] != "always" { return name }
    var candidates: [String] = []
    if name.utf8.last == UInt8(ascii: ".") {
      candidates = [name]
    } else {
      let dots = name.utf8.count { $0 == UInt8(ascii: ".") }
      if dots > draft.number(.canonicalizeMaxDots) ?? 1 { return name }
      for domain in draft.settings[.canonicalDomains]?.words ?? [] {
        if sameWord(domain, "none") { break }
        candidates.append("\(name).\(domain).")
      }
    }
    for candidate in candidates {
      guard let found = world.resolve(candidate) else { continue }
      let full = String(candidate.dropLast())
      return followed(full, found.canonicalName) ?? full
    }
    if !draft.isYes(.canonicalizeFallbackLocal, default: true) {
      throw SSHConfigError(.option, "Could not resolve host \"\(name)\"")
    }
    return name
  }

  /// The alias's target, where `CanonicalizePermittedCNAMEs` lets it be followed.
  private func followed(_ name: String, _ target: String?) -> String? {
    guard let target, target != name, SSHName.domainComplaint(target) == nil else { return nil }
    for rule in draft.settings[.canonicalizePermittedCNAMEs]?.words ?? [] {
      let parts = rule.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1)
        .map { String(decoding: $0, as: UTF8.self) }
      guard parts.count == 2 else { continue }
      if SSHPattern.matchList(name, parts[0], lowercasing: true) == .positive,
        SSHPattern.matchList(target, parts[1], lowercasing: true) == .positive
      {
        return target
      }
    }
    return nil
  }
}
