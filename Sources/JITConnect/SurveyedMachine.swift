package import Azure

/// A machine as the portal's page on just-in-time access sorts it.
package struct SurveyedMachine: Sendable, Equatable {
  package enum State: String, Sendable, CaseIterable {
    case configured
    case notConfigured = "not-configured"
    case unsupported
    /// Its policies may not be read, so that nobody can say.
    case unknown
  }

  /// Whether the caller may do something.
  package enum Allowance: String, Sendable {
    case yes, no
    /// Not to be told from the permissions that can be read.
    case unknown
  }

  package var machine: VirtualMachine
  package var state: State
  /// The policy that counts for it.
  package var policy: JITPolicy?
  /// The request of it that was made last.
  package var lastRequest: JITPolicy.Window?
  /// The windows that are open, the newest first.
  package var windows: [JITPolicy.Window] = []
  /// Whether this user opened one of them.
  package var isMine = false
  /// What would be enabled without options; for a machine that is not configured.
  package var wouldEnable: [PortRule] = []
  /// Whether this caller may enable it.
  package var mayEnable = Allowance.unknown
  /// The actions that are missing for it.
  package var missing: [AzureAction] = []
  /// Why it is unsupported or unknown, or what else is to be said of it.
  package var why: [String] = []

  package init(_ machine: VirtualMachine, _ state: State) {
    self.machine = machine
    self.state = state
  }

  package var entry: JITPolicy.Machine? { policy?.machine(machine.id) }
}
