import FoundationEssentials
import Platform
import Synchronization

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A real OpenSSH server on loopback, with throw-away keys, run as the current user; gone with its
/// owner.
final class SSHServer: Sendable {
  let folder: String
  let port: UInt16
  let process: Int32
  let user: String

  static let program = (["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"] as [String])
    .first { unsafe access($0, X_OK) == 0 }

  /// Whether a server with a password of the test's own can be had: in a mount namespace, where
  /// another shadow file and PAM service cover the machine's.
  ///
  /// Needs root and leave to do so.
  static let canHavePasswords: Bool = {
    guard geteuid() == 0, Files.kind(of: "/etc/pam.d/sshd") != nil else { return false }
    return
      (try? runProgram("unshare", ["-m", "mount", "--bind", "/etc/hostname", "/etc/hostname"]))
      != nil
  }()

  /// - Parameters:
  ///   - hostKeys: by ssh-keygen's names.
  ///   - password: the current user's, for as long as the server lives; see ``canHavePasswords``.
  ///   - settings: further lines of sshd_config, before ours (the first value wins).
  ///   - isCertified: whether the host keys have certificates too, of the authority `host_ca`.
  ///   - lifetime: after it the server and its sessions are killed, so that no test can hang in one.
  init(
    hostKeys: [String] = ["ed25519"], settings: [String] = [], password: String? = nil,
    isCertified: Bool = false, lifetime: Duration = .seconds(180)
  ) throws {
    guard let program = Self.program else { throw TestProblem("no sshd on this machine") }
    let folder = try TestFolder.make()
    self.folder = folder
    let user = Environment.current().userName
    self.user = user
    for kind in hostKeys { try keygen(kind, to: "\(folder)/host_\(kind)") }
    port = try freePort()
    var keys = hostKeys.map { "HostKey \(folder)/host_\($0)" }
    if isCertified {
      try keygen("ed25519", to: "\(folder)/host_ca")
      for kind in hostKeys {
        try runProgram(
          "ssh-keygen",
          [
            "-q", "-s", "\(folder)/host_ca", "-I", "host", "-h", "-n", "testhost,127.0.0.1",
            "\(folder)/host_\(kind).pub",
          ])
        keys.append("HostCertificate \(folder)/host_\(kind)-cert.pub")
      }
    }
    let lines =
      settings.map { $0.replacing("%FOLDER%", with: folder) } + keys + [
        "ListenAddress 127.0.0.1:\(port)", "PidFile none", "UsePAM no", "StrictModes no",
        "AuthorizedKeysFile \(folder)/authorized_keys", "PasswordAuthentication no",
        "KbdInteractiveAuthentication no", "PermitRootLogin yes", "LogLevel VERBOSE",
        // bash reads the user's .bashrc under sshd, unless it is a deeper shell.
        "SetEnv SHLVL=3", "AcceptEnv JIT_*", "Subsystem sftp internal-sftp",
        "PermitUserEnvironment no",
      ]
    try write(lines.joined(separator: "\n") + "\n", to: "\(folder)/sshd_config")
    try write("", to: "\(folder)/authorized_keys")
    // A privileged sshd wants this folder, which a package makes at boot only.
    if geteuid() == 0 { unsafe mkdir("/run/sshd", 0o755) }
    let log = FileDescriptor(
      owning: unsafe open("\(folder)/sshd.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600))
    let null = FileDescriptor(owning: unsafe open("/dev/null", O_RDWR | O_CLOEXEC))
    var path = program
    var arguments = ["-D", "-e", "-f", "\(folder)/sshd_config"]
    if let password {
      let hash = try runProgram("openssl", ["passwd", "-6", password])
      try write(
        "\(user):\(hash.filter { $0 != "\n" }):19000:0:99999:7:::\n", to: "\(folder)/shadow")
      try write(
        "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
        to: "\(folder)/pam", mode: 0o644)
      let mounts =
        "mount --bind \(folder)/shadow /etc/shadow && "
        + "mount --bind \(folder)/pam /etc/pam.d/sshd && exec \"$@\""
      arguments =
        ["-m", "--propagation", "private", "sh", "-c", mounts, "sh", program] + arguments
      path = "/usr/bin/unshare"
    }
    process = try ChildProcess(
      path: path, arguments: arguments, environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"]
    ).start(input: null.number, output: log.number, error: log.number)
    try waitUntilListening()
    startThread { [process, isGone] in
      let end = ContinuousClock.now + lifetime
      while ContinuousClock.now < end, !isGone.isCancelled { _ = poll(nil, 0, 100) }
      guard !isGone.isCancelled else { return }
      _ = try? runProgram("pkill", ["-KILL", "-P", String(process)])
    }
  }

  private let isGone = CancellationFlag()

  deinit {
    isGone.cancel()
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
    TestFolder.remove(folder)
  }

  var log: String {
    String(decoding: (try? Files.read("\(folder)/sshd.log")) ?? [], as: UTF8.self)
  }

  /// Lets the public key beside `key` log in.
  func authorize(_ key: String, options: String = "") throws {
    let line = String(decoding: try Files.read(key + ".pub"), as: UTF8.self)
    try write(
      String(decoding: try Files.read("\(folder)/authorized_keys"), as: UTF8.self) + options
        + line, to: "\(folder)/authorized_keys")
  }

  /// Makes a certificate for the key, signed by the server's own authority (`ca`).
  func sign(_ key: String) throws {
    if Files.kind(of: "\(folder)/ca") == nil { try keygen("ed25519", to: "\(folder)/ca") }
    try runProgram(
      "ssh-keygen", ["-q", "-s", "\(folder)/ca", "-I", "test", "-n", user, key + ".pub"])
  }

  /// A new key pair in the server's folder.
  func makeKey(
    _ kind: String, _ name: String? = nil, passphrase: String = "", format: String? = nil
  ) throws -> String {
    let path = "\(folder)/\(name ?? "id_\(kind)")"
    try keygen(kind, to: path, passphrase: passphrase, format: format)
    return path
  }

  func connect() throws -> FileDescriptor {
    guard let socket = connectToLoopback(port) else { throw TestProblem("no connection") }
    return socket
  }

  func session(log: SSHLog = SSHLog()) throws -> SSHSession {
    try SSHSession(
      socket: try connect(),
      peer: SSHSession.Peer(name: "testhost", address: "127.0.0.1", port: Int(port)), log: log)
  }

  /// A session that has logged in with the key file.
  func login(_ key: String, log: SSHLog = SSHLog()) throws -> SSHSession {
    let session = try session(log: log)
    _ = try session.handshake(deadline: .now + .seconds(30))
    try session.authenticate(plan(key), prompts: .impossible)
    return session
  }

  func plan(_ keys: String...) -> AuthenticationPlan {
    AuthenticationPlan(
      user: user,
      identities: keys.map { AuthenticationPlan.IdentityFile(path: $0, isExplicit: true) })
  }

  private func waitUntilListening() throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      if let socket = connectToLoopback(port) {
        // The first bytes of the banner: sshd serves, not only listens.
        var ready = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&ready, 1, 5000) == 1 { return }
      }
      var status: Int32 = 0
      if unsafe waitpid(process, &status, WNOHANG) == process {
        throw TestProblem("sshd ended: \(log)")
      }
      _ = poll(nil, 0, 20)
    }
    throw TestProblem("sshd did not come up: \(log)")
  }
}

