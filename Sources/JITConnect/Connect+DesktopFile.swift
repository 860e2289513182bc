import Azure
import FoundationEssentials
import Platform
import RDP
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A desktop whose certificate is settled and whose file is made, and not yet handed out.
struct ReadyDesktop: Sendable {
  var plan: DesktopPlan
  /// The machine's or the host's name.
  var name: String
  var id: ResourceID?
  var file: RDPFile
  /// Where the client goes.
  var host: String
  var address: InternetAddress
  var end: Date?
  var certificate: RDPCertificate?
  /// Who signed the file.
  var publisher: String?
}

extension Connect {
  /// From the answering port to the file.
  func prepare(_ reached: ReachedDesktop) async throws(Failure) -> ReadyDesktop {
    let plan = try await desktop.plan(world, options, commandLine)
    guard let address = reached.connection.address else {
      throw Failure(.systemFailed, what: "the desktop's address is not known")
    }
    let machine = reached.machine
    let name = machine?.name ?? options.originalHost
    let sight = try await look(over: reached.connection, at: address)
    let trust = DesktopTrust(
      world: world, name: name,
      key: machine?.vmID?.lowercased() ?? machine?.id.key
        ?? "\(options.originalHost):\(address.port)",
      acceptsNew: plan.settings.acceptsNewCertificate)
    let certificate = try await trust.settle(sight)
    let host = try await host(of: machine, at: address, plan.settings)
    var file = try RDPFile(
      plan.settings.rdpOptions(
        host: host, port: Int(address.port), user: options.user ?? machine?.adminUsername))
    var publisher: String?
    if let signing = plan.signing {
      let signer = try signing.signer()
      file = try RDPSignature.signed(file, by: signer)
      publisher = signer.publisher
    }
    return ReadyDesktop(
      plan: plan, name: name, id: machine?.id, file: file, host: host, address: address,
      end: reached.end, certificate: certificate, publisher: publisher)
  }

  /// Looks at the certificate; a service that is just starting may break off, and is asked again.
  private func look(
    over connection: AnsweringConnection, at address: InternetAddress
  ) async throws(Failure) -> DesktopSight {
    var connection = connection
    var triesLeft = 3
    while true {
      triesLeft -= 1
      let result = await outcomeOfBlocking { [connection] () throws(Failure) in
        try DesktopHandshake.look(over: connection)
      }
      do throws(Failure) {
        return try result.get()
      } catch {
        world.debug("\(error)")
        guard triesLeft > 0, !Task.isCancelled else { throw error }
        var probe = PortProbe(address, .rdp)
        probe.answerTimeout = .seconds(5)
        let knock: Knock = { [probe] deadline, flag throws(Failure) in
          try probe.wait(until: deadline, flag: flag)
        }
        guard let next = try await race(knock, until: .now + .seconds(10)) else { throw error }
        connection = next
      }
    }
  }

  // MARK: The name in the file

  /// What the file names: the public DNS name where there is one, else the address.
  ///
  /// - Throws: `setting-invalid` where Entra ID signs in and the machine's own name does not lead
  ///   there.
  private func host(
    of machine: VirtualMachine?, at address: InternetAddress, _ settings: DesktopSettings
  ) async throws(Failure) -> String {
    guard settings.signsInWithEntra else {
      if machine == nil { return options.hostName ?? options.originalHost }
      return machine?.addresses.first { $0.publicIPv4 == address.host }?.fqdn ?? address.host
    }
    // A name that the user gave counts; Entra ID knows a VM by its computer name.
    let given = options.hostName.flatMap { $0.contains { $0.isLetter } ? $0 : nil }
    let name = given ?? machine?.computerName ?? machine?.name ?? options.originalHost
    let found = await outcomeOfBlocking { () throws(Failure) in
      try InternetAddress.resolve(name, port: 0, family: .ipv4).map(\.host)
    }
    if let hosts = try? found.get(), hosts.contains(address.host) { return name }
    throw Failure(
      .settingInvalid,
      what: "the name \(printable(name, limit: 255)) does not lead to \(address.host)",
      why: "Entra ID signs in to the name by which it knows the VM, never to an address",
      next: "add this line to the hosts file: \(address.host) \(printable(name, limit: 255))")
  }

  // MARK: Handing out

  /// Writes the file to where it belongs.
  func hand(
    out ready: ReadyDesktop, isAlone: Bool, taken: Set<String> = []
  ) throws(Failure) -> DesktopDelivery {
    let files = DesktopFile(environment: world.environment, settings: ready.plan.settings)
    let place = try files.place(
      for: ready.name, isAlone: isAlone, outputIsTerminal: world.console.outputIsTerminal)
    var delivery = DesktopDelivery(ready, system: .current, environment: world.environment)
    switch place {
    case .standardOutput:
      do {
        try writeAll(STDOUT_FILENO, ready.file.bytesForPipe)
      } catch {
        throw Failure(.fileUnwritable, what: "standard output cannot be written", why: "\(error)")
      }
    case .file(let path):
      guard !taken.contains(path) else {
        throw Failure(
          .fileUnwritable, what: "\(printable(path)) belongs to another machine of that name",
          next: "jitconnect rdp --output OTHER.rdp \(ready.id?.text ?? ready.name)")
      }
      delivery.shownPath = path
      delivery.file = try files.write(ready.file, to: path)
    case .forClient:
      delivery.temporary = try files.writeForClient(ready.file, vm: ready.name)
    }
    return delivery
  }
}
