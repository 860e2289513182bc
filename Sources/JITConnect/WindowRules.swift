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
  func state(of window: OwnWindows.Window) async -> State {
    guard window.mappedPort == nil else { return .unknown }
    return Self.state(of: window, on: await azure.securityGroups.paths(to: machine))
  }

  /// The same by security groups that were read already.
  static func state(of window: OwnWindows.Window, on paths: [InboundPath]) -> State {
    // On a firewall the rules are others.
    guard window.mappedPort == nil, let path = paths.first, path.unread.isEmpty,
      !path.groups.isEmpty
    else { return .unknown }
    let groups = path.windowRules(port: window.port)
      .filter { $0.rule.isFor(window.sources) }.map(\.group.id)
    return path.groups.allSatisfy { groups.contains($0.id) } ? .present : .absent
  }
}

/// Notices that a window's rule was there and is gone before its time.
struct RuleWatch: Sendable {
  let machine: VirtualMachine
  let window: OwnWindows.Window
  private var wasThere = false
  /// Whether its rule cannot be seen from here.
  private(set) var isBlind = false

  init(machine: VirtualMachine, window: OwnWindows.Window) {
    self.machine = machine
    self.window = window
  }

  /// Reads the security groups.
  ///
  /// - Returns: that it vanished.
  mutating func look(_ azure: AzureAccess) async -> Failure? {
    if isBlind { return nil }
    return look(at: await azure.securityGroups.paths(to: machine))
  }

  /// The same by security groups that were read already.
  mutating func look(at paths: [InboundPath]) -> Failure? {
    if isBlind { return nil }
    switch WindowRules.state(of: window, on: paths) {
    case .present: wasThere = true
    case .unknown: isBlind = true
    case .absent where wasThere:
      return Failure(
        .windowVanished,
        what: "the rule that let \(texts(window.sources)) in to port \(window.port) of "
          + "\(machine.name) is gone before its time",
        why: "something removed it from the network security group; terraform apply does that",
        next: "jitconnect request \(machine.resourceGroup)/\(machine.name):\(window.port)")
    case .absent: break
    }
    return nil
  }
}

extension SecurityGroupRule {
  /// Whether it lets in these sources and nobody else.
  func isFor(_ sources: [SourcePrefix]) -> Bool {
    Set(self.sources.map { SourcePrefix(wire: $0) }) == Set(sources)
  }

  /// Whether it belongs to a live window: a lock may keep a rule beyond its window, and then it is
  /// a hole.
  func isWindow(among live: [RequestedPort], port: Int) -> Bool {
    jit?.kind == .window && live.contains { $0.number == port && isFor($0.sources) }
  }
}
