import Azure
import Platform
import SSHConfig
import Terminal

extension Connect {
  /// Offers to enable just-in-time access on a machine that has none, with the portal's defaults.
  func enable(
    _ machine: VirtualMachine, port: Int, _ azure: AzureAccess, _ policies: [JITPolicy],
    _ progress: Progress
  ) async throws(Failure) -> JITPolicy {
    let rule = PortRule(number: port)
    switch options.jit.enable {
    case .yes: break
    case .no: throw notEnabled(machine)
    case .ask:
      let question =
        "Enable just-in-time access on \(machine.name) (port \(port), up to 3 hours, any source)?"
      switch await world.ask({ $0.confirm(question) }) {
      case .given(true): break
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      default: throw notEnabled(machine)
      }
    }
    progress.show("enabling just-in-time access on \(machine.name)")
    notice.enabling(machine.name)
    let enabled = try await azure.policies.enable(machine, rules: [rule], known: policies)
    notice.enabled(machine.name)
    for note in enabled.notes { world.console.warn(note) }
    world.console.note(
      "enabled just-in-time access on \(machine.name) (port \(port), 3 hours, any source)")
    guard let policy = enabled.policy else { throw notEnabled(machine) }
    return policy
  }

  func notEnabled(_ machine: VirtualMachine) -> Failure {
    Failure(
      .jitNotEnabled, what: "just-in-time access is not enabled on \(machine.name)",
      why: "no policy in its subscription holds it; nothing was changed",
      next: retype("--enable", machine))
  }
}
