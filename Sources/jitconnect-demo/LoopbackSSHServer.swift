import AzureSimulator
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A real OpenSSH server for this user on a free port of loopback, with keys made for this run.
struct LoopbackSSHServer: ~Copyable {
  struct Failed: Error, CustomStringConvertible {
    var description: String
  }

  let port: UInt16
  /// The private key that logs in.
  let key: String
  private let process: Int32

  init(in folder: String, environment: Environment) throws {
    let paths = (environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin:/usr/local/sbin"
    var search = environment
    search.variables["PATH"] = paths
    guard let server = ChildProcess.find("sshd", in: search),
      let keygen = ChildProcess.find("ssh-keygen", in: search)
    else {
      throw Failed(description: "no OpenSSH server is installed: run Scripts/setup test")
    }
    // A server of the superuser's insists on this folder, which a boot would have made.
    if environment.userID == 0 { _ = unsafe mkdir("/run/sshd", 0o755) }

    let key = folder + "/id_demo"
    for path in [key, folder + "/host_key"] {
      let made = try ChildProcess(
        path: keygen, arguments: ["-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", path],
        environment: ["PATH": paths]
      ).run()
      guard made.ending == .exited(0) else {
        throw Failed(description: String(decoding: made.standardError, as: UTF8.self))
      }
    }
    try Files.replace(folder + "/authorized_keys", with: Files.read(key + ".pub"))

    // Someone may take the free port before the server does: then another one is tried.
    var lastError = ""
    for _ in 0..<5 {
      let free = try Simulator.freePort()
      let log = "\(folder)/sshd.log"
      try Files.replace("\(folder)/sshd_config", with: Self.configuration(folder, port: free).utf8)
      let process = try Self.start(server, folder: folder, log: log, path: paths)
      if Self.answers(process, port: free) {
        self.key = key
        port = free
        self.process = process
        return
      }
      kill(process, SIGTERM)
      _ = ChildProcess.wait(for: process)
      lastError = (try? String(decoding: Files.read(log), as: UTF8.self)) ?? ""
    }
    throw Failed(description: "the SSH server did not start: \(lastError)")
  }

  deinit {
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
  }

  private static func configuration(_ folder: String, port: UInt16) -> String {
    """
    ListenAddress 127.0.0.1
    Port \(port)
    HostKey \(folder)/host_key
    AuthorizedKeysFile \(folder)/authorized_keys
    PidFile none
    StrictModes no
    UsePAM no
    PermitRootLogin prohibit-password
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    PrintMotd no
    PrintLastLog no
    MaxStartups 100
    Subsystem sftp internal-sftp
    SetEnv HOME=\(folder)/home HISTFILE=/dev/null

    """
  }

  private static func start(
    _ server: String, folder: String, log: String, path: String
  ) throws -> Int32 {
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    let output = FileDescriptor(
      owning: try valueOrSystemError {
        unsafe open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      })
    // A session of its own: Ctrl-C is for the program on the terminal.
    return try ChildProcess(
      path: server, arguments: ["-D", "-e", "-f", "\(folder)/sshd_config"],
      environment: ["PATH": path]
    ).start(
      input: null.number, output: output.number, error: output.number, newSession: true)
  }

  /// Waits until the server greets; false when it ended, or is still silent after ten seconds.
  private static func answers(_ process: Int32, port: UInt16) -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
      if Simulator.greets(port: port) { return true }
      var status: Int32 = 0
      if unsafe waitpid(process, &status, WNOHANG) == process { return false }
      _ = poll(nil, 0, 20)
    }
    return false
  }
}
