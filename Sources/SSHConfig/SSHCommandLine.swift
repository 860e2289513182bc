/// An ssh command line, taken apart but not yet acted upon.
///
/// Values are checked where ssh_config's rules are applied, by ``SSHConfigResolver``.
package struct SSHCommandLine: Sendable, Equatable {
  /// One option in the order given.
  package enum Option: Sendable, Equatable {
    case letter(Character, String?)
    case long(SSHLongOption)
  }

  package var options: [Option] = []
  /// Nil when no host was given (`-V`, `-Q`, `--help`, or nothing at all).
  package var destination: SSHDestination?
  /// Where in the given words the host stands.
  package var destinationIndex: Int?
  /// How many of the options stood before the host.
  package var optionsBeforeDestination = 0
  /// The words of the remote command or the subsystem's name.
  package var command: [String] = []
  /// Where in the given words the command begins, for callers that hold the raw bytes.
  package var commandStart: Int?
  /// The remote command as the bytes that were given, where a caller knows them: the words above
  /// are repaired where they are no UTF-8. See ``takeCommand(from:)``.
  package private(set) var commandBytes: [UInt8]?
  /// The port that `--stdio HOST PORT` names.
  package var stdioPort: Int?

  package init() {}

  /// The remote command as sent: the words joined by single blanks; nil without one.
  package var commandText: String? {
    command.isEmpty ? nil : command.joined(separator: " ")
  }

  /// Takes the remote command from the words that ``parse(_:)`` was given, as raw bytes.
  package mutating func takeCommand(from words: [[UInt8]]) {
    guard let commandStart, commandStart < words.count else { return }
    commandBytes = Array(words[commandStart...].joined(separator: [UInt8(ascii: " ")]))
  }

  /// How often a letter was given.
  package func count(of letter: Character) -> Int {
    options.count { if case .letter(letter, _) = $0 { true } else { false } }
  }

  package func has(_ letter: Character) -> Bool { count(of: letter) > 0 }

  /// The argument of a letter's last appearance.
  package func last(_ letter: Character) -> String? {
    for case .letter(letter, let value?) in options.reversed() { return value }
    return nil
  }

  package func has(_ flag: SSHLongOption.Flag) -> Bool { options.contains(.long(.flag(flag))) }

  /// The value that a long option gave to a keyword: the first, as everywhere in ssh.
  package func value(of keyword: JitKeyword) -> String? {
    for case .long(.jit(keyword, let value)) in options { return value }
    return nil
  }

  /// Whether `-G` was given.
  package var printsConfiguration: Bool { has("G") }
  /// Whether `-V` was given.
  package var asksVersion: Bool { has("V") }
  /// `-Q`: what is asked for.
  package var query: String? { last("Q") }
  /// What `-F` names.
  package var configFile: String? { last("F") }
  /// What `-E` names.
  package var logFile: String? { last("E") }
  /// Whether `-y` was given.
  package var usesSyslog: Bool { has("y") }
  /// `-v`, at most 3.
  package var verbosity: Int { min(3, count(of: "v")) }
  /// What `-O` names.
  package var controlCommand: String? { last("O") }
  /// Whether `-s` was given.
  package var asksSubsystem: Bool { has("s") }

  /// Whether there is only a host to go to, so that a Windows VM is answered with its desktop: no
  /// remote command and none of `-N -s -W -L -R -D -T -t`, nor `--stdio`.
  package var isBare: Bool {
    command.isEmpty && !has(.stdio) && !"NsWLRDTt".contains { has($0) }
  }
}

extension SSHCommandLine {
  /// The option letters of ssh.c's `getopt` call (OpenSSH 9.2; `-P` is a tag since 9.4).
  package static let plainLetters: Set<Character> = Set("1246AaCfGgKkMNnqsTtVvXxYy")
  package static let argumentLetters: Set<Character> = Set("BbcDEeFIiJLlmOoPpQRSWw")

