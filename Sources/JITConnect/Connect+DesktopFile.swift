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

extension Connect {
  /// From the answering port to the file.
  func prepare(_ reached: ReachedDesktop) async throws(Failure) -> ReadyDesktop {
    let plan = try await desktop.plan(world, options, commandLine)
    guard let address = reached.connection.address else {
      throw Failure(.systemFailed, what: "the desktop's address is not known")
    }
    let machine = reached.machine
    let name = machine?.name ?? options.originalHost
    let place = try desktop.place(
      of: machine?.id.text ?? options.originalHost, name: name, plan, world)
    let sight = try await look(over: reached.connection, at: address)
    let trust = DesktopTrust(
      world: world, name: name,
      key: machine?.vmID?.lowercased() ?? machine?.id.key
        ?? "\(options.originalHost):\(reached.port)",
      acceptsNew: plan.settings.acceptsNewCertificate, retyping: { [self] in retypeDesktop($0) })
    let certificate = try await trust.settle(sight)
    let host = try await host(of: reached, at: address, plan.settings)
    var file = try RDPFile(
      plan.settings.rdpOptions(
        host: host, port: Int(address.port),
        user: options.user ?? machine?.adminUsername.flatMap { RDPFile.takesUser($0) ? $0 : nil }))
    var publisher: String?
    if let signing = plan.signing {
      let signer = try signing.signer()
      file = try RDPSignature.signed(file, by: signer)
      publisher = signer.publisher
    }
    var ready = ReadyDesktop(
      plan: plan, name: name, id: machine?.id, file: file, host: host, port: Int(address.port),
      end: reached.end, certificate: certificate, publisher: publisher, place: place)
    if case .certificate(_, let security) = sight { ready.security = security }
    return ready
  }

  /// The command to type for the same desktop by the same way, with one option more.
  private func retypeDesktop(_ option: String) -> String {
    var words = ["jitconnect", "rdp"] + (option.isEmpty ? [] : [option])
    if !options.jit.isOn { words.append("--no-jit") }
    if let port = options.jit.rdpPortBehindSSH {
      words.append(port == 3389 ? "--via-ssh" : "--via-ssh=\(port)")
    }
    if options.portOrigin == .commandLine { words += ["-p", String(options.port)] }
    for (keyword, name) in [
      (JitKeyword.subscription, "--subscription"), (.resourceGroup, "--resource-group"),
    ] where options.jit.isSpelledOut(keyword) {
      if let value = options.jit.text(keyword) { words += [name, value] }
    }
    words.append(options.originalHost)
    return words.map { printable($0, limit: 400) }.joined(separator: " ")
  }

  /// Looks at the certificate; a service that is just starting may break off, and is asked again.
  private func look(
    over connection: AnsweringConnection, at address: InternetAddress
  ) async throws(Failure) -> DesktopSight {
    var connection = connection
    var triesLeft = 3
    while true {
      triesLeft -= 1
      let flag = CancellationFlag()
      let result = await withTaskCancellationHandler {
        await outcomeOfBlocking { [connection] () throws(Failure) in
          try DesktopHandshake.look(over: connection, flag: flag)
        }
      } onCancel: {
        flag.cancel()
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
    of reached: ReachedDesktop, at address: InternetAddress, _ settings: DesktopSettings
  ) async throws(Failure) -> String {
    let machine = reached.machine
    guard settings.signsInWithEntra else {
      if let entrance = reached.entrance { return entrance.host }
      if machine == nil { return options.connectHost }
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
  func hand(out ready: ReadyDesktop) async throws -> DesktopDelivery {
    if ready.place == .standardOutput {
      // Whoever reads it may take his time.
      return try await world.interrupts.during { [self] in
        try await outcomeOfBlocking { () throws(Failure) in try write(ready) }.get()
      }
    }
    // Nothing interrupts this: whoever asked knows afterwards what there is to clear up.
    return try await outcomeOfBlocking { () throws(Failure) in try write(ready) }.get()
  }

  private func write(_ ready: ReadyDesktop) throws(Failure) -> DesktopDelivery {
    let places = DesktopPlace(environment: world.environment, settings: ready.plan.settings)
    var delivery = DesktopDelivery(ready, system: .current, environment: world.environment)
    switch ready.place {
    case .standardOutput:
      do {
        try writeAll(STDOUT_FILENO, ready.file.bytesForPipe)
      } catch {
        throw Failure(.fileUnwritable, what: "standard output cannot be written", why: "\(error)")
      }
    case .file(let path):
      delivery.shownPath = path
      delivery.file = try places.write(ready.file, to: path)
    case .forClient:
      delivery.temporary = try places.writeForClient(ready.file, vm: ready.name)
    }
    if delivery.client?.holdsCertificate == true, ready.certificate != nil {
      do {
        delivery.configuration = try ClientConfiguration.make(in: world.environment)
      } catch {
        delivery.clearUp()
        throw DesktopPlace.noFileForClient(error)
      }
    }
    return delivery
  }
}
