import Azure
import Platform
import SSHConfig

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Connect {
  /// `--client openssh`: this process becomes the system's ssh, with the user's own words and what
  /// leads it to the machine in front: of several values ssh takes the first.
  ///
  /// - Returns: why that was not possible; else it does not return.
  func becomeOpenSSH(
    _ machine: VirtualMachine? = nil, _ connection: AnsweringConnection? = nil
  ) throws(Failure) -> Failure {
    guard let program = systemSSH() else {
      return Failure(
        .programFailed, what: "no ssh is found on PATH", why: "--client openssh runs it",
        next: "install OpenSSH's client, or leave --client out")
    }
    var leading: [String] = []
    let place = connection.flatMap { self.place(of: $0) }
    if let machine, let place {
      leading += ["-o", "HostName=\(place.host)", "-o", "Port=\(place.port)"]
      let files = HostKeyFiles(world.environment, options, machine)
      if options.hostKeyAlias == nil, let alias = files.alias {
        leading += ["-o", "HostKeyAlias=\(alias)"]
      }
      if let file = files.writtenFile, options.userKnownHostsFilesOrigin == nil {
        // A key revoked in any file is refused. What else the user's files hold is for other names.
        let files = [file] + options.userKnownHostsFiles.filter { $0 != file }.prefix(31)
        leading += ["-o", "UserKnownHostsFile=\(files.map(quoted).joined(separator: " "))"]
      }
      if options.userOrigin != .commandLine,
        options.user != nil || machine.adminUsername.map(SSHName.isValidUser) == true
      {
        leading += ["-l", options.loginName(on: machine, world.environment)]
      }
    }
    var dropped: Set<Character> = []
    if options.jit.isOn, let way = options.proxyJump {
      // ssh would start itself for the way, and know nothing of windows there.
      let target =
        place
        ?? ProxyProgram.Target(
          host: options.connectHost, port: options.port)
      let jump = try jump(way, to: target.host, port: target.port)
      leading += ["-o", "ProxyCommand=\(jump.line.replacing("%", with: "%%"))"]
      dropped = ["J"]
    }
    // The probe has done its work; ssh makes a connection of its own.
    _ = connection?.takeSocket()
    connection?.proxy?.end()
    let words =
      leading.map { Array($0.utf8) } + SSHCommandLine.withoutOwnOptions(words, dropping: dropped)
    for keyword in Self.targetSettings { unsafe unsetenv(keyword.row.variable) }
    world.debug("Executing \(program)")
    let error = execute(program, words)
    return Failure(
      .programFailed, what: "cannot run \(program)", why: "\(error)",
      next: "leave --client out", cause: .system(error.number))
  }

  private func place(of connection: AnsweringConnection) -> ProxyProgram.Target? {
    connection.address.map { ProxyProgram.Target(host: $0.host, port: Int($0.port)) }
      ?? connection.proxied
  }

  /// The first ssh on `PATH` that is not this program under that name.
  private func systemSSH() -> String? {
    var environment = world.environment
    let folders = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    for folder in folders {
      environment.variables["PATH"] = String(folder)
      if let path = ChildProcess.find("ssh", in: environment), !OwnProcess.isAt(path) {
        return path
      }
    }
    return nil
  }

  /// A path as ssh_config reads it: blanks would end it, and `%` begins a token.
  private func quoted(_ path: String) -> String {
    "\"\(path.replacing("%", with: "%%").replacing("\"", with: "\\\""))\""
  }

  /// Replaces this process; returns only where the system refuses.
  private func execute(_ program: String, _ words: [[UInt8]]) -> SystemError {
    // Handlers end with exec; what nohup made us ignore stays ignored.
    Signals.restoreDefault(SIGPIPE)
    // What this thread blocks would stay blocked.
    Signals.unblock()
    // With its path: ssh starts itself for -J by this name, and we may stand before it on PATH.
    let all = [Array(program.utf8)] + words
    let argv = unsafe all.map { word in
      unsafe (word + [0]).withUnsafeBytes { bytes in
        unsafe bytes.baseAddress.flatMap { unsafe strdup($0.assumingMemoryBound(to: CChar.self)) }
      }
    }
    defer { unsafe argv.forEach { unsafe free($0) } }
    unsafe (argv + [nil]).withUnsafeBufferPointer { argv in
      if let argv = argv.baseAddress { _ = unsafe execv(program, argv) }
    }
    return .last
  }
}
