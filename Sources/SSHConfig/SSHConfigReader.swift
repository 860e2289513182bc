/// Reads configuration lines into a draft.
struct SSHConfigReader {
  /// What a file is, which decides where its includes lie and whose keys it names.
  enum Kind: Equatable {
    case commandLine
    /// Ours; includes are relative to its folder.
    case own(folder: String)
    /// Included names are relative to `~/.ssh`.
    case user
    /// Included names are relative to `/etc/ssh`.
    case system

    var isUsers: Bool { self != .system }
  }

  struct Context {
    var kind: Kind
    /// Below a block that does not apply: read for mistakes only.
    var neverMatches = false
    var depth = 0
  }

  enum LineFailure: Error {
    /// Counted; the file is read to its end, for all mistakes at once.
    case bad(String?)
    case fatal(SSHConfigError)
  }

  static let maximumDepth = 16

  let world: SSHConfigWorld
  var draft = SSHConfigDraft()
  var notes: [SSHConfigNote] = []
  var filesRead: [String] = []
  /// What `Host` matches against: the name as typed, in the final pass the name connected to.
  var host = ""
  var originalHost = ""
  var commandText: String?
  var isFinalPass = false
  var wantsFinalPass = false
  /// Whether a `-O` was seen.
  var hasControlCommand = false
  /// Where `HostName` was set, if it was.
  var configuredHostName: SSHOrigin?

  private var complaints: [String] = []
  private var firstComplaint: SSHOrigin?

  init(world: SSHConfigWorld) { self.world = world }

  mutating func note(_ level: SSHConfigNote.Level, _ text: String) {
    let note = SSHConfigNote(level, text)
    // the final pass reads every line again
    if !notes.contains(note) { notes.append(note) }
  }

  /// Reads a file; false if there is none.
  mutating func readFile(
    _ path: String, _ context: Context, checkingOwner: Bool
  ) throws(SSHConfigError) -> Bool {
    var active = true
    return try readFile(path, context, checkingOwner: checkingOwner, active: &active)
  }

