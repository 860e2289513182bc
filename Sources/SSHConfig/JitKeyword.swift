/// The settings of our own, written as ssh_config keywords.
package enum JitKeyword: String, CaseIterable, Sendable {
  case duration = "JitDuration"
  case reason = "JitReason"
  case source = "JitSource"
  case sourceSet = "JitSourceSet"
  case ipServices = "JitIPServices"
  case subscription = "JitSubscription"
  case resourceGroup = "JitResourceGroup"
  case vm = "JitVM"
  case enable = "JitEnable"
  case start = "JitStart"
  case closeOnExit = "JitCloseOnExit"
  case client = "JitClient"
  case entra = "JitEntra"
  case wait = "JitWait"
  case address = "JitAddress"
  case cloud = "JitCloud"
  case identity = "JitIdentity"
  case keepOthers = "JitKeepOthers"
  case tokenStore = "JitTokenStore"
  case mode = "JitMode"
  case unknownHost = "JitUnknownHost"
  case rdpClient = "JitRdpClient"
  case rdpFile = "JitRdpFile"
  case rdpSize = "JitRdpSize"
  case rdpMultimon = "JitRdpMultimon"
  case rdpClipboard = "JitRdpClipboard"
  case rdpDrives = "JitRdpDrives"
  case rdpAudio = "JitRdpAudio"
  case rdpMicrophone = "JitRdpMicrophone"
  case rdpAdmin = "JitRdpAdmin"
  case rdpGateway = "JitRdpGateway"
  case rdpSetting = "JitRdpSetting"
  case rdpSign = "JitRdpSign"
  case rdpSignKey = "JitRdpSignKey"
  case rdpSignPassphrase = "JitRdpSignPassphrase"
  case rdpViaSSH = "JitRdpViaSsh"

  /// Whether every value counts, as with ssh's SendEnv; of the others the first does.
  package var accumulates: Bool { self == .rdpSetting }
}

/// One row of the table: all there is to know about a keyword.
package struct JitKeywordRow: Sendable {
  package enum Syntax: Sendable, Equatable {
    /// Seconds, in ssh's format or ISO 8601.
    case duration
    /// One of these words, in lower case.
    case states([String])
    /// Several words become one, joined by blanks.
    case text
    /// A program with its words, which keeps its quotes.
    case command
    /// `auto`, `any`, or IPv4 addresses and prefixes; several with commas.
    case source
    /// `name=` and IPv4 addresses and prefixes, with commas; each name counts once.
    case sourceSet
    /// https URLs; several with commas.
    case urls
    /// A VM's name, `group/vm` or a resource id.
    case target
    /// `full`, or a width and a height such as `1600x900`.
    case size
    /// `yes`, `no`, or a port, which means yes.
    case switchOrPort
  }

  package var keyword: JitKeyword
  package var syntax: Syntax
  /// As `-G` would print it; nil where being unset has a meaning of its own.
  package var defaultValue: String?
  /// The variable that sets it.
  package var variable: String
}

extension JitKeyword {
  private static let yesNo = JitKeywordRow.Syntax.states(["yes", "no"])
  private static let askYesNo = JitKeywordRow.Syntax.states(["ask", "yes", "no"])

