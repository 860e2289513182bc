package import Platform

/// A program that shows the remote desktop, and how it is started.
package struct RDPClient: Sendable, Equatable {
  /// What decides the arguments.
  package enum Kind: Sendable, Equatable {
    /// Windows' own.
    case mstsc
    /// Windows App on macOS, by its name there.
    case windowsApp(String)
    case freeRDP
    case remmina
    /// The words of `JitRdpClient`, the program first, with `%f %h %p %u`.
    case command([String])
  }

  package var kind: Kind
  /// An absolute path.
  package var path: String

  /// What the client is to show.
  package struct Session: Sendable {
    /// An absolute path that ends in `.rdp`.
    package var file: String
    package var host: String
    package var port: Int
    package var user: String?
    /// SHA-256 of the server's certificate, where it was seen and is trusted.
    package var fingerprint: [UInt8]?

    package init(
      file: String, host: String, port: Int, user: String? = nil, fingerprint: [UInt8]? = nil
    ) {
      self.file = file
      self.host = host
      self.port = port
      self.user = user
      self.fingerprint = fingerprint
    }
  }

  /// Whether the program hands the file to another one and ends at once: the file must outlive it.
  package var endsAtOnce: Bool {
    if case .windowsApp = kind { true } else { false }
  }

  /// Whether the client accepts only the certificate it is told to; the others ask the user.
  package var holdsCertificate: Bool { kind == .freeRDP }

  /// The program's arguments, without its own name.
  ///
  /// Never a password.
  ///
  /// - Throws: `setting-invalid` where a file or a word would be taken for an option.
  package func arguments(for session: Session) throws(Failure) -> [String] {
    try check(session.file)
    switch kind {
    case .mstsc: return [session.file]
    case .windowsApp(let name): return ["-a", name, session.file]
    case .remmina: return ["-c", session.file]
    case .freeRDP: return freeRDPArguments(session)
    case .command(let words): return try Self.filled(words.dropFirst(), session)
    }
  }

  /// Clients take words that begin otherwise for options, or for a host.
  private func check(_ file: String) throws(Failure) {
    let isAbsolute =
      kind == .mstsc
      ? file.prefixMatch(of: #/[A-Za-z]:\\/#) != nil
      : file.hasPrefix("/") || file.hasPrefix("./")
    guard isAbsolute, file.hasSuffix(".rdp") else {
      throw Failure(
        .settingInvalid, what: "a client cannot be given the file \(printable(file))",
        why: "its path must be absolute and end in .rdp")
    }
  }

  private func freeRDPArguments(_ session: Session) -> [String] {
    // The file first: an address before it is an error.
    var arguments = [session.file]
    if session.host.contains(":") {
      // It cannot read an IPv6 address from a file.
      arguments.append("/v:[\(session.host)]:\(session.port)")
    }
    if let fingerprint = session.fingerprint {
      // Only this form matches: lower case, with colons. Without "deny" another one is asked about.
      arguments.append("/cert:deny,fingerprint:sha256:\(hexadecimal(fingerprint, separator: ":"))")
    }
    return arguments
  }

  private static func filled(
    _ words: some Collection<String>, _ session: Session
  ) throws(Failure) -> [String] {
    var result: [String] = []
    for word in words {
      var text = ""
      var rest = word.unicodeScalars[...]
      while let scalar = rest.popFirst() {
        guard scalar == "%" else {
          text.unicodeScalars.append(scalar)
          continue
        }
        switch rest.popFirst() {
        case "f": text += session.file
        case "h": text += session.host
        case "p": text += String(session.port)
        case "u": text += session.user ?? ""
        case "%": text += "%"
        default:
          throw Failure(
            .settingInvalid, what: "JitRdpClient: \(printable(word)) is not understood",
            why: "after % may stand f (file), h (host), p (port), u (user) or %")
        }
      }
      result.append(text)
    }
    // A command that says nothing of the session is given the file.
    if words.allSatisfy({ !$0.contains("%") }) { result.append(session.file) }
    return result
  }
}

extension RDPClient {
  /// The system this runs on, as far as clients differ.
  package enum System: Sendable {
    case linux
    case macOS
    case windows

    package static var current: System {
      #if os(macOS)
        .macOS
      #elseif os(Windows)
        .windows
      #else
        .linux
      #endif
    }
  }

  private struct Row {
    var name: String
    var systems: Set<System>
    var programs: [String]
    var kind: Kind
  }

  /// Names for `JitRdpClient`, and what is looked for, best first.
  private static let table: [Row] = [
    Row(name: "mstsc", systems: [.windows], programs: ["mstsc.exe", "mstsc"], kind: .mstsc),
    Row(
      name: "windows-app", systems: [.macOS], programs: ["open"],
      kind: .windowsApp(Assumptions.windowsAppName)),
    Row(
      name: "freerdp", systems: [.linux, .macOS],
      programs: [
        "xfreerdp3", "sdl-freerdp3", "wlfreerdp3", "xfreerdp", "sdl-freerdp", "wlfreerdp",
      ],
      kind: .freeRDP),
    Row(name: "remmina", systems: [.linux], programs: ["remmina"], kind: .remmina),
  ]

  /// The client to start.
  ///
  /// - Parameters:
  ///   - setting: `JitRdpClient`: nil or `auto` takes the first that is there; a name of the
  ///     table; a program of the table; or a command line, split at blanks (quotes keep them).
  ///   - find: the path of a program on `PATH`, nil where it is not there.
  /// - Throws: `not-found` where no client is there, `setting-invalid`.
  package static func choose(
    _ setting: String?, on system: System = .current, find: (String) -> String?
  ) throws(Failure) -> RDPClient {
    let wanted = setting ?? "auto"
    for row in table {
      let byName = wanted == "auto" ? row.systems.contains(system) : wanted == row.name
      for program in row.programs where byName || wanted == program && program != "open" {
        if let path = find(program) { return RDPClient(kind: row.kind, path: path) }
      }
      if byName, wanted != "auto" {
        throw Failure(
          .notFound, what: "the RDP client \(row.name) is not installed",
          why: "none of \(row.programs.joined(separator: ", ")) is on PATH")
      }
    }
    guard wanted != "auto" else {
      let names = table.filter { $0.systems.contains(system) }.flatMap(\.programs)
      throw Failure(
        .notFound, what: "no RDP client is installed",
        why: "looked for \(names.joined(separator: ", "))",
        next: "install one, or keep the file with --output FILE")
    }
    let words = try words(of: wanted)
    guard let program = words.first, let path = program.hasPrefix("/") ? program : find(program)
    else {
      throw Failure(.notFound, what: "the RDP client \(printable(wanted)) is not installed")
    }
    return RDPClient(kind: .command(words), path: path)
  }

  /// Splits at blanks, without a shell; single and double quotes keep blanks.
  private static func words(of command: String) throws(Failure) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    for character in command {
      if character == quote {
        quote = nil
      } else if quote != nil {
        word?.append(character)
      } else if character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if character.isWhitespace {
        if let whole = word { words.append(whole) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    guard quote == nil else {
      throw Failure(.settingInvalid, what: "JitRdpClient: a quote is not closed")
    }
    if let word { words.append(word) }
    return words
  }
}
