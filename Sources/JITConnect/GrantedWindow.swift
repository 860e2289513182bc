package import Azure
package import FoundationEssentials

/// A window that is open or opening, and where to knock.
package struct GrantedWindow: Sendable {
  /// The policy as it is now known, to be remembered.
  package var policy: JITPolicy
  package var machine: ResourceID
  package var port: Int
  package var sources: [SourcePrefix]
  package var end: Date
  /// By Azure's clock, as the policy tells it.
  package var azureEnd: Date
  /// The port to connect to where a firewall stands before the machine.
  package var mappedPort: Int?
  /// Whether it was open before.
  package var isReused = false

  package var sourceText: String { texts(sources) }

  /// As it is kept on disk.
  var record: OwnWindows.Window {
    OwnWindows.Window(
      machine: machine, policy: policy.id, port: port, sources: sources, end: end,
      azureEnd: azureEnd, mappedPort: mappedPort)
  }
}

extension GrantedWindow {
  /// A window that was open already.
  ///
  /// - Parameter ahead: how far the clock of the plan is from this machine's.
  init(
    _ open: WindowPlan.OpenWindow, of machine: ResourceID, policy: JITPolicy, _ plan: WindowPlan,
    ahead: TimeInterval
  ) {
    self.init(
      policy: policy, machine: machine, port: plan.port, sources: plan.sources,
      end: open.end - ahead, azureEnd: open.azureEnd, mappedPort: open.mappedPort, isReused: true)
  }
}

func texts(_ sources: [SourcePrefix]) -> String { sources.map(\.text).joined(separator: ", ") }
