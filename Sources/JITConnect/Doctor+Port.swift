import Azure
import FoundationEssentials
import Platform
import SSH
import SSHConfig
import Terminal

/// What lies behind the rules: firewall, routes, the port, and who answers there.
extension Doctor {
  private static let knockLimit = Duration.seconds(6)

  /// An Azure Firewall before the machine: its DNAT rule must lead there.
  func firewall(_ patient: Patient, _ azure: AzureAccess) async -> [Finding] {
    guard let address = patient.entry?.publicIPAddress else { return [] }
    let now = world.clock.now()
    let mapped = patient.policy?.windows(of: patient.machine.id)
      .first { $0.port.number == patient.port && $0.isLive(at: now) }?.port.mappedPort
    let port = mapped ?? patient.port
    let all: [AzureFirewall]
    do throws(Failure) {
      all = try await azure.firewalls.list(subscription: patient.machine.subscriptionID)
    } catch {
      return [Finding("firewall", error)]
    }
    let inner = patient.machine.addresses.first?.privateIPv4
    for firewall in all {
      guard let rule = firewall.rules.first(where: { $0.leads(from: address, port: port) }) else {
        continue
      }
      if firewall.hasFirewallPolicy {
        return [
          .problem(
            "firewall", "\(firewall.name) is run by a firewall policy",
            ["just-in-time access works with classic rules alone"],
            next: "use classic rules, or reach the VM by its private address: --address private")
        ]
      }
      let leads =
        "\(address):\(port) leads to \(rule.translatedAddress):"
        + (rule.translatedPort.map(String.init) ?? "?")
      guard rule.translatedAddress == inner, rule.translatedPort == patient.port else {
        return [
          .problem(
            "firewall", "\(firewall.name): \(leads), not to \(inner ?? "?"):\(patient.port)",
            next: "jitconnect request \(patient.shown):\(patient.port)")
        ]
      }
      return [.ok("firewall", "\(firewall.name): \(leads) by \(rule.name)")]
    }
    return [
      all.isEmpty
        ? .unknown("firewall", "the policy names \(address); no firewall is in sight")
        : .problem(
          "firewall", "no DNAT rule of a firewall leads from \(address):\(port)",
          next: "jitconnect request \(patient.shown):\(patient.port)")
    ]
  }

  /// The way back: an answer that takes another way than the question is lost.
  func route(
    _ patient: Patient, _ azure: AzureAccess, _ source: SourcePrefix?
  ) async -> Finding {
    guard let interface = patient.machine.addresses.first?.networkInterface, let source else {
      return .unknown("route", "not looked at: the interface or your address is not known")
    }
    guard patient.machine.powerState == .running else {
      return .unknown("route", "Azure tells routes only while the VM runs")
    }
    do throws(Failure) {
      let routes = try await azure.directory.effectiveRoutes(of: interface)
      guard let route = routes.route(to: source) else {
        return .problem("route", "no route leads from the VM to \(source.text)")
      }
      let hop = route.nextHopType + (route.nextHopAddress.map { " \($0)" } ?? "")
      switch route.nextHopType.lowercased() {
      case "none":
        return .problem(
          "route", "answers to \(source.text) are dropped by a route to nowhere",
          next: "az network nic show-effective-route-table --ids \(interface.text)")
      case "virtualappliance", "virtualnetworkgateway":
        guard options.jit.address == .private || patient.entry?.publicIPAddress != nil else {
          return .problem(
            "route", "answers to \(source.text) go through \(hop), not back to the Internet",
            ["a connection to the public address never comes about then"],
            next: "connect by the private address: --address private")
        }
        return .ok("route", "answers to \(source.text) go through \(hop)")
      default: return .ok("route", "answers to \(source.text) go to \(hop)")
      }
    } catch {
      return Finding("route", error)
    }
  }

  // MARK: The port

