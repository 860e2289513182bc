import Platform
import RDP

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where a machine's .rdp file goes, and what may be replaced there.
struct DesktopFile: Sendable {
  enum Place: Sendable, Equatable {
    case standardOutput
    case file(String)
    /// A folder of this run's own, removed when the client is done.
    case forClient
  }

  var environment: Environment
  var settings: DesktopSettings

  /// - Parameters:
  ///   - vm: the machine's name, which names the file.
  ///   - isAlone: whether no other machine's file is written by this run.
  /// - Throws: `setting-invalid` where the name is none for a file.
  func place(for vm: String, isAlone: Bool, outputIsTerminal: Bool) throws(Failure) -> Place {
    switch settings.output {
    case .standardOutput where isAlone: return .standardOutput
    case .standardOutput:
      throw Failure(
        .usage, what: "several files do not fit on standard output",
        next: "name a folder with --output")
    case .file(let path):
      if path.hasSuffix("/") || Files.kind(of: path, followingLinks: true)?.isDirectory == true {
        let folder = path.hasSuffix("/") ? path : path + "/"
        return .file(folder + (try rdpFileName(forVM: vm)))
      }
      guard isAlone else {
        throw Failure(
          .usage, what: "several files do not fit into \(printable(path))",
          next: "name a folder with --output")
      }
      return .file(path)
    case .unsaid:
      if settings.client != nil { return .forClient }
      if isAlone, !outputIsTerminal, !settings.wantsJSON { return .standardOutput }
      return .file(try rdpFileName(forVM: vm))
    }
  }

  /// Writes it, 0600 and in one step.
  ///
  /// - Returns: the absolute path.
  /// - Throws: `file-unwritable`, also where something of somebody else's is there.
  func write(_ file: RDPFile, to path: String) throws(Failure) -> String {
    guard mayReplace(path) else {
      let isFolder = Files.kind(of: path, followingLinks: true)?.isDirectory == true
      throw Failure(
        .fileUnwritable,
        what: "\(printable(path)) is here already and is not a file that jitconnect wrote",
        next: isFolder ? "--output FILE names another one" : "--force replaces it")
    }
    do {
      try Files.replace(path, with: file.bytes)
    } catch {
      throw Failure(
        .fileUnwritable, what: "cannot write \(printable(path))", why: "\(error)",
        next: "--output FILE writes it elsewhere", cause: .system(error.number))
    }
    return absolute(path)
  }

  /// Only a regular file of this user that holds nothing but settings of ours, unless `--force`
  /// says otherwise; a folder never.
  private func mayReplace(_ path: String) -> Bool {
    guard let kind = Files.kind(of: path) else { return true }
    if kind.isDirectory { return false }
    if settings.replacesAnything { return true }
    guard kind.isRegular, kind.owner == environment.userID,
      let bytes = try? Files.read(path, limit: 1 << 20)
    else { return false }
    return (try? RDPFile.parse(bytes)) != nil
  }

  private func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let folder = Files.workingDirectory else { return "./" + path }
    return (folder == "/" ? "" : folder) + "/" + path
  }

  /// Writes it for a client, in a folder of its own.
  ///
  /// - Returns: the absolute path; ``remove(_:)`` takes both away.
  func writeForClient(_ file: RDPFile, vm: String) throws(Failure) -> String {
    // The client shows the name, but a name that is none for a file must not stop it.
    let name = (try? rdpFileName(forVM: vm)) ?? "desktop.rdp"
    do throws(SystemError) {
      let folder = try Files.makeTemporaryDirectory("jitconnect", in: environment)
      let path = "\(folder)/\(name)"
      do throws(SystemError) {
        try Files.replace(path, with: file.bytes)
      } catch {
        Self.remove(path)
        throw error
      }
      return path
    } catch {
      throw Failure(
        .fileUnwritable, what: "cannot write a file for the RDP client", why: "\(error)",
        next: "set TMPDIR to a folder that can be written", cause: .system(error.number))
    }
  }

  /// Removes what ``writeForClient(_:vm:)`` made.
  static func remove(_ path: String) {
    unsafe unlink(path)
    unsafe rmdir(Files.parentDirectory(of: path))
  }
}