  package static let table: [JitKeywordRow] = [
    row(.duration, .duration, nil, "DURATION"),
    row(.reason, .text, nil, "REASON"),
    row(.source, .source, "auto", "SOURCE"),
    row(.sourceSet, .sourceSet, nil, "SOURCE_SET"),
    row(.ipServices, .urls, nil, "IP_SERVICES"),
    row(.subscription, .text, nil, "SUBSCRIPTION"),
    row(.resourceGroup, .text, nil, "RESOURCE_GROUP"),
    row(.vm, .target, nil, "VM"),
    row(.enable, askYesNo, "ask", "ENABLE"),
    row(.start, askYesNo, "ask", "START"),
    row(.closeOnExit, yesNo, "no", "CLOSE_ON_EXIT"),
    row(.client, .states(["libssh2", "openssh"]), "libssh2", "CLIENT"),
    row(.entra, .states(["auto", "yes", "no"]), "auto", "ENTRA"),
    row(.wait, .duration, "120", "WAIT"),
    row(.address, .states(["public", "private"]), "public", "ADDRESS"),
    row(.cloud, .text, nil, "CLOUD"),
    row(.identity, .text, nil, "IDENTITY"),
    row(.keepOthers, yesNo, "no", "KEEP_OTHERS"),
    row(.tokenStore, .states(["file", "keyring"]), "file", "TOKEN_STORE"),
    row(.mode, .states(["on", "off"]), "on", "MODE"),
    row(.unknownHost, .states(["error", "ssh"]), "error", "UNKNOWN_HOST"),
    row(.rdpClient, .command, nil, "RDP_CLIENT"),
    row(.rdpFile, .text, nil, "RDP_FILE"),
    row(.rdpSize, .size, "full", "RDP_SIZE"),
    row(.rdpMultimon, yesNo, "no", "RDP_MULTIMON"),
    row(.rdpClipboard, yesNo, "no", "RDP_CLIPBOARD"),
    row(.rdpDrives, .text, "none", "RDP_DRIVES"),
    row(.rdpAudio, .states(["here", "there", "none"]), "here", "RDP_AUDIO"),
    row(.rdpMicrophone, yesNo, "no", "RDP_MICROPHONE"),
    row(.rdpAdmin, yesNo, "no", "RDP_ADMIN"),
    row(.rdpGateway, .text, "none", "RDP_GATEWAY"),
    row(.rdpSetting, .text, nil, "RDP_SETTING"),
    row(.rdpSign, .text, "none", "RDP_SIGN"),
    row(.rdpSignKey, .text, nil, "RDP_SIGN_KEY"),
    row(.rdpSignPassphrase, .text, nil, "RDP_SIGN_PASSPHRASE"),
    row(.rdpViaSSH, .switchOrPort, "no", "RDP_VIA_SSH"),
  ]

  private static func row(
    _ keyword: JitKeyword, _ syntax: JitKeywordRow.Syntax, _ value: String?, _ name: String
  ) -> JitKeywordRow {
    JitKeywordRow(
      keyword: keyword, syntax: syntax, defaultValue: value, variable: "JITCONNECT_\(name)")
  }

  package var row: JitKeywordRow {
    // every case has its row; a test holds that
    Self.table.first { $0.keyword == self }
      ?? JitKeywordRow(keyword: self, syntax: .text, defaultValue: nil, variable: "")
  }

  private static let byName = Dictionary(
    uniqueKeysWithValues: allCases.map { (lowercased($0.rawValue), $0) })

  static func named(_ word: String) -> JitKeyword? { byName[lowercased(word)] }

  /// A value in its stored form (durations in seconds, states in lower case), or what is wrong
  /// with it in ssh's words.
  package func read(_ value: String) -> Result<String, JitValueError> {
    if value.isEmpty { return .failure(JitValueError("missing argument.")) }
    switch row.syntax {
    case .duration:
      guard let seconds = SSHDuration.secondsOrISO8601(value), seconds > 0 else {
        return .failure(JitValueError("invalid time value."))
      }
      return .success(String(seconds))
    case .states(let words):
      let word = lowercased(value)
      let plain = ["true": "yes", "false": "no"][word] ?? word
      guard words.contains(plain) else {
        let list = words.joined(separator: ", ")
        return .failure(
          JitValueError("unsupported option \"\(value)\"; \(rawValue) takes \(list)."))
      }
      return .success(plain)
    case .text, .command:
      if value.utf8.contains(where: \.isControl) {
        return .failure(JitValueError("\(rawValue) holds control characters."))
      }
      return .success(value)
    case .size:
      let word = lowercased(value)
      let parts = word.split(separator: "x", omittingEmptySubsequences: false)
        .map { wholeNumber(String($0), in: 200...8192) }
      if word == "full" { return .success(word) }
      guard parts.count == 2, case .number = parts[0], case .number = parts[1] else {
        return .failure(
          JitValueError("\(rawValue) takes full, or a size such as 1600x900 (200 to 8192)."))
      }
      return .success(word)
    case .switchOrPort:
      let word = ["true": "yes", "false": "no"][lowercased(value)] ?? lowercased(value)
      if word == "yes" || word == "no" { return .success(word) }
      guard case .number(let port) = wholeNumber(word, in: 1...65535) else {
        return .failure(JitValueError("\(rawValue) takes yes, no or a port, not \"\(value)\"."))
      }
      return .success(String(port))
    case .target:
      guard SSHName.isValidTarget(value) else {
        return .failure(JitValueError("\"\(value)\" is no VM's name, group/vm or resource id."))
      }
      return .success(value)
    case .source:
      switch JitSource.parse(value) {
      case .success: return .success(value)
      case .failure(let error): return .failure(error)
      }
    case .sourceSet:
      switch JitSourceSet.parse(value) {
      case .success(let set): return .success(set.text)
      case .failure(let error): return .failure(error)
      }
    case .urls:
      let urls = JitKeyword.list(value)
      guard !urls.isEmpty else { return .failure(JitValueError("missing argument.")) }
      for url in urls where !JitKeyword.isAllowedURL(url) {
        return .failure(JitValueError("\(rawValue) takes https URLs, not \"\(url)\"."))
      }
      return .success(urls.joined(separator: ","))
    }
  }