struct TestProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

enum TestFolder {
  static func make() throws -> String {
    var template = Array("/tmp/jitconnect-ssh-XXXXXX".utf8CString)
    let path = unsafe template.withUnsafeMutableBufferPointer { buffer -> String? in
      guard let base = buffer.baseAddress, let name = unsafe mkdtemp(base) else { return nil }
      return unsafe String(cString: name)
    }
    guard let path else { throw SystemError.last }
    return path
  }

  static func remove(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
  }
}

func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws {
  try Files.replace(path, with: Array(text.utf8), mode: mode)
}

/// Runs a program to its end.
@discardableResult
func runProgram(
  _ name: String, _ arguments: [String], environment: [String: String] = [:]
) throws -> String {
  let paths = ["/usr/bin/\(name)", "/bin/\(name)", "/usr/local/bin/\(name)"]
  guard let path = paths.first(where: { unsafe access($0, X_OK) == 0 }) else {
    throw TestProblem("no \(name) on this machine")
  }
  let output = try ChildProcess(
    path: path, arguments: arguments,
    environment: environment.merging(["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"]) { a, _ in a
    }
  ).run(timeout: .seconds(60))
  guard output.ending == .exited(0) else {
    throw TestProblem(
      "\(name): \(output.ending) \(String(decoding: output.standardError, as: UTF8.self))")
  }
  return String(decoding: output.standardOutput, as: UTF8.self)
}

func keygen(
  _ kind: String, to path: String, passphrase: String = "", format: String? = nil
) throws {
  try runProgram(
    "ssh-keygen",
    ["-q", "-t", kind, "-N", passphrase, "-C", "key \(kind)", "-f", path]
      + (kind == "rsa" ? ["-b", "2048"] : []) + (format.map { ["-m", $0] } ?? []))
}

/// A port that is free and stays so: below those that the system gives out by itself, where other
/// tests and connections take theirs, and never the same one twice.
func freePort() throws -> UInt16 {
  for _ in 0..<20_000 {
    let step = portCount.add(1, ordering: .relaxed).oldValue
    let port = UInt16(12_000 + (Int(getpid()) * 101 + step) % 20_000)
    let socket = FileDescriptor(owning: makeSocket(AF_INET, Int32(SOCK_STREAM.rawValue)))
    var address = loopback(port)
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if bound == 0 { return port }
  }
  throw TestProblem("no free port")
}

private let portCount = Atomic(0)

func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

func connectToLoopback(_ port: UInt16) -> FileDescriptor? {
  let socket = FileDescriptor(owning: makeSocket(AF_INET, Int32(SOCK_STREAM.rawValue)))
  var address = loopback(port)
  let result = unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard result == 0 else { return nil }
  return socket
}
