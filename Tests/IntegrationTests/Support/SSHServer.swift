import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Who speaks to the server in a test.
enum Client: String, CaseIterable, CustomTestStringConvertible {
  /// The built program, with Azure left out (`JitMode off`).
  case jitconnect
  /// The built program, started under the name `ssh`.
  case namedSSH
  /// OpenSSH's own client, to compare with.
  case openSSH

  var testDescription: String { rawValue }
}

/// A real sshd, and a client's folder with the configuration that reaches it as `box`.
final class SSHServer: Sendable {
  let server: LoopbackServer
  /// The client's folder: `config`, `known_hosts`, `home`, and whatever a test puts there.
  let folder: String
  /// The account, which is this one.
  let user = Environment.current().userName

  /// - Parameters:
  ///   - settings: lines of sshd_config, before the usual ones.
  ///   - config: lines of ssh_config for `box`, before the usual ones (the first value wins).
  ///   - password: the account's, for as long as the server lives; see ``canHavePasswords``.
  init(
    settings: [String] = [], config: [String] = [], password: String? = nil,
    rsaHostKey: Int? = nil
  ) throws {
    server = try LoopbackServer(
      settings: settings, rsaHostKey: rsaHostKey,
      launcher: try password.map { try Self.launcher(password: $0) } ?? [])
    folder = try makeFolder()
    for name in ["home", "bin", "work"] { try Files.makeDirectory("\(folder)/\(name)") }
    let key = Array(try Files.read("\(server.folder)/host_key.pub"))
    try write("[127.0.0.1]:\(server.port) \(String(decoding: key, as: UTF8.self))", "known_hosts")
    let lines =
      config.map { $0.replacing("%FOLDER%", with: folder) } + [
        "HostName 127.0.0.1", "Port \(server.port)", "User \(user)",
        "IdentityFile \(server.key)", "UserKnownHostsFile \(folder)/known_hosts",
        "GlobalKnownHostsFile none", "StrictHostKeyChecking yes", "IdentityAgent none",
      ]
    try write("Host box\n" + lines.map { "  \($0)\n" }.joined(), "config")
    _ = unsafe symlink(Binary.path, "\(folder)/bin/ssh")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Whether a server can have a password of the test's own: in a mount namespace, where another
  /// shadow file and PAM service cover the machine's. Needs root and leave to do so.
  static let canHavePasswords: Bool = {
    guard geteuid() == 0, Files.kind(of: "/etc/pam.d/sshd") != nil else { return false }
    let probe = ChildProcess(
      path: "/usr/bin/unshare",
      arguments: ["-m", "mount", "--bind", "/etc/hostname", "/etc/hostname"],
      environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
    return (try? probe.run())?.ending == .exited(0)
  }()

  private static func launcher(password: String) throws -> [String] {
    let hash = try ChildProcess(
      path: "/usr/bin/openssl", arguments: ["passwd", "-6", password],
      environment: ["PATH": "/usr/bin:/bin"]
    ).run().standardOutput
    let line = String(decoding: hash, as: UTF8.self).filter { !$0.isNewline }
    let script = """
      umask 077
      echo '\(Environment.current().userName):\(line):19000:0:99999:7:::' > %FOLDER%/shadow
      printf 'auth required pam_unix.so\naccount required pam_permit.so\n' > %FOLDER%/pam
      echo 'session required pam_permit.so' >> %FOLDER%/pam
      mount --bind %FOLDER%/shadow /etc/shadow
      mount --bind %FOLDER%/pam /etc/pam.d/sshd
      exec "$@"
      """
    return ["/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-ec", script, "sh"]
  }

  var port: UInt16 { server.port }
  /// What known_hosts calls the server.
  var knownName: String { "[127.0.0.1]:\(port)" }

  // MARK: The client's files

  func write(_ text: String, _ name: String) throws {
    try Files.replace("\(folder)/\(name)", with: text.utf8, mode: 0o600)
  }

  /// Writes an executable file that any program may start at once. A child writes it: a file that
  /// this process wrote may still be open for writing in a child that another test has just forked,
  /// and no kernel starts such a file.
  func writeProgram(_ text: String, _ name: String) throws {
    let output = try ChildProcess(
      path: "/bin/sh",
      arguments: [
        "-ec", #"printf %s "$2" >"$1"; chmod 700 "$1""#, "sh", "\(folder)/\(name)", text,
      ],
      environment: ["PATH": "/usr/bin:/bin"]
    ).run()
    guard output.ending == .exited(0) else { throw SystemError(EACCES) }
  }

  func read(_ name: String) throws -> String {
    String(decoding: try Files.read("\(folder)/\(name)"), as: UTF8.self)
  }

  /// A new key pair in the client's folder, let in by the server.
  func makeKey(_ kind: String, passphrase: String = "", more: [String] = []) throws -> String {
    let path = "\(folder)/id_\(kind)"
    try LoopbackServer.makeKey(path, kind: kind, passphrase: passphrase, more: more)
    try authorize(path)
    return path
  }

  func authorize(_ key: String, options: String = "") throws {
    let file = server.folder + "/authorized_keys"
    try Files.replace(
      file, with: Array(try Files.read(file)) + Array(options.utf8) + Files.read(key + ".pub"))
  }

  // MARK: Running

  static let openSSH = "/usr/bin/ssh"

  func program(_ client: Client) -> String {
    switch client {
    case .jitconnect: Binary.path
    case .namedSSH: folder + "/bin/ssh"
    case .openSSH: Self.openSSH
    }
  }

  var environment: [String: String] {
    [
      "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder + "/home", "TERM": "xterm",
      "JITCONNECT_MODE": "off", "SHELL": "/bin/sh",
      // Nothing may reach for Azure; if it does, it finds nobody.
      "ARM_CLOUD_METADATA_URL": "http://127.0.0.1:9/",
    ]
  }

  func start(
    _ arguments: [String], as client: Client = .jitconnect,
    environment changes: [String: String] = [:]
  ) throws -> Running {
    try Running(
      ["-F", folder + "/config"] + arguments, of: program(client),
      environment: environment.merging(changes) { $1 }, directory: folder + "/work")
  }

  /// Runs a client to its end.
  func run(
    _ arguments: [String], as client: Client = .jitconnect, input: [UInt8] = [],
    environment changes: [String: String] = [:]
  ) async throws -> Run {
    let running = try start(arguments, as: client, environment: changes)
    if !input.isEmpty { try? running.send(input) }
    return try await running.finish()
  }

  /// Runs any other program to its end, in the client's folder.
  func shell(_ script: String, environment changes: [String: String] = [:]) async throws -> Run {
    let variables = [
      "JIT": "\(folder)/bin/jit", "CONFIG": folder + "/config", "FOLDER": folder,
      "SERVER": server.folder,
    ]
    for (name, program) in [("jit", "'\(Binary.path)'"), ("open", Self.openSSH)] {
      try writeProgram(
        "#!/bin/sh\nexec \(program) -F '\(folder)/config' \"$@\"\n", "bin/\(name)")
    }
    let running = try Running(
      ["-ec", script], of: "/bin/sh",
      environment: environment.merging(variables) { $1 }.merging(changes) { $1 },
      directory: folder + "/work")
    return try await running.finish()
  }

  /// Runs a script that says by its status whether all is well.
  func shellPasses(
    _ script: String, _ location: SourceLocation = #_sourceLocation
  ) async throws {
    let run = try await shell(script)
    #expect(run.status == 0, "\(run.text)\(run.error)", sourceLocation: location)
  }

  /// A client on a terminal of its own.
  func terminal(
    _ arguments: [String], as client: Client = .jitconnect,
    environment changes: [String: String] = [:]
  ) throws -> PseudoTerminal {
    try PseudoTerminal(
      program(client), ["-F", folder + "/config"] + arguments,
      environment: environment.merging(changes) { $1 })
  }

  /// Runs OpenSSH's client and ours and expects the same bytes on stdout and the same status.
  ///
  /// - Returns: what each wrote to stderr, with ssh's carriage returns removed.
  @discardableResult
  func compare(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:],
    _ location: SourceLocation = #_sourceLocation
  ) async throws -> (own: String, ssh: String) {
    let ssh = try await run(arguments, as: .openSSH, input: input, environment: environment)
    let own = try await run(arguments, input: input, environment: environment)
    #expect(own.ending == ssh.ending, "\(arguments)", sourceLocation: location)
    #expect(own.output == ssh.output, "\(arguments)", sourceLocation: location)
    return (lines(own.error), lines(ssh.error))
  }

  private func lines(_ text: String) -> String {
    String(decoding: text.utf8.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
  }
}

/// An ssh-agent of the test's own; gone with its owner.
final class KeyAgent: Sendable {
  let socket: String
  private let process: Int32

  init(_ folder: String) throws {
    socket = "\(folder)/agent"
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    process = try ChildProcess(
      path: "/usr/bin/ssh-agent", arguments: ["-D", "-a", socket],
      environment: ["PATH": "/usr/bin:/bin"]
    ).start(input: null.number, output: null.number, error: null.number)
    let deadline = ContinuousClock.now + .seconds(10)
    // The socket is there before anybody listens at it: status 2 is "no connection".
    while try run(["-l"]).ending == .exited(2) {
      guard .now < deadline else { throw Problem("ssh-agent did not come up") }
      _ = poll(nil, 0, 5)
    }
  }

  deinit {
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
  }

  func add(_ key: String) throws {
    let added = try run(["-q", key])
    guard added.ending == .exited(0) else {
      throw Problem("ssh-add: \(String(decoding: added.standardError, as: UTF8.self))")
    }
  }

  private func run(_ arguments: [String]) throws -> ChildProcess.Output {
    try ChildProcess(
      path: "/usr/bin/ssh-add", arguments: arguments,
      environment: ["PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": socket, "HOME": "/nonexistent"]
    ).run()
  }
}
