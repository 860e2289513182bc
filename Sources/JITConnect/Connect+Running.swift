import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Terminal

extension Connect {
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
    guard try await world.mayStart(machine, state, options.jit.start) else {
      throw Failure.notRunning(
        machine, state, openUntil: end.map { localTimeText($0, now: world.clock.now()) },
        next: typed.text(adding: "--start"))
    }
    let name = machine.name
    progress.show("starting \(name)")
    try await azure.directory.start(machine.id, deadline: .seconds(300)) { _ in progress.tick() }
    machine = try await azure.directory.get(
      machine.id, known: machine, patience: Self.subnetPatience)
    // The start has succeeded; where the machine's own word lags behind, it is not started again.
    if machine.powerState == state { machine.powerState = .starting }
    return true
  }
}

extension Failure {
  /// A machine that is off and was not to be started.
  static func notRunning(
    _ machine: VirtualMachine, _ state: PowerState, openUntil end: String? = nil, next: String
  ) -> Failure {
    Failure(
      .vmNotRunning, what: "\(machine.name) is not running",
      why: "its state is \(state)" + (end.map { "; its window ends at \($0)" } ?? ""), next: next)
  }
}

extension World {
  /// Whether a stopped machine may be started: by the setting, or asked.
  func mayStart(
    _ machine: VirtualMachine, _ state: PowerState, _ setting: SSHOptions.YesNoAsk
  ) async throws(Failure) -> Bool {
    switch setting {
    case .yes: return true
    case .no: return false
    case .ask:
      let question = "\(machine.name) is \(state). Start it?"
      switch await ask({ $0.confirm(question) }) {
      case .given(let answer): return answer
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      default: return false
      }
    }
  }
}
