import Azure
import FoundationEssentials
import Platform
import SSHConfig
import Synchronization
import Terminal

extension RequestAccess {
  /// What goes out in one call: the ports of one policy's machines, for one reason.
  private struct Batch: Sendable {
    var policy: JITPolicy
    var reason: String?
    /// Places among the accesses.
    var indices: [Int]
    var items: [WindowRequests.Item]
  }

  private func batches(_ accesses: [PortAccess]) -> [Batch] {
    var batches: [Batch] = []
    for (index, access) in accesses.enumerated() where access.isGoing && access.window == nil {
      guard let machine = access.machine, let policy = access.policy, let plan = access.plan,
        case .request(let durations) = plan.step
      else { continue }
      let item = WindowRequests.Item(machine: machine, plan: plan, durations: durations)
      let reason = access.settings.reason
      if let place = batches.firstIndex(where: {
        $0.policy.id == policy.id && $0.reason == reason
      }) {
        batches[place].indices.append(index)
        batches[place].items.append(item)
      } else {
        batches.append(Batch(policy: policy, reason: reason, indices: [index], items: [item]))
      }
    }
    return batches
  }

  private func requests(for batch: Batch) -> WindowRequests {
    WindowRequests(
      world: world, azure: azure, memory: memory, reason: batch.reason, opened: opened)
  }

  /// Names the calls that would go out.
  func nameCalls(_ accesses: inout [PortAccess]) throws(Failure) {
    for batch in batches(accesses) {
      let durations = batch.items.compactMap(\.durations.first)
      calls.add(
        try azure.policies.initiateCall(
          batch.policy.id, requests(for: batch).accessRequest(batch.items, durations)))
    }
  }

  /// Asks for all windows, the policies side by side.
  func request(_ accesses: inout [PortAccess]) async {
    let batches = batches(accesses)
    let results = await sideBySide(batches) { batch in
      await request(batch.items, of: batch, Budget())
    }
    for (batch, results) in zip(batches, results) {
      for (index, result) in zip(batch.indices, results) {
        switch result {
        case .success(let window): accesses[index].window = window
        case .failure(let failure): accesses[index].failure = failure
        }
      }
    }
    for access in accesses where access.isGoing {
      guard let window = access.window else { continue }
      world.console.note(
        "\(window.isReused ? "open already" : "requested"): port \(window.port) of \(access.name) "
          + "for \(window.sourceText) until \(localTimeText(window.end, now: world.clock.now()))")
    }
  }

  /// One call for all; where Azure refuses it, its halves: one machine that cannot be opened shall
  /// not keep the others shut.
  private func request(
    _ items: [WindowRequests.Item], of batch: Batch, _ budget: Budget
  ) async -> [Result<GrantedWindow, Failure>] {
    do throws(Failure) {
      return try await requests(for: batch).request(items, by: batch.policy)
    } catch {
      guard items.count > 1, Self.mayConcernOne(error), budget.take(), !Task.isCancelled else {
        return items.map { _ in .failure(error) }
      }
      world.debug("one call for \(items.count) ports is refused; trying its halves: \(error)")
      let middle = items.count / 2
      let first = await request(Array(items[..<middle]), of: batch, budget)
      return first + (await request(Array(items[middle...]), of: batch, budget))
    }
  }

  /// Refusals that one machine or port among several may have caused. Azure has done nothing then.
  private static func mayConcernOne(_ failure: Failure) -> Bool {
    [
      .policyForbidsRequest, .policyForbidsDuration, .policyForbidsPort, .azureRefused,
      .defenderPlanMissing,
    ].contains(failure.code)
  }

  /// How often a refused call is cut in two, for one policy.
  private final class Budget: Sendable {
    private let left = Mutex(32)

    func take() -> Bool {
      left.withLock { left in
        left -= 1
        return left >= 0
      }
    }
  }
}
