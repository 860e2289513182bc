import AzureSimulator
import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A real OpenSSH server for this user on a free port of loopback, with keys of its own; gone with
/// its owner.
final class LoopbackServer: Sendable {
  let folder: String
  let port: UInt16
  /// A private key that logs in.
  let key: String
  private let process: Int32

  static let program = (["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"] as [String])
    .first { unsafe access($0, X_OK) == 0 }

  /// - Parameter settings: lines of sshd_config before ours (the first value wins); `%FOLDER%` is
  ///   the server's folder.
  /// - Parameter files: more files for that folder.
  /// - Parameter rsaHostKey: bits of a host key of that kind in place of the usual one.
  /// - Parameter launcher: a program with its arguments that starts the server; the same mark counts.
  init(
    settings: [String] = [], files: [String: String] = [:], rsaHostKey: Int? = nil,
    launcher: [String] = []
  ) throws {
    guard let program = Self.program else {
      throw Problem("no OpenSSH server is installed: run Scripts/setup test")
    }
    folder = try makeFolder()
    key = folder + "/id_test"
    do {
      try Self.makeKey(key)
      try Self.makeKey(
        folder + "/host_key", kind: rsaHostKey == nil ? "ed25519" : "rsa",
        more: rsaHostKey.map { ["-b", String($0)] } ?? [])
      for (name, text) in files { try Files.replace("\(folder)/\(name)", with: text.utf8) }
      try Files.replace(folder + "/authorized_keys", with: Files.read(key + ".pub"))
      (process, port) = try Self.start(program, folder, settings, launcher)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  deinit {
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
    try? FileManager.default.removeItem(atPath: folder)
  }

  var log: String {
    String(decoding: (try? Files.read(folder + "/sshd.log")) ?? [], as: UTF8.self)
  }

  /// A new key pair without a passphrase, or with one.
  static func makeKey(
    _ path: String, kind: String = "ed25519", passphrase: String = "", more: [String] = []
  ) throws {
    let made = try ChildProcess(
      path: "/usr/bin/ssh-keygen",
      arguments: ["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path] + more,
      environment: ["PATH": "/usr/bin:/bin"]
    ).run(timeout: .seconds(60))
    guard made.ending == .exited(0) else {
      throw Problem("ssh-keygen: \(String(decoding: made.standardError, as: UTF8.self))")
    }
  }

  private static func start(
    _ program: String, _ folder: String, _ settings: [String], _ launcher: [String]
  ) throws -> (process: Int32, port: UInt16) {
    // A server of the superuser's insists on this folder, which a boot would have made.
    if geteuid() == 0 { _ = unsafe mkdir("/run/sshd", 0o755) }
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    // Someone may take the free port before the server does: then another one is tried.
    for _ in 0..<10 {
      let port = try Simulator.freePort()
      let lines =
        settings.map { $0.replacing("%FOLDER%", with: folder) } + [
          "ListenAddress 127.0.0.1", "Port \(port)", "HostKey \(folder)/host_key",
          "AuthorizedKeysFile \(folder)/authorized_keys", "PidFile none", "StrictModes no",
          "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
          "KbdInteractiveAuthentication no", "PrintMotd no", "PrintLastLog no", "MaxStartups 100",
          // Without the account's own dotfiles: bash reads ~/.bashrc for each remote command.
          "SetEnv HOME=\(folder)", "LogLevel VERBOSE", "Subsystem sftp internal-sftp",
          "AcceptEnv JIT_* LANG LC_*",
        ]
      try Files.replace(
        folder + "/sshd_config", with: (lines.joined(separator: "\n") + "\n").utf8)
      let log = FileDescriptor(
        owning: try valueOrSystemError {
          unsafe open("\(folder)/sshd.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        })
      let words =
        launcher.map { $0.replacing("%FOLDER%", with: folder) } + [
          program, "-D", "-e", "-f", "\(folder)/sshd_config",
        ]
      let process = try ChildProcess(
        path: words[0], arguments: Array(words.dropFirst()),
        environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
      ).start(input: null.number, output: log.number, error: log.number, newSession: true)
      if answers(process, port) { return (process, port) }
      kill(process, SIGTERM)
      _ = ChildProcess.wait(for: process)
    }
    let log = (try? Files.read(folder + "/sshd.log")) ?? []
    throw Problem("the SSH server did not start: \(String(decoding: log, as: UTF8.self))")
  }

  /// Waits until the server greets; false when it ended, or is still silent after ten seconds.
  private static func answers(_ process: Int32, _ port: UInt16) -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while .now < deadline {
      if Simulator.greets(port: port) { return true }
      if hasEnded(process) { return false }
      _ = poll(nil, 0, 10)
    }
    return false
  }

  /// Looks without reaping it, so that its id stays its own.
  private static func hasEnded(_ process: Int32) -> Bool {
    var information = unsafe siginfo_t()
    let result = unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
    return unsafe result == 0 && information.si_signo == SIGCHLD
  }
}