  /// Knocks, and looks who answers.
  func port(_ patient: Patient, _ azure: AzureAccess) async -> [Finding] {
    let machine = patient.machine
    let now = world.clock.now()
    let address: String
    do throws(Failure) {
      if let fixed = options.hostName {
        address = fixed
      } else {
        address = try machine.address(options.jit.address, patient.entry)
      }
    } catch {
      return [Finding("port", error)]
    }
    if options.proxyJump != nil || options.proxyCommand != nil {
      return [.unknown("port", "it is reached through another host, which is not walked here")]
    }
    let mapped = patient.policy?.windows(of: machine.id)
      .first { $0.port.number == patient.port && $0.isLive(at: now) }?.port.mappedPort
    let port = mapped ?? patient.port
    let place = "\(address) port \(port)"
    guard await knock(address, port, .anything) != nil else {
      return [
        .problem(
          "port", "\(place) does not answer",
          next:
            "see what is wrong above; if nothing is: --source, where a VPN or proxy parts the ways"
        )
      ]
    }
    let opened = Finding.ok("port", "\(place) is open")
    let isDesktop = patient.port == Connect.rdpPort
    guard let connection = await knock(address, port, isDesktop ? .rdp : .ssh) else {
      let service = isDesktop ? "RDP" : "SSH"
      return [
        opened,
        .problem(
          "banner", "nobody on \(place) speaks \(service)",
          next: isDesktop
            ? "see that Remote Desktop is on in the VM"
            : "see that sshd runs in the VM: az vm run-command invoke --ids \(machine.id.text) "
              + "--command-id RunShellScript --scripts 'systemctl status ssh sshd'"),
      ]
    }
    if isDesktop { return [opened, .ok("banner", "a Remote Desktop server answers")] }
    let line =
      connection.received.split(separator: UInt8(ascii: "\n"))
      .map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix("SSH-") } ?? "SSH"
    return [
      opened, .ok("banner", printable(line, limit: 200)),
      await hostKey(patient, connection),
    ]
  }

  private func knock(
    _ address: String, _ port: Int, _ greeting: Greeting
  ) async -> AnsweringConnection? {
    guard
      var probe = try? await PortProbe.resolving(
        address, port: port, greeting,
        from: { [options] target throws(Failure) in try options.localAddress(towards: target) })
    else { return nil }
    probe.answerTimeout = Self.knockLimit
    let flag = CancellationFlag()
    let answer = await withTaskCancellationHandler {
      await outcomeOfBlocking { [probe] () throws(Failure) in
        try probe.wait(until: .now + Self.knockLimit, flag: flag)
      }
    } onCancel: {
      flag.cancel()
    }
    return (try? answer.get()) ?? nil
  }

  /// The key exchange alone: nothing of the user is sent.
  private func hostKey(_ patient: Patient, _ connection: AnsweringConnection) async -> Finding {
    let trust = HostKeyFiles(world.environment, options, patient.machine).trust(
      address: connection.address, port: connection.address.map { Int($0.port) } ?? options.port,
      canAsk: !options.batchMode)
    let peer = SSHSession.Peer(
      name: options.originalHost, address: connection.address?.host ?? "UNKNOWN",
      port: connection.address.map { Int($0.port) } ?? patient.port)
    let result = await outcomeOfBlocking { () throws(Failure) -> HostKey in
      guard let socket = connection.takeSocket() else {
        throw Failure(.connectionLost, what: "the connection is gone")
      }
      var algorithms = AlgorithmPreferences()
      algorithms.hostKeys.removeAll { $0.contains("-cert-v01@") }
      algorithms.putFirst(keyTypes: trust.known.keyTypes(for: trust.rule.names))
      let session = try SSHSession(socket: socket, received: connection.received, peer: peer)
      let key = try session.handshake(algorithms, deadline: .now + .seconds(20))
      session.disconnect()
      return key
    }
    let key: HostKey
    do throws(Failure) {
      key = try result.get()
    } catch {
      return Finding("host-key", error)
    }
    switch trust.rule.decide(key, known: trust.known) {
    case .trusted: return .ok("host-key", "\(key.fingerprint) is the pinned one")
    case .remember, .ask: return .ok("host-key", "\(key.fingerprint), not pinned yet")
    case .distrusted:
      return .problem("host-key", "\(key.fingerprint) is not the pinned one")
    case .refuse(_, let failure):
      if failure.code == .hostKeyUnknown {
        return .problem(
          "host-key", "\(key.fingerprint) is not pinned, and only pinned ones are taken",
          next: failure.next)
      }
      return Finding("host-key", failure)
    }
  }
}
