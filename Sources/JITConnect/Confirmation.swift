import Azure
import Platform
import Synchronization

/// Azure's own word on a machine, asked for beside other work and waited for where it counts.
///
/// Every address and identity that the memory or Resource Graph gave is a hint until then.
final class Confirmation: Sendable {
  private let read: @Sendable () async -> Result<VirtualMachine, Failure>
  private let task = Mutex<Task<Result<VirtualMachine, Failure>, Never>?>(nil)

  /// - Parameter patience: how long the subnets are waited for; nil is as long as they take.
  init(of machine: VirtualMachine, _ azure: AzureAccess, patience: Duration? = nil) {
    read = {
      await outcome { () async throws(Failure) in
        try await azure.directory.get(machine.id, known: machine, patience: patience)
      }
    }
  }

  /// Starts asking, once.
  func start() { _ = started() }

  /// The machine as Azure says it is.
  func machine() async throws(Failure) -> VirtualMachine { try await started().value.get() }

  /// Takes what was read since then for Azure's word.
  func renew(_ machine: VirtualMachine) {
    task.withLock { task in
      task?.cancel()
      task = Task { .success(machine) }
    }
  }

  func cancel() { task.withLock { $0?.cancel() } }

  private func started() -> Task<Result<VirtualMachine, Failure>, Never> {
    task.withLock { task in
      if let task { return task }
      let new = Task { [read] in await read() }
      task = new
      return new
    }
  }
}
