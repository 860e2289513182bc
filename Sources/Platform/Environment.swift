#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The process's environment, read once at the edge and passed on as a value.
package struct Environment: Sendable {
  package var variables: [String: String]
  /// The user's home: `$HOME` where it names a folder of this user, else the password database's
  /// entry (ssh's rule), which also serves `sudo` with a kept `HOME`. Nil where neither exists.
  package var home: String?
  /// The local user's name, as ssh takes it from the password database.
  package var userName: String
  /// The effective user id.
  package var userID: UInt32

  package init(
    variables: [String: String], home: String?, userName: String = "user", userID: UInt32 = 0
  ) {
    self.variables = variables
    self.home = home
    self.userName = userName
    self.userID = userID
  }

  /// A variable's value; empty counts as unset.
  package subscript(_ name: String) -> String? {
    guard let value = variables[name], !value.isEmpty else { return nil }
    return value
  }

  /// What another program is started with: without the variables that hold secrets of sign-ins.
  package var withoutSecrets: [String: String] {
    variables.filter { !Self.secrets.contains($0.key) }
  }

  private static let secrets: Set<String> = [
    "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD",
    "ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PASSWORD", "ARM_OIDC_TOKEN",
    "ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_ACCESSTOKEN",
    "AZURE_OIDC_TOKEN", "AZURE_OIDC_REQUEST_TOKEN", "AZURE_FEDERATED_TOKEN", "IDENTITY_HEADER",
    "MSI_SECRET",
  ]

  /// The environment of this process.
  package static func current() -> Environment {
    var variables: [String: String] = [:]
    var entry = unsafe environ
    while let pointer = unsafe entry.pointee {
      let text = unsafe String(cString: pointer).utf8
      // By bytes: with a combining mark behind it "=" is another Character.
      if let equals = text.firstIndex(of: UInt8(ascii: "=")) {
        let name = String(decoding: text[..<equals], as: UTF8.self)
        variables[name] = String(decoding: text[equals...].dropFirst(), as: UTF8.self)
      }
      unsafe entry += 1
    }
    let userID = geteuid()
    var userName = variables["USER"] ?? variables["LOGNAME"] ?? String(userID)
    var home: String?
    if let record = unsafe getpwuid(userID) {
      unsafe userName = String(cString: record.pointee.pw_name)
      unsafe home = String(cString: record.pointee.pw_dir)
    }
    if let named = variables["HOME"], named.hasPrefix("/"), ownsFolder(named, userID: userID) {
      home = named
    }
    return Environment(variables: variables, home: home, userName: userName, userID: userID)
  }

  private static func ownsFolder(_ path: String, userID: UInt32) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == userID
  }

  /// `$XDG_CONFIG_HOME/jitconnect`, else `~/.config/jitconnect`: the user's settings.
  package var configDirectory: String? { ownDirectory("XDG_CONFIG_HOME", ".config") }
  /// `$XDG_CACHE_HOME/jitconnect`, else `~/.cache/jitconnect`: hints that may be lost.
  package var cacheDirectory: String? { ownDirectory("XDG_CACHE_HOME", ".cache") }
  /// `$XDG_STATE_HOME/jitconnect`, else `~/.local/state/jitconnect`: tokens, host keys, windows.
  package var stateDirectory: String? { ownDirectory("XDG_STATE_HOME", ".local/state") }

  private func ownDirectory(_ variable: String, _ fallback: String) -> String? {
    // The XDG base directory rules: a relative path is ignored.
    if let base = self[variable], base.hasPrefix("/") { return base + "/jitconnect" }
    guard let home else { return nil }
    return home + "/" + fallback + "/jitconnect"
  }
}
