import Azure
import FoundationEssentials
import Platform
import SSH
import SSHConfig
import Terminal

/// The port itself, and who answers there. Azure is not asked.
extension Doctor {
  private static let knockLimit = Duration.seconds(6)
  private static let checks = ["port", "banner", "host-key"]

  /// Knocks, and looks who answers.
  func port(_ patient: Patient) async -> [Finding] {
    if connect.isProxied { return behindAnother(patient) }
    let isOld = patient.refusal != nil || patient.gap != nil
    let address: String
    if let fixed = options.hostName {
      address = fixed
    } else if let machine = patient.machine, !(isOld && machine.addresses.isEmpty) {
      do throws(Failure) {
        address = try connect.address(of: machine, patient.entry)
      } catch {
        var finding = Finding("port", error)
        if !machine.unread.isEmpty { finding.state = .unknown }
        return [finding] + Self.checks.dropFirst().map { .unseen($0, error) }
      }
    } else {
      return Self.checks.map { .unknown($0, "not seen: no address is known") }
    }
    let port = connectPort(patient)
    let place = "\(address) port \(port)"
    let details =
      isOld && options.hostName == nil
      ? ["the address is the one that was seen last: another machine may have it by now"] : []
    let isDesktop = isDesktop(patient)
    if var finding = refusal(await knock(address, port, .anything), "port", place, details) {
      let split = await ShutPort.split(options.jit, towards: address, of: options.originalHost)
      finding.details += [split].compactMap(\.self)
      return [finding]
        + (isDesktop ? ["banner"] : ["banner", "host-key"]).map {
          .unknown($0, "not seen: the port does not answer")
        }
    }
    let opened = Finding.ok("port", "\(place) is open", details)
    guard let connection = try? await knock(address, port, isDesktop ? .rdp : .ssh).get() else {
      let silent = Finding.problem(
        "banner", "nobody on \(place) speaks \(isDesktop ? "RDP" : "SSH")",
        next: look(patient, isDesktop))
      return [opened, silent]
        + (isDesktop ? [] : [.unknown("host-key", "not seen: no SSH server answers")])
    }
    if isDesktop { return [opened, .ok("banner", "a Remote Desktop server answers")] }
    let line =
      connection.received.split(separator: UInt8(ascii: "\n"))
      .map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix("SSH-") } ?? "SSH"
    return [
      opened, .ok("banner", printable(line, limit: 200)),
      await hostKey(patient.machine, connection),
    ]
  }

  private func isDesktop(_ patient: Patient) -> Bool {
    guard let machine = patient.machine else { return false }
    return connect.isDesktop(machine) && !connect.goesBehindSSH && patient.port != Connect.sshPort
  }

  /// The way there begins elsewhere: to knock would be to log in at another host.
  private func behindAnother(_ patient: Patient) -> [Finding] {
    guard let hop = options.proxyJump?.hops.last else {
      return Self.checks.map {
        .unknown($0, "not seen: ProxyCommand leads there, and is not started")
      }
    }
    let host = printable(hop.host, limit: 255)
    return Self.checks.enumerated().map { index, check in
      .unknown(
        check, "not seen: the way there goes through \(host), which is not logged in to",
        next: index == 0 ? shellLine(["jitconnect", "doctor", hop.host]) : nil)
    }
  }

  private func look(_ patient: Patient, _ isDesktop: Bool) -> String {
    if isDesktop { return "see that Remote Desktop is on in the VM" }
    guard let machine = patient.machine else { return "see that sshd runs there" }
    return shellLine([
      "az", "vm", "run-command", "invoke", "--ids", machine.id.text, "--command-id",
      "RunShellScript", "--scripts", "systemctl status ssh sshd",
    ])
  }

  /// Why nobody answers; nil where somebody does.
  private func refusal(
    _ knock: Result<AnsweringConnection?, Failure>, _ check: String, _ place: String,
    _ details: [String]
  ) -> Finding? {
    switch knock {
    case .success(.some): return nil
    case .success(nil):
      return .problem(
        check, "\(place) does not answer", details,
        next:
          "see what is wrong above; if nothing is: --source, where a VPN or proxy parts the ways")
    case .failure(let failure):
      var finding = Finding(check, failure)
      finding.state = .problem
      finding.details += details
      return finding
    }
  }

  private func knock(
    _ address: String, _ port: Int, _ greeting: Greeting
  ) async -> Result<AnsweringConnection?, Failure> {
    let flag = CancellationFlag()
    do throws(Failure) {
      var probe = try await connect.probe(address, port: port, greeting)
      probe.answerTimeout = Self.knockLimit
      let answer = await withTaskCancellationHandler {
        await outcomeOfBlocking { [probe] () throws(Failure) in
          try probe.wait(until: .now + Self.knockLimit, flag: flag)
        }
      } onCancel: {
        flag.cancel()
      }
      return answer
    } catch {
      return .failure(error)
    }
  }

  /// The key exchange alone: nothing of the user is sent.
  private func hostKey(
    _ machine: VirtualMachine?, _ connection: AnsweringConnection
  ) async -> Finding {
    let trust = HostKeyFiles(world.environment, options, machine).trust(
      address: connection.address, port: connection.address.map { Int($0.port) } ?? options.port,
      canAsk: !options.batchMode)
    let peer = SSHSession.Peer(
      name: options.originalHost, address: connection.address?.host ?? "UNKNOWN",
      port: connection.address.map { Int($0.port) } ?? options.port)
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
