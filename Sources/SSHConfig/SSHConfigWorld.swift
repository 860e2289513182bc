/// All that reading a configuration needs to know of the machine, as values and closures.
package struct SSHConfigWorld: Sendable {
  package enum FileRead: Sendable, Equatable {
    case contents([UInt8])
    case missing
    /// There, but others could have written it (see `readFile`).
    case refused
    /// There, but not readable; the system's words.
    case failed(String)
  }

  /// What a name server says of a name.
  package struct Resolution: Sendable, Equatable {
    package var canonicalName: String?

    package init(canonicalName: String? = nil) { self.canonicalName = canonicalName }
  }

  /// The whole file.
  ///
  /// With `checkingOwner`, one that is neither root's nor the user's, or that group or others may
  /// write, is `refused`; Debian's ssh lets a group write whose only member is the user. How much
  /// is read at most (a device may never end) is for the closure to say.
  package var readFile: @Sendable (_ path: String, _ checkingOwner: Bool) -> FileRead
  /// The paths that fit a pattern, sorted; `~` is already expanded.
  package var glob: @Sendable (_ pattern: String) -> [String]
  /// Whether a path can be seen (for `-i`).
  package var fileExists: @Sendable (_ path: String) -> Bool
  /// Runs a command in the user's shell with no input and no output: its success.
  package var run: @Sendable (_ command: String) -> Bool
  package var environment: @Sendable (_ name: String) -> String?
  /// The home folder of another user.
  package var homeOfUser: @Sendable (_ user: String) -> String?
  /// A TCP service's port by its name.
  package var servicePort: @Sendable (_ name: String) -> Int?
  /// A numeric address in its usual form; nil for anything else, and without asking a name server.
  package var numericAddress: @Sendable (_ text: String) -> String?
  /// Asks the name servers; used for `CanonicalizeHostname` alone.
  package var resolve: @Sendable (_ name: String) -> Resolution?

  /// The user's home folder, without a slash at its end.
  package var home: String
  package var userName: String
  package var userID: UInt32
  /// As `gethostname` gives it.
  package var hostName: String

  /// A world that holds nothing: no files, no variables, and every command fails.
  package init(home: String, userName: String, userID: UInt32, hostName: String) {
    self.home = home
    self.userName = userName
    self.userID = userID
    self.hostName = hostName
    readFile = { _, _ in .missing }
    glob = { _ in [] }
    fileExists = { _ in false }
    run = { _ in false }
    environment = { _ in nil }
    homeOfUser = { _ in nil }
    servicePort = { _ in nil }
    numericAddress = { _ in nil }
    resolve = { _ in nil }
  }

  /// A port by number (0 included) or by service name; nil if it is neither.
  func port(_ text: String) -> Int? {
    if case .number(let number) = wholeNumber(text, in: 0...65535) { return number }
    return servicePort(text)
  }

  /// `~`, `~/…`, `~user/…`; nil for a user who does not exist.
  func expandingTilde(_ path: String) -> String? {
    let bytes = Array(path.utf8)
    guard bytes.first == UInt8(ascii: "~") else { return path }
    let name = bytes.dropFirst().prefix { $0 != UInt8(ascii: "/") }
    let rest = bytes.dropFirst(1 + name.count).drop { $0 == UInt8(ascii: "/") }
    let folder = name.isEmpty ? home : homeOfUser(String(decoding: name, as: UTF8.self))
    guard let folder else { return nil }
    let slash = folder.utf8.last == UInt8(ascii: "/") ? "" : "/"
    return folder + slash + String(decoding: rest, as: UTF8.self)
  }
}

/// Where configurations lie.
///
/// The command line's `-F` replaces or drops `user` and `system`.
package struct SSHConfigSources: Sendable {
  /// Our own file; nil for none.
  package var own: String?
  package var user: String?
  package var system: String?

  package init(own: String?, user: String?, system: String? = "/etc/ssh/ssh_config") {
    self.own = own
    self.user = user
    self.system = system
  }

  /// No file at all, but what `-F` names.
  package static let none = SSHConfigSources(own: nil, user: nil, system: nil)
}
