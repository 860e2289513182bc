import Platform
import SSHConfig

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension SSHConfigWorld {
  /// This machine.
  static func system(_ environment: Environment) -> SSHConfigWorld {
    var world = SSHConfigWorld(
      home: environment.home ?? "", userName: environment.userName, userID: environment.userID,
      hostName: localHostName())
    world.readFile = { path, checkingOwner in
      readConfiguration(path, ownedBy: checkingOwner ? environment.userID : nil)
    }
    world.glob = { expandPattern($0) }
    world.fileExists = { Files.kind(of: $0, followingLinks: true) != nil }
    world.run = { command in
      let shell = environment["SHELL"] ?? "/bin/sh"
      let process = ChildProcess(
        path: shell, arguments: ["-c", command], environment: environment.withoutSecrets)
      // As ssh: its errors and questions are the user's to see, and it takes the time it takes.
      guard let null = try? valueOrSystemError({ unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
      else { return false }
      let nothing = FileDescriptor(owning: null)
      guard
        let child = try? process.start(
          input: nothing.number, output: nothing.number, error: STDERR_FILENO)
      else { return false }
      return ChildProcess.wait(for: child) == .exited(0)
    }
    world.environment = { environment.variables[$0] }
    world.homeOfUser = { homeFolder(of: $0) }
    world.servicePort = { portOfService($0) }
    world.numericAddress = { text in
      (try? InternetAddress.resolve(text, port: 0, family: .any, numericOnly: true))?.first?.host
    }
    world.resolve = { name in
      guard (try? InternetAddress.resolve(name, port: 0)) != nil else { return nil }
      return SSHConfigWorld.Resolution(canonicalName: name)
    }
    return world
  }
}

private func readConfiguration(_ path: String, ownedBy user: UInt32?) -> SSHConfigWorld.FileRead {
  guard let kind = Files.kind(of: path, followingLinks: true) else { return .missing }
  if let user, (kind.owner != 0 && kind.owner != user) || kind.mode & 0o022 != 0 {
    return .refused
  }
  do throws(SystemError) {
    return .contents(try Files.read(path))
  } catch {
    return error.number == ENOENT ? .missing : .failed(error.description)
  }
}

private func expandPattern(_ pattern: String) -> [String] {
  var result = unsafe glob_t()
  defer { unsafe globfree(&result) }
  guard unsafe glob(pattern, 0, nil, &result) == 0 else { return [] }
  return unsafe (0..<Int(result.gl_pathc)).compactMap { index in
    unsafe result.gl_pathv[index].map { unsafe String(cString: $0) }
  }
}

private func localHostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
  return String(
    decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

private func homeFolder(of user: String) -> String? {
  guard let record = unsafe getpwnam(user) else { return nil }
  return unsafe String(cString: record.pointee.pw_dir)
}

private func portOfService(_ name: String) -> Int? {
  guard let service = unsafe getservbyname(name, "tcp") else { return nil }
  return unsafe Int(UInt16(truncatingIfNeeded: service.pointee.s_port).bigEndian)
}
