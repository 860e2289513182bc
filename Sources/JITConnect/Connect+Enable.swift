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
    guard try await world.mayEnable(machine, ports: [port], options.jit.enable) else {
      throw notEnabled(machine)
    }
    progress.show("enabling just-in-time access on \(machine.name)")
    notice.enabling(machine.name)
    let work = PolicyWork(
      world, azure, isConfirmed: true, dropsDeleted: false,
      retype: "jitconnect enable \(machine.id.text) --port \(port)", progress: progress)
    let policy = try await work.enable(
      machine, ports: [port], known: policies, proofs: proofs)
    notice.enabled(machine.name)
    world.console.note("enabled just-in-time access on \(machine.name)")
    return policy
  }

  func notEnabled(_ machine: VirtualMachine) -> Failure {
    .jitNotEnabled(machine, next: typed.text(adding: "--enable"))
  }
}

extension Failure {
  static func jitNotEnabled(_ machine: VirtualMachine, next: String) -> Failure {
    Failure(
      .jitNotEnabled, what: "just-in-time access is not enabled on \(machine.name)",
      why: "no policy in its subscription holds it; nothing was changed", next: next)
  }
}

extension World {
  /// Whether just-in-time access may be enabled with the portal's defaults: by the setting, or
  /// asked.
  func mayEnable(
    _ machine: VirtualMachine, ports: [Int], _ setting: SSHOptions.YesNoAsk
  ) async throws(Failure) -> Bool {
    switch setting {
    case .yes: return true
    case .no: return false
    case .ask:
      let list = ports.map(String.init).joined(separator: ", ")
      let question =
        "Enable just-in-time access on \(machine.name) (port \(list), up to 3 hours, any source)?"
      switch await ask({ $0.confirm(question) }) {
      case .given(let answer): return answer
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      default: return false
      }
    }
  }
}
