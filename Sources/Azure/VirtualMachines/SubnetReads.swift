import Platform
import Synchronization

/// The subnets of a machine, read beside all else, each once: nothing but their security group is
/// needed of them, and who waits for a port need not wait for that.
final class SubnetReads: Sendable {
  private typealias Read = Task<Result<JSONTree, Failure>, Never>

  private let client: ARMClient
  private let reads = Mutex<[ResourceID: Read]>([:])

  init(_ directory: VirtualMachineDirectory) { client = directory.client }

  func start(_ ids: [ResourceID]) {
    reads.withLock { reads in
      for id in ids where reads[id] == nil {
        reads[id] = Task { [client] in
          await outcome { () async throws(Failure) in
            try await client.get(id.text, .network, purpose: "read the subnet \(id.name)").json()
          }
        }
      }
    }
  }

  func cancel() { reads.withLock { $0.values.forEach { $0.cancel() } } }

  /// - Parameter limit: from now on; what is not read by then is broken off.
  func results(
    of ids: [ResourceID], within limit: Duration?
  ) async -> [ResourceID: Result<JSONTree, Failure>] {
    start(ids)
    let wanted = reads.withLock { reads in reads.filter { ids.contains($0.key) } }
    let timer = limit.map { limit in
      Task {
        if (try? await Task.sleep(for: limit)) != nil { wanted.values.forEach { $0.cancel() } }
      }
    }
    defer { timer?.cancel() }
    return await withTaskCancellationHandler {
      var results: [ResourceID: Result<JSONTree, Failure>] = [:]
      for (id, read) in wanted { results[id] = await read.value }
      return results
    } onCancel: {
      wanted.values.forEach { $0.cancel() }
    }
  }
}
