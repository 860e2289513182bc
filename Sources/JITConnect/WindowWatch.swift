import Azure
import Platform

/// What becomes of one window while its port is waited for: whether Azure carries its request out,
/// and whether its rule, once there, stays.
struct WindowWatch: Sendable {
  let machine: VirtualMachine
  let window: GrantedWindow
  private var rule: RuleWatch
  /// Whether Azure says that the window is open.
  private(set) var isLetIn = false

  init(_ machine: VirtualMachine, _ window: GrantedWindow) {
    self.machine = machine
    self.window = window
    rule = RuleWatch(machine: machine, window: window.record)
  }

  /// Whether its rule should be there by now and can be looked for.
  var wantsRules: Bool { isLetIn && !rule.isBlind }

  /// - Parameter policy: as it was just read.
  /// - Returns: that it will not open.
  mutating func look(at policy: JITPolicy) -> Failure? {
    // Only this very request counts: an older one for the same may have ended long ago.
    guard
      let state = policy.windows(of: machine.id).first(where: { window.record.isSame(as: $0) })
    else { return nil }
    isLetIn = state.port.status == .initiated
    return state.port.status.mayOpen
      ? nil : .windowRefused(machine.name, window.port, state.port.status)
  }

  /// - Parameter paths: the security groups before the machine, as they were just read.
  /// - Returns: that its rule is gone before its time.
  mutating func look(at paths: [InboundPath]) -> Failure? { rule.look(at: paths) }

  /// The same, reading them.
  mutating func lookAtRules(_ azure: AzureAccess) async -> Failure? { await rule.look(azure) }
}

extension Failure {
  /// A policy that is gone while its window is waited for.
  static func policyDeleted(_ machine: VirtualMachine, _ window: GrantedWindow) -> Failure {
    Failure(
      .windowVanished,
      what: "the window to port \(window.port) of \(machine.name) will not open",
      why: "its policy \(window.policy.id.name) was deleted meanwhile",
      next: "jitconnect status \(machine.resourceGroup)/\(machine.name)")
  }
}

/// How long to wait between two looks at what is waited for: little at first, then ever more, and
/// never less than Azure asks for.
struct WatchPace: Sendable {
  private var next: Duration
  private let longest: Duration
  private var asked: Duration?

  init(from first: Duration = .seconds(3), to longest: Duration = .seconds(15)) {
    next = first
    self.longest = longest
  }

  /// The pause before the next look.
  mutating func pause() -> Duration {
    defer {
      next = min(next * 5 / 4, longest)
      asked = nil
    }
    return max(next, asked ?? .zero)
  }

  /// A look was refused; one that Azure wants later is made later.
  mutating func heed(_ failure: Failure) {
    guard failure.httpStatus == 429 else { return }
    next = longest
    asked = max(asked ?? .zero, failure.retryAfter ?? .zero)
  }
}
