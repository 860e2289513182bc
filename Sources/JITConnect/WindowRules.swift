import Azure
import Platform

/// The rules of windows in the security groups before a machine.
struct WindowRules: Sendable {
  enum State: Sendable, Equatable {
    case present
    case absent
    /// A group cannot be read, or the rules stand elsewhere: on a firewall.
    case unknown
  }

  let azure: AzureAccess
  let machine: VirtualMachine

  /// Whether a window's rule is in every security group on the way.
  func state(of window: GrantedWindow) async -> State {
    guard window.mappedPort == nil,
      window.policy.machine(window.machine)?.publicIPAddress == nil,
      let path = await azure.securityGroups.paths(to: machine).first, path.unread.isEmpty,
      !path.groups.isEmpty
    else { return .unknown }
    let groups = path.windowRules(port: window.port)
      .filter { $0.rule.isFor(window.sources) }.map(\.group.id)
    return path.groups.allSatisfy { groups.contains($0.id) } ? .present : .absent
  }
}

extension SecurityGroupRule {
  /// Whether it lets in these sources and nobody else.
  func isFor(_ sources: [SourcePrefix]) -> Bool {
    Set(self.sources.map { SourcePrefix(wire: $0) }) == Set(sources)
  }
}
