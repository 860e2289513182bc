/// What has been set so far while a configuration is read; the first value wins.
struct SSHConfigDraft: Sendable, Equatable {
  struct Setting: Sendable, Equatable {
    /// As `-G` prints it, a word per element.
    var words: [String]
    var origin: SSHOrigin
  }

  struct NamedFile: Sendable, Equatable {
    var path: String
    var isExplicit: Bool
  }

  var settings: [SSHKeyword: Setting] = [:]
  var jit: [JitKeyword: JitSettings.Value] = [:]

  // What accumulates, or has parts that are set apart
  var sourceSets: [JitSettings.NamedSources] = []
  var identityFiles: [NamedFile] = []
  var certificateFiles: [NamedFile] = []
  var localForwards: [SSHForward] = []
  var remoteForwards: [SSHForward] = []
  var sendEnv: [String] = []
  var setEnv: [String] = []
  var jump: SSHJump?
  /// `ProxyJump none` came first: no later one counts.
  var jumpIsNone = false
  var forwardAgentPath: String?
  var rekeyInterval: Int?
  var addKeysLifetime: Int?
  var controlPersistTime: Int?
  var stdioForward: SSHOptions.StdioForward?

  // Filled in when all is read
  var hostArgument = ""
  var resolvedHost = ""
  var knownHosts: [String] = []
  var globalKnownHosts: [String] = []
  var updatesHostKeys = SSHOptions.YesNoAsk.yes
  var aliveInterval = 0

  mutating func set(_ keyword: SSHKeyword, _ words: [String], _ origin: SSHOrigin) {
    if settings[keyword] == nil { settings[keyword] = Setting(words: words, origin: origin) }
  }

  /// The first value wins; of sets of sources, the first of each name.
  mutating func set(_ keyword: JitKeyword, _ text: String, _ origin: SSHOrigin) {
    if keyword == .sourceSet {
      guard case .success(let set) = JitSourceSet.parse(text),
        !sourceSets.contains(where: { $0.set.name == set.name })
      else { return }
      sourceSets.append(JitSettings.NamedSources(set: set, origin: origin))
    } else if let first = jit[keyword] {
      // Line ends cannot be part of a value. The final pass reads every line again.
      let isKnown = first.text.split(separator: "\n").contains(text[...])
      if keyword.accumulates, !isKnown { jit[keyword]?.text = first.text + "\n" + text }
    } else {
      jit[keyword] = JitSettings.Value(text: text, origin: origin)
    }
  }

  /// What a letter of the command line does: it replaces.
  mutating func replace(_ keyword: SSHKeyword, _ word: String) {
    settings[keyword] = Setting(words: [word], origin: .commandLine)
  }

  /// The value's words in one.
  subscript(_ keyword: SSHKeyword) -> String? {
    settings[keyword]?.words.joined(separator: " ")
  }

  func isYes(_ keyword: SSHKeyword, default value: Bool = false) -> Bool {
    self[keyword].map { $0 == "yes" } ?? value
  }

  func number(_ keyword: SSHKeyword) -> Int? { self[keyword].flatMap { Int($0) } }

  /// A command or path, nil also for `none`.
  func unlessNone(_ keyword: SSHKeyword) -> String? {
    guard let text = self[keyword], !sameWord(text, "none") else { return nil }
    return text
  }

  mutating func addIdentity(_ path: String, isExplicit: Bool) {
    let file = NamedFile(path: path, isExplicit: isExplicit)
    if !identityFiles.contains(file) { identityFiles.append(file) }
  }

  mutating func addCertificate(_ path: String, isExplicit: Bool) {
    let file = NamedFile(path: path, isExplicit: isExplicit)
    if !certificateFiles.contains(file) { certificateFiles.append(file) }
  }

  mutating func addLocal(_ forward: SSHForward) {
    if !localForwards.contains(forward) { localForwards.append(forward) }
  }

  mutating func addRemote(_ forward: SSHForward) {
    if !remoteForwards.contains(forward) { remoteForwards.append(forward) }
  }
}
