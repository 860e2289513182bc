import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Terminal

extension Connect {
  /// The command to type for the same with one option more.
  func retype(_ option: String, _ machine: VirtualMachine) -> String {
    let port = options.portOrigin == .commandLine ? " -p \(options.port)" : ""
    return "jitconnect \(option)\(port) \(machine.resourceGroup)/\(machine.name)"
  }

  /// Goes on with a running machine; starts a stopped one where that was asked for.
  ///
  /// - Parameter end: when the window ends that was opened for it already.
  /// - Returns: whether it was started.
  func ensureRunning(
    _ machine: inout VirtualMachine, _ azure: AzureAccess, _ progress: Progress,
    openUntil end: Date? = nil
  ) async throws(Failure) -> Bool {
    guard let state = machine.powerState, state != .running, state != .starting else {
      return false
    }
    guard try await mayStart(machine, state) else {
      let open = end.map { "; its window ends at \(localTimeText($0, now: world.clock.now()))" }
      throw Failure(
        .vmNotRunning, what: "\(machine.name) is not running",
        why: "its state is \(state)\(open ?? "")",
        next: retype("--start", machine))
    }
    let name = machine.name
    progress.show("starting \(name)")
    try await azure.directory.start(machine.id, deadline: .seconds(300)) { _ in progress.tick() }
    machine = try await azure.directory.get(machine.id, known: machine)
    return true
  }

  private func mayStart(
    _ machine: VirtualMachine, _ state: PowerState
  ) async throws(Failure) -> Bool {
    switch options.jit.start {
    case .yes: return true
    case .no: return false
    case .ask:
      let question = "\(machine.name) is \(state). Start it?"
      switch await world.ask({ $0.confirm(question) }) {
      case .given(let answer): return answer
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      default: return false
      }
    }
  }
}
