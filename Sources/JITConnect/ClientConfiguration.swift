import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A configuration folder of one run's own for FreeRDP, which takes a certificate that an earlier
/// run has noted for any, whatever it is told to hold the server to.
enum ClientConfiguration {
  /// FreeRDP's own notes of whom to trust, in its versions 2 and 3.
  private static let notes: Set<String> = ["known_hosts", "known_hosts2", "server", "certs"]

  /// Makes it: everything else in it is the user's.
  ///
  /// - Returns: what `XDG_CONFIG_HOME` is to be; ``remove(_:)`` takes it away.
  static func make(in environment: Environment) throws(SystemError) -> String {
    let folder = try Files.makeTemporaryDirectory("jitconnect", in: environment)
    do throws(SystemError) {
      try Files.makeDirectory(folder + "/freerdp")
      let users = environment["XDG_CONFIG_HOME"] ?? (environment.home ?? "") + "/.config"
      try link(users, into: folder, but: ["freerdp"])
      try link(users + "/freerdp", into: folder + "/freerdp", but: notes)
    } catch {
      remove(folder)
      throw error
    }
    return folder
  }

  private static func link(
    _ source: String, into folder: String, but left: Set<String>
  ) throws(SystemError) {
    guard source.hasPrefix("/"), let names = try? Files.names(in: source) else { return }
    for name in names where !left.contains(name) {
      _ = try valueOrSystemError { unsafe symlink("\(source)/\(name)", "\(folder)/\(name)") }
    }
  }

  /// Links are removed, not what they lead to.
  static func remove(_ folder: String) {
    try? FileManager.default.removeItem(atPath: folder)
  }
}
