extension SSHConfigReader {
  /// The host name in use at this point of the reading, for `Match host` and the tokens.
  private func currentHost() throws(LineFailure) -> String {
    guard let name = draft[.hostName] else { return host }
    if isFinalPass { return name }
    let typed = SSHDestination.tokenHost(host)
    do throws(SSHConfigError) {
      return try SSHTokens.expand(name, environment: nil) {
        $0 == UInt8(ascii: "h") ? typed : nil
      }
    } catch {
      throw .fatal(error)
    }
  }

  mutating func readMatch(
    _ arguments: inout ConfigArguments, _ context: Context, active: inout Bool
  ) throws(LineFailure) {
    if context.kind == .commandLine {
      throw .bad("Host directive not supported as a command-line option")
    }
    var text = DelimitedText(arguments.rest)
    let fits: Bool
    do throws(LineFailure) {
      fits = try matches(&text, arguments.origin, context)
    } catch {
      guard case .bad(let complaint) = error else { throw error }
      let place = "\(arguments.origin.place): Bad Match condition"
      throw .bad(complaint.map { "\($0)\n\(place)" } ?? place)
    }
    active = context.neverMatches ? false : fits
    if text.rest?.isEmpty ?? true { _ = arguments.takeAll() }
  }

  private mutating func matches(
    _ text: inout DelimitedText, _ origin: SSHOrigin, _ context: Context
  ) throws(LineFailure) -> Bool {
    let host = try currentHost()
    let user = draft[.user] ?? world.userName
    var result = true
    var attributes = 0
    while let word = text.next(), let first = word.first {
      if first == UInt8(ascii: "#") {
        text.consumeAll()
        break
      }
      let negated = first == UInt8(ascii: "!")
      let shown = String(decoding: word, as: UTF8.self)
      let typed = String(decoding: negated ? word.dropFirst() : word[...], as: UTF8.self)
      let attribute = lowercased(typed)
      if attribute == "all" {
        let following = attributes > 1 ? [1] : text.next() ?? []
        if let byte = following.first, byte != UInt8(ascii: "#") {
          throw .bad(
            "\(origin.place): '\(shown)' cannot be combined with other Match attributes")
        }
        if !following.isEmpty { text.consumeAll() }
        return result && !negated
      }
      attributes += 1
      if attribute == "canonical" || attribute == "final" {
        if attribute == "final", !isFinalPass { wantsFinalPass = true }
        if isFinalPass == negated { result = false }
        continue
      }
      guard let bytes = text.next(), let byte = bytes.first, byte != UInt8(ascii: "#") else {
        throw .bad("Missing Match criteria for \(typed)")
      }
      let criteria = String(decoding: bytes, as: UTF8.self)
      let fits: Bool
      switch attribute {
      case "host": fits = SSHPattern.matchesHost(host, criteria)
      case "originalhost": fits = SSHPattern.matchesHost(originalHost, criteria)
      case "user": fits = SSHPattern.matchList(user, criteria) == .positive
      case "localuser": fits = SSHPattern.matchList(world.userName, criteria) == .positive
      case "tagged": fits = SSHPattern.matchList(draft[.tag] ?? "", criteria) == .positive
      case "command": fits = SSHPattern.matchList(commandText ?? "", criteria) == .positive
      case "sessiontype":
        fits = SSHPattern.matchList(sessionName, lowercased(criteria)) == .positive
      case "localnetwork":
        note(.warning, "\(origin.place): Match localnetwork is not known here and never matches")
        // neither it nor its negation may open anything
        result = false
        continue
      case "exec":
        let command: String
        do throws(SSHConfigError) {
          command = try tokens(host: host, user: user).expand(criteria, .common)
        } catch {
          throw .fatal(error)
        }
        // as in ssh, what cannot change the outcome is not run
        guard result, !context.neverMatches else { continue }
        fits = world.run(command)
      default: throw .bad("Unsupported Match attribute \(typed)")
      }
      if fits == negated { result = false }
    }
    if attributes == 0 { throw .bad("One or more attributes required for Match") }
    return result
  }

  /// What `Match sessiontype` (OpenSSH 10) compares.
  private var sessionName: String {
    switch draft[.sessionType] {
    case "none": "none"
    case "subsystem": "subsystem"
    default: commandText == nil ? "shell" : "exec"
    }
  }

  private func tokens(host: String, user: String) -> SSHTokens {
    let name = SSHDestination.tokenHost(host)
    return SSHTokens(
      host: name, originalHost: SSHDestination.tokenHost(originalHost),
      port: draft.number(.port) ?? 22, user: user, localUser: world.userName,
      userID: world.userID, home: world.home, localHost: world.hostName,
      hostKeyAlias: draft[.hostKeyAlias] ?? name, jumpHost: draft.jump?.hops.last?.host ?? "")
  }
}