  /// The parts of a list with commas or blanks, without empty ones.
  package static func list(_ value: String) -> [String] {
    value.utf8.split { $0 == UInt8(ascii: ",") || $0.isSpace }
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// https anywhere, plain http to the machine itself only.
  private static func isAllowedURL(_ url: String) -> Bool {
    if url.utf8.contains(where: { $0.isSpace || $0.isControl }) { return false }
    if url.hasPrefix("https://") { return url.utf8.count > 8 }
    guard url.hasPrefix("http://") else { return false }
    let authority = url.utf8.dropFirst(7).prefix {
      ![UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#")].contains($0)
    }
    guard let (host, _) = SSHDestination.hostAndRest(Array(authority)[...]),
      !authority.contains(UInt8(ascii: "@"))
    else { return false }
    let name = lowercased(String(decoding: host, as: UTF8.self))
    return name == "localhost" || name == "::1"
      || (name.hasPrefix("127.") && JitSource.isAddress(name))
  }
}

/// What is wrong with the value of one of our own keywords.
package struct JitValueError: Error, Sendable, Equatable {
  package var message: String

  init(_ message: String) { self.message = message }
}

/// Who may come in, as JIT takes it.
package enum JitSource: Sendable, Equatable {
  /// The caller's own public address.
  case auto
  /// Everyone; only where spelled out on the command line.
  case any
  /// IPv4 addresses, prefixes, and names of sets (``JitSourceSet``).
  case prefixes([String])

  package static func parse(_ value: String) -> Result<JitSource, JitValueError> {
    switch lowercased(value) {
    case "auto": return .success(.auto)
    case "any", "*": return .success(.any)
    default: break
    }
    let parts = JitKeyword.list(value)
    guard !parts.isEmpty else { return .failure(JitValueError("missing argument.")) }
    for part in parts {
      if ["auto", "any", "*"].contains(lowercased(part)) {
        return .failure(JitValueError("JitSource \"\(part)\" must appear alone."))
      }
      if part.utf8.contains(UInt8(ascii: ":")) {
        return .failure(
          JitValueError("just-in-time access takes IPv4 addresses only, not \"\(part)\"."))
      }
      guard isAddressOrPrefix(part) || JitSourceSet.isName(part) else {
        return .failure(JitValueError("\"\(part)\" is no IPv4 address or prefix."))
      }
    }
    return .success(.prefixes(parts))
  }

  /// Whether more comes in than a network of 256 addresses: asked for by name, and confirmed.
  package var isWide: Bool {
    switch self {
    case .auto: false
    case .any: true
    case .prefixes(let prefixes):
      prefixes.contains { prefix in
        guard let slash = prefix.utf8.firstIndex(of: UInt8(ascii: "/")) else { return false }
        return Int(prefix[prefix.utf8.index(after: slash)...]).map { $0 < 24 } ?? true
      }
    }
  }

  static func isAddress(_ text: String) -> Bool {
    let parts = text.utf8.split(
      separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        guard (1...3).contains(part.count), part.allSatisfy(\.isDigit) else { return false }
        // a leading zero is octal to some and decimal to others
        if part.count > 1, part.first == 0x30 { return false }
        return (Int(String(decoding: part, as: UTF8.self)) ?? 256) <= 255
      }
  }

  static func isAddressOrPrefix(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard let address = parts.first, isAddress(address) else { return false }
    if parts.count == 1 { return true }
    guard parts.count == 2, (1...2).contains(parts[1].utf8.count),
      parts[1].utf8.allSatisfy(\.isDigit), let length = Int(parts[1])
    else { return false }
    return length <= 32
  }
}
