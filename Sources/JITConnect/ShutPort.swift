import Azure
import FoundationEssentials
import HTTP
import Platform
import SSHConfig
import Terminal

/// Why a port may stay shut although its window was asked for.
struct ShutPort: Sendable {
  let world: World
  let azure: AzureAccess
  let machine: VirtualMachine
  let window: GrantedWindow
  let address: String
  let connectPort: Int
  let settings: JitSettings

  /// The failure of a wait that was in vain, with what can be seen from here.
  func timeout(after limit: Duration) async -> Failure {
    var reasons: [String] = []
    switch await ruleState() {
    case .present:
      reasons.append(
        "the rule for it is in the network security group, so the VM may see another address of "
          + "yours, or nothing listens on the port")
      if let split = await split() { reasons.append(split) }
    case .absent:
      reasons.append("no rule for it is in the network security group")
    case .unknown:
      reasons.append("the VM may see another address of yours, or nothing listens on the port")
      if let split = await split() { reasons.append(split) }
    }
    return Failure(
      .windowTimeout,
      what: "port \(connectPort) of \(machine.name) (\(address)) did not answer within "
        + elapsedText(limit),
      why: "the window for \(window.sourceText) ends at "
        + localTimeText(window.end, now: world.clock.now()) + "; "
        + reasons.joined(separator: "; "),
      next: "jitconnect doctor \(machine.name)")
  }

  /// The window's own rule in the security groups.
  func ruleState() async -> WindowRules.State {
    await WindowRules(azure: azure, machine: machine).state(of: window.record)
  }

  func split() async -> String? {
    await Self.split(settings, towards: address, of: machine.name)
  }

  /// That the way to the machine leaves by another interface than the way to the services that
  /// told our address: a VPN for some of the traffic. Nothing is sent to find that out.
  static func split(
    _ settings: JitSettings, towards address: String, of machine: String
  ) async -> String? {
    guard case .auto = settings.source, settings.address == .public else { return nil }
    let services = settings.ipServices.isEmpty ? AddressServices.builtIn : settings.ipServices
    guard let host = services.lazy.compactMap({ URLParts($0)?.host }).first else { return nil }
    let (there, target) = (host, address)
    let addresses = try? await Blocking.run { () -> [String?] in
      let found = try InternetAddress.resolve(there, port: 443, family: .ipv4)
      return [found.first?.host, target].map { text in
        text.flatMap { InternetAddress.localAddress(towards: $0) }
      }
    }
    guard let addresses, addresses.count == 2, let one = addresses[0], let other = addresses[1],
      one != other, !target.hasPrefix("127.")
    else { return nil }
    return "your address was found over \(one), but traffic to \(machine) leaves from "
      + "\(other): a VPN parts them; name the address that the VM sees with --source"
  }
}