  mutating func readFile(
    _ path: String, _ context: Context, checkingOwner: Bool, active: inout Bool
  ) throws(SSHConfigError) -> Bool {
    if context.depth > Self.maximumDepth {
      throw SSHConfigError(
        .configuration, "Too many recursive configuration includes", file: path)
    }
    let bytes: [UInt8]
    switch world.readFile(path, checkingOwner) {
    case .contents(let contents): bytes = contents
    case .missing: return false
    case .refused:
      throw SSHConfigError(
        .configuration, "Bad owner or permissions on \(path)", file: path)
    case .failed(let reason):
      throw SSHConfigError(
        .configuration, "Can't open user config file \(path): \(reason)", file: path)
    }
    if !filesRead.contains(path) { filesRead.append(path) }
    var bad = 0
    var number = 0
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      let origin = SSHOrigin.file(path: path, line: number)
      do throws(LineFailure) {
        // a C string ends at its first NUL
        try readLine(line.prefix { $0 != 0 }, origin, context, active: &active)
      } catch {
        switch error {
        case .fatal(let failure): throw failure
        case .bad(let text):
          bad += 1
          if let text { complaints.append(text) }
          firstComplaint = firstComplaint ?? origin
        }
      }
    }
    if bad > 0 {
      throw SSHConfigError(
        .configuration,
        lines: complaints + ["\(path): terminating, \(bad) bad configuration options"],
        file: firstComplaint?.path, line: firstComplaint?.line)
    }
    return true
  }

  /// One `-o`.
  mutating func readOption(_ text: String) throws(SSHConfigError) {
    var active = true
    do throws(LineFailure) {
      try readLine(
        Array(text.utf8).prefix { $0 != 0 }, .commandLine, Context(kind: .commandLine),
        active: &active)
    } catch {
      switch error {
      case .fatal(let failure): throw failure
      case .bad(let text): throw SSHConfigError(.configuration, text ?? "Bad option")
      }
    }
  }

  private mutating func readLine(
    _ raw: ArraySlice<UInt8>, _ origin: SSHOrigin, _ context: Context, active: inout Bool
  ) throws(LineFailure) {
    var line = raw
    while line.count > 1, let last = line.last, last.isConfigBlank || last == 0x0C {
      line = line.dropLast()
    }
    if line.isEmpty { return }
    var text = DelimitedText(line)
    guard var word = text.next() else { return }
    if word.isEmpty {
      guard let second = text.next() else { return }
      word = second
    }
    if word.isEmpty || word.first == UInt8(ascii: "#") { return }
    let keyword = String(decoding: word.map(\.lowercase), as: UTF8.self)
    let rest = (text.rest ?? []).drop(while: \.isConfigBlank)
    if rest.isEmpty {
      throw .bad("\(origin.place): no argument after keyword \"\(keyword)\"")
    }
    var reading = KeywordReading(keyword)
    var isUnknown = false
    if case .unknown = reading {
      if let patterns = draft[.ignoreUnknown],
        SSHPattern.matchList(keyword, patterns, lowercasing: true) == .positive
      {
        reading = .ignored
        noteIgnored(keyword, origin)
      } else {
        isUnknown = true
      }
    }
    let unknown = "\(origin.placeWithColon): Bad configuration option: \(keyword)"
    guard let words = splitArguments(rest) else {
      if isUnknown { complaints.append(unknown) }
      throw .bad("\(origin.place): invalid quotes")
    }
    if isUnknown { throw .bad(unknown) }
    var arguments = ConfigArguments(
      keyword: keyword, words: words, rest: rest, origin: origin, isActive: active)
    switch reading {
    case .ignored, .unknown: return
    case .deprecated:
      note(.debug, "\(origin.place): Deprecated option \"\(keyword)\"")
      return
    case .unsupported:
      note(.warning, "\(origin.place): Unsupported option \"\(keyword)\"")
      return
    case .jit(let keyword): try readJit(keyword, &arguments)
    case .keyword(.host): try readHost(&arguments, context, active: &active)
    case .keyword(.match): try readMatch(&arguments, context, active: &active)
    case .keyword(.include): try readInclude(&arguments, context, active: &active)
    case .keyword(let keyword): try read(keyword, &arguments, context)
    }
    if !arguments.isEmpty {
      throw arguments.bad("keyword \(keyword) extra arguments at end of line")
    }
  }

  private mutating func noteIgnored(_ keyword: String, _ origin: SSHOrigin) {
    if keyword.hasPrefix("jit") {
      // `IgnoreUnknown Jit*` is for ssh; here it would hide a slip of the pen
      note(.warning, "\(origin.place): ignored unknown option \"\(keyword)\"")
    } else {
      note(.debug, "\(origin.place): Ignored unknown option \"\(keyword)\"")
    }
  }

  private mutating func readJit(
    _ keyword: JitKeyword, _ arguments: inout ConfigArguments
  ) throws(LineFailure) {
    var words = arguments.takeAll()
    if arguments.origin == .commandLine, keyword.row.syntax == .text {
      // `-o JitReason=fix #12` has no comment; what is sent to an auditor is not cut
      words = splitArguments(arguments.rest, comments: false) ?? words
    }
    let joined =
      switch keyword.row.syntax {
      // One quoted word is the whole command; else the quotes are the command's own.
      case .command: words.count == 1 ? words[0] : arguments.command()
      case .source, .urls, .sourceSet: words.joined(separator: ",")
      case .text, .duration, .states, .target, .size, .switchOrPort: words.joined(separator: " ")
      }
    switch keyword.read(joined) {
    case .success(let value):
      if arguments.isActive { draft.set(keyword, value, arguments.origin) }
    case .failure(let error): throw arguments.bad(error.message)
    }
  }

  private mutating func readInclude(
    _ arguments: inout ConfigArguments, _ context: Context, active: inout Bool
  ) throws(LineFailure) {
    if context.kind == .commandLine {
      throw .bad("Include directive not supported as a command-line option")
    }
    let wasActive = active
    var missing = false
    while let name = arguments.next() {
      if name.isEmpty { throw arguments.bad("keyword include empty argument") }
      let pattern: String
      switch (name.utf8.first, context.kind) {
      case (UInt8(ascii: "/"), _): pattern = name
      case (UInt8(ascii: "~"), .system): throw arguments.bad("bad include path \(name).")
      case (UInt8(ascii: "~"), _):
        // like glob(3), a user who does not exist stays as written
        pattern = world.expandingTilde(name) ?? name
      case (_, .system): pattern = "/etc/ssh/\(name)"
      case (_, .own(let folder)): pattern = "\(folder)/\(name)"
      default: pattern = (world.expandingTilde("~/.ssh/") ?? "") + name
      }
      let inner = Context(
        kind: context.kind, neverMatches: context.neverMatches || !wasActive,
        depth: context.depth + 1)
      for path in world.glob(pattern) {
        do throws(SSHConfigError) {
          if try !readFile(path, inner, checkingOwner: true, active: &active) { missing = true }
        } catch {
          throw .fatal(error)
        }
        active = wasActive
      }
    }
    if missing { throw .bad(nil) }
  }

  private mutating func readHost(
    _ arguments: inout ConfigArguments, _ context: Context, active: inout Bool
  ) throws(LineFailure) {
    if context.kind == .commandLine {
      throw .bad("Host directive not supported as a command-line option")
    }
    active = false
    while let word = arguments.next() {
      if word.isEmpty { throw arguments.bad("keyword host empty argument") }
      if context.neverMatches { break }
      let negated = word.utf8.first == UInt8(ascii: "!")
      guard SSHPattern.matches(host, negated ? word.withoutFirstByte : word) else { continue }
      active = !negated
      if negated { break }
    }
    _ = arguments.takeAll()
  }
}

/// The words of a line, taken one by one.
struct ConfigArguments {
  /// In lower case.
  let keyword: String
  /// The line behind the keyword as it stands.
  let rest: ArraySlice<UInt8>
  let origin: SSHOrigin
  let isActive: Bool
  private var words: ArraySlice<String>

  init(
    keyword: String, words: [String], rest: ArraySlice<UInt8>, origin: SSHOrigin, isActive: Bool
  ) {
    self.keyword = keyword
    self.words = words[...]
    self.rest = rest
    self.origin = origin
    self.isActive = isActive
  }

  var isEmpty: Bool { words.isEmpty }
  var count: Int { words.count }

  mutating func next() -> String? { words.popFirst() }

  mutating func takeAll() -> [String] {
    defer { words = [] }
    return Array(words)
  }

  /// The next word, or ssh's complaint that there is none.
  mutating func required(
    _ complaint: String = "Missing argument."
  ) throws(SSHConfigReader.LineFailure) -> String {
    guard let word = next(), !word.isEmpty else { throw bad(complaint) }
    return word
  }

  /// The rest of the line as it stands, from behind blanks and `=`.
  mutating func command() -> String {
    words = []
    let text = rest.drop { $0.isConfigBlank || $0 == UInt8(ascii: "=") }
    return String(decoding: text, as: UTF8.self)
  }

  func bad(_ text: String) -> SSHConfigReader.LineFailure { .bad("\(origin.place): \(text)") }
}
