import Azure
import Platform
import Synchronization
import Terminal

/// Proofs that ports which were just put under just-in-time access are shut, made beside the
/// request and the wait: the deny rule may take a minute, and a window need not wait for it.
final class LaterProofs: Sendable {
  private struct Proof: Sendable {
    var machine: VirtualMachine
    var ports: [Int]
    var task: Task<PortProof?, Never>
  }

  /// How long the telling waits for a proof that is under way.
  private static let patience = Duration.seconds(2)

  private let proofs = Mutex<[Proof]>([])

  func begin(_ prover: PortProver, _ machine: VirtualMachine, _ policy: JITPolicy) {
    let task = Task { try? await prover.prove(machine, policy) }
    let ports = policy.machine(machine.id)?.ports.map(\.number) ?? []
    proofs.withLock { $0.append(Proof(machine: machine, ports: ports, task: task)) }
  }

  /// Tells what was found, and of what could not be proved in time; ends what is under way.
  func tell(_ world: World) async {
    let proofs = proofs.withLock { proofs in
      defer { proofs = [] }
      return proofs
    }
    guard !proofs.isEmpty else { return }
    guard !Task.isCancelled else {
      for proof in proofs { proof.task.cancel() }
      return
    }
    let limit = Task {
      if (try? await Task.sleep(for: Self.patience)) != nil {
        for proof in proofs { proof.task.cancel() }
      }
    }
    defer { limit.cancel() }
    for proof in proofs {
      let found = await withTaskCancellationHandler {
        await proof.task.value
      } onCancel: {
        proof.task.cancel()
      }
      let enable = "jitconnect enable \(proof.machine.id.text)"
      guard let found else {
        let ports = proof.ports.map(String.init).joined(separator: ", ")
        world.console.warn(
          "just-in-time access is on for \(proof.machine.name), but its deny rule is not in sight "
            + "yet: whether port \(ports) is shut to others is proved by \(enable)")
        continue
      }
      if let failure = found.failure(retype: "\(enable) --fix") {
        world.console.warn("\(failure); to shut it: \(failure.next ?? enable)")
      }
      for warning in found.warnings { world.console.warn(warning) }
    }
  }

  /// Ends what is under way without a word.
  func cancel() {
    for proof in proofs.withLock({ $0 }) { proof.task.cancel() }
  }
}
