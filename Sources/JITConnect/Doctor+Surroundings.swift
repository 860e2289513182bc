import Azure
import FoundationEssentials
import Platform
import SSHConfig

/// What lies around the machine: a firewall before it, and the way back.
extension Doctor {
  /// An Azure Firewall before the machine: its DNAT rule must lead there.
  func firewall(_ patient: Patient) async -> [Finding] {
    guard let address = patient.entry?.publicIPAddress else { return [] }
    guard let (azure, machine) = patient.subject else { return [patient.unseen("firewall")] }
    let port = connectPort(patient)
    let request = command("request", of: patient, behind: ":\(patient.port)")
    let all: [AzureFirewall]
    do throws(Failure) {
      all = try await azure.firewalls.list(subscription: machine.subscriptionID)
    } catch {
      return [Finding("firewall", error)]
    }
    let inner = machine.addresses.first?.privateIPv4
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
            next: request)
        ]
      }
      return [.ok("firewall", "\(firewall.name): \(leads) by \(rule.name)")]
    }
    return [
      all.isEmpty
        ? .unknown(
          "firewall", "the policy names \(address), and no firewall is in sight",
          ["it may be in a subscription that this account cannot see"])
        : .problem(
          "firewall", "no DNAT rule of a firewall leads from \(address):\(port)", next: request)
    ]
  }

  /// The port to connect to: a firewall's where the window says so.
  func connectPort(_ patient: Patient) -> Int {
    let now = world.azureNow
    let told = patient.windows.first { $0.isLive(at: now) && $0.port.mappedPort != nil }
    if let mapped = told?.port.mappedPort { return mapped }
    guard let machine = patient.machine, patient.entry?.publicIPAddress != nil else {
      return patient.port
    }
    let own = OwnWindows(world.environment, clock: world.clock)
    return own.open(on: machine.id, port: patient.port).lazy.compactMap(\.mappedPort).first
      ?? patient.port
  }

  /// The way back: an answer that takes another way than the question is lost.
  func route(_ patient: Patient, _ source: SourcePrefix?) async -> Finding {
    guard let (azure, machine) = patient.subject else { return patient.unseen("route") }
    guard let interface = machine.addresses.first?.networkInterface else {
      return .unknown("route", "not seen: its network interface is not known")
    }
    guard let source else { return .unknown("route", "not seen: your address is not known") }
    guard machine.powerState == nil || machine.powerState == .running else {
      return .unknown("route", "not seen: Azure tells routes only while the VM runs")
    }
    let routes: EffectiveRoutes
    do throws(Failure) {
      routes = try await azure.directory.effectiveRoutes(of: interface)
    } catch {
      // Whatever Azure answers here, it says nothing of the routes.
      var finding = Finding("route", error)
      finding.state = .unknown
      return finding
    }
    let show = shellLine([
      "az", "network", "nic", "show-effective-route-table", "--ids", interface.text,
    ])
    guard let route = routes.route(to: source) else {
      return .problem("route", "no route leads from the VM to \(source.text)", next: show)
    }
    let hop = route.nextHopType + (route.nextHopAddress.map { " \($0)" } ?? "")
    switch route.nextHopType.lowercased() {
    case "none":
      return .problem(
        "route", "answers to \(source.text) are dropped by a route to nowhere", next: show)
    case "virtualappliance", "virtualnetworkgateway":
      guard
        options.jit.address == .private || patient.entry?.publicIPAddress != nil
          || connect.isProxied
      else {
        return .problem(
          "route", "answers to \(source.text) go through \(hop), not back to the Internet",
          ["a connection to the public address never comes about then"],
          next: "connect by the private address: --address private")
      }
      return .ok("route", "answers to \(source.text) go through \(hop)")
    default: return .ok("route", "answers to \(source.text) go to \(hop)")
    }
  }
}