  /// Reads the words behind the program's name and the verb.
  package static func parse(_ words: [String]) throws(SSHConfigError) -> SSHCommandLine {
    var line = SSHCommandLine()
    var index = 0
    var ended = try line.parseOptions(words, &index)
    if index < words.count {
      let destination = try SSHDestination.parse(words[index])
      guard SSHName.isValidTarget(destination.host) else {
        throw SSHConfigError(.unsafeName, "hostname contains invalid characters")
      }
      if let user = destination.user, !SSHName.isValidUser(user) {
        throw SSHConfigError(.unsafeName, "remote username contains invalid characters")
      }
      line.destination = destination
      line.destinationIndex = index
      line.optionsBeforeDestination = line.options.count
      index += 1
      if !ended {
        ended = try line.parseOptions(words, &index)
      }
      if index < words.count {
        line.command = Array(words[index...])
        line.commandStart = index
      }
    }
    try line.takeStdioPort()
    try line.checkCombinations()
    return line
  }

  /// Options up to the first other word; true if `--` ended them.
  private mutating func parseOptions(
    _ words: [String], _ index: inout Int
  ) throws(SSHConfigError) -> Bool {
    while index < words.count {
      let word = words[index]
      let bytes = word.utf8
      guard bytes.first == UInt8(ascii: "-"), bytes.count > 1 else { return false }
      index += 1
      if word == "--" { return true }
      if word.hasPrefix("--") {
        let next = index < words.count ? words[index] : nil
        let (option, usedNext) = try SSHLongOption.parse(word, next: next)
        options.append(.long(option))
        if usedNext { index += 1 }
        continue
      }
      try parseCluster(Array(bytes.dropFirst()), words, &index)
    }
    return false
  }

  /// `-vNL8080:…`: letters, the last of which may take the rest or the next word.
  private mutating func parseCluster(
    _ cluster: [UInt8], _ words: [String], _ index: inout Int
  ) throws(SSHConfigError) {
    var position = 0
    while position < cluster.count {
      let letter = Character(UnicodeScalar(cluster[position]))
      position += 1
      if Self.plainLetters.contains(letter) {
        if letter == "1" {
          throw SSHConfigError(.option, "SSH protocol v.1 is no longer supported")
        }
        options.append(.letter(letter, nil))
        continue
      }
      guard Self.argumentLetters.contains(letter) else {
        // bytes beyond ASCII are parts of a character: show the whole cluster's text
        let shown =
          cluster[position - 1] < 0x80
          ? String(letter) : String(decoding: cluster[(position - 1)...], as: UTF8.self)
        throw SSHConfigError(.usage, "unknown option -- \(shown)")
      }
      if position < cluster.count {
        options.append(.letter(letter, String(decoding: cluster[position...], as: UTF8.self)))
      } else if index < words.count {
        options.append(.letter(letter, words[index]))
        index += 1
      } else {
        throw SSHConfigError(.usage, "option requires an argument -- \(letter)")
      }
      return
    }
  }

  /// `--stdio HOST [PORT]`, so that `ProxyCommand jitconnect --stdio %h %p` needs no quoting.
  private mutating func takeStdioPort() throws(SSHConfigError) {
    guard has(.stdio), !command.isEmpty else { return }
    guard command.count == 1,
      case .number(let port) = wholeNumber(command[0], in: 1...65535)
    else {
      throw SSHConfigError(.usage, "--stdio takes a host and a port, and no command")
    }
    stdioPort = port
    command = []
    commandStart = nil
  }

  private func checkCombinations() throws(SSHConfigError) {
    if usesSyslog, logFile != nil {
      throw SSHConfigError(.option, "Can't specify both -y and -E")
    }
    for option in options {
      if case .letter("l", let user?) = option, !SSHName.isValidUser(user) {
        throw SSHConfigError(.unsafeName, "remote username contains invalid characters")
      }
    }
  }

  /// The usage text of OpenSSH 9.2 under another name.
  package static func usage(_ program: String) -> String {
    let indent = String(repeating: " ", count: 8 + program.utf8.count)
    let lines = [
      "usage: \(program) [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]",
      "[-b bind_address] [-c cipher_spec] [-D [bind_address:]port]",
      "[-E log_file] [-e escape_char] [-F configfile] [-I pkcs11]",
      "[-i identity_file] [-J [user@]host[:port]] [-L address]",
      "[-l login_name] [-m mac_spec] [-O ctl_cmd] [-o option] [-p port]",
      "[-Q query_option] [-R address] [-S ctl_path] [-W host:port]",
      "[-w local_tun[:remote_tun]] destination [command [argument ...]]",
    ]
    return lines.joined(separator: "\n\(indent)")
  }
}
