import Azure
import Platform
import RDP
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Greeting {
  /// An RDP server's answer to a connection request without a user's name ([MS-RDPBCGR] 2.2.1.1).
  static let rdp = Greeting(hello: RDPProbe.request) { bytes in
    var probe = RDPProbe()
    switch probe.receive(bytes) {
    case nil: return .incomplete
    case .notRDP(let what): return .wrong("it is no RDP server: \(what)")
    case .closed: return .incomplete
    default: return .ready
    }
  }
}

extension Connect {
  /// Gives the desktop of a Windows VM: an .rdp file on stdout when that is no terminal, else
  /// `myvm.rdp` in the current folder.
  func deliverDesktopFile(
    for machine: VirtualMachine, over connection: AnsweringConnection
  ) async throws -> Int32 {
    // The probe has done its work; the client makes a connection of its own.
    _ = connection.takeSocket()
    guard let address = connection.address else { throw desktopBehindProxy }
    let shown = machine.addresses.first { $0.publicIPv4 == address.host }?.fqdn ?? address.host
    let file = try RDPFile(
      RDPOptions(
        host: shown, port: Int(address.port), user: options.user ?? machine.adminUsername))
    if !world.console.outputIsTerminal {
      try writeAll(STDOUT_FILENO, file.bytesForPipe)
      return 0
    }
    let name = try rdpFileName(forVM: machine.name)
    guard canReplace(name) else {
      throw Failure(
        .fileUnwritable, what: "\(name) is here already and is not a file of ours",
        next: "jitconnect \(machine.name) > other.rdp, or move it away")
    }
    do {
      try Files.replace(name, with: file.bytes)
    } catch {
      throw Failure(
        .fileUnwritable, what: "cannot write \(name)", why: "\(error)",
        next: "jitconnect \(machine.name) > other.rdp writes it elsewhere")
    }
    world.console.note("\(shown) answers; wrote \(name)")
    world.console.note("open it with: \(openCommand(name))")
    return 0
  }

  /// A desktop's client makes a connection of its own, which no proxy of ours carries.
  var desktopBehindProxy: Failure {
    Failure(
      .notBuiltIn,
      what: "the desktop of a VM behind a jump host or ProxyCommand is not built in yet",
      next: "forward its port: jitconnect -N -L 3389:ADDRESS:3389 JUMPHOST")
  }

  /// Only a regular file of this user that holds nothing but settings of ours is replaced.
  private func canReplace(_ name: String) -> Bool {
    guard let kind = Files.kind(of: name) else { return true }
    guard kind.isRegular, kind.owner == world.environment.userID,
      let bytes = try? Files.read(name, limit: 1 << 20)
    else { return false }
    return (try? RDPFile.parse(bytes)) != nil
  }

  private func openCommand(_ name: String) -> String {
    #if canImport(Darwin)
      return "open -a \"Windows App\" ./\(name)"
    #else
      for client in ["xfreerdp3", "xfreerdp"]
      where ChildProcess.find(client, in: world.environment) != nil {
        return "\(client) ./\(name)"
      }
      if ChildProcess.find("remmina", in: world.environment) != nil {
        return "remmina -c ./\(name)"
      }
      return "xfreerdp ./\(name) (after: apt-get install freerdp2-x11)"
    #endif
  }
}
