import AzureSimulator
import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A real RDP server (xrdp) on a free port of loopback, with a certificate of its own; gone with its
/// owner. Nobody is behind it to sign in to: it goes as far as the log-in's window.
final class DesktopServer: Sendable {
  static let program = ChildProcess.find("xrdp", in: Environment.current())

  let folder: String
  let port: UInt16
  /// SHA-256 of the certificate: lower-case digits with colons.
  let fingerprint: String
  private let process: Int32

  init() throws {
    guard let program = Self.program else {
      throw Problem("no xrdp is installed: run Scripts/setup test")
    }
    folder = try makeFolder()
    do {
      fingerprint = try Self.makeCertificate(folder)
      (process, port) = try Self.start(program, folder)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  deinit {
    // With the children that it forks for each connection: the session is its own.
    kill(-process, SIGKILL)
    _ = ChildProcess.wait(for: process)
    try? FileManager.default.removeItem(atPath: folder)
  }

  var log: String {
    String(decoding: (try? Files.read(folder + "/xrdp.log")) ?? [], as: UTF8.self)
  }

  private static func makeCertificate(_ folder: String) throws -> String {
    func openssl(_ arguments: String) throws -> String {
      let output = try ChildProcess(
        path: "/usr/bin/openssl", arguments: arguments.split(separator: " ").map(String.init),
        environment: ["PATH": "/usr/bin:/bin", "HOME": folder], directory: folder
      ).run(timeout: .seconds(60))
      guard output.ending == .exited(0) else {
        throw Problem("openssl: \(String(decoding: output.standardError, as: UTF8.self))")
      }
      return String(decoding: output.standardOutput, as: UTF8.self)
    }
    _ = try openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem"
        + " -subj /CN=WINVM -days 30")
    let line = try openssl("x509 -in cert.pem -noout -fingerprint -sha256")
    let text = line.split(separator: "=").last ?? ""
    return text.lowercased().filter { !$0.isNewline }
  }

  private static func start(
    _ program: String, _ folder: String
  ) throws -> (process: Int32, port: UInt16) {
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    // Someone may take the free port before the server does: then another one is tried.
    for _ in 0..<10 {
      let port = try Simulator.freePort()
      // "tcp://." is loopback; a bare number would be every interface.
      let settings = """
        [Globals]
        ini_version=1
        fork=true
        port=tcp://.:\(port)
        use_vsock=false
        security_layer=tls
        crypt_level=high
        certificate=\(folder)/cert.pem
        key_file=\(folder)/key.pem
        ssl_protocols=TLSv1.2, TLSv1.3
        allow_channels=true
        max_bpp=32
        use_fastpath=both
        [Logging]
        LogFile=\(folder)/xrdp.log
        LogLevel=DEBUG
        EnableSyslog=false
        [Xorg]
        name=Xorg
        lib=libxup.so
        username=ask
        password=ask
        ip=127.0.0.1
        port=-1
        code=20

        """
      try Files.replace(folder + "/xrdp.ini", with: settings.utf8)
      let process = try ChildProcess(
        path: program, arguments: ["-n", "-c", "\(folder)/xrdp.ini"],
        environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
      ).start(input: null.number, output: null.number, error: null.number, newSession: true)
      if answers(process, port) { return (process, port) }
      kill(-process, SIGKILL)
      _ = ChildProcess.wait(for: process)
    }
    let log = (try? Files.read(folder + "/xrdp.log")) ?? []
    throw Problem("xrdp did not start: \(String(decoding: log, as: UTF8.self))")
  }

  /// Waits until it takes connections; false when it ended, or is still silent after ten seconds.
  private static func answers(_ process: Int32, _ port: UInt16) -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    guard
      let address = try? InternetAddress.resolve(
        "127.0.0.1", port: port, family: .ipv4, numericOnly: true)[0]
    else { return false }
    while .now < deadline {
      if let number = try? address.startConnecting() {
        let socket = FileDescriptor(owning: number)
        var ready = pollfd(fd: socket.number, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&ready, 1, 1000)
        if ready.revents != 0, connectionError(of: socket.number) == nil { return true }
      }
      _ = poll(nil, 0, 5)
    }
    return false
  }
}
