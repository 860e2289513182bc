import Azure
import FoundationEssentials
import Platform
import Terminal

/// Asks Azure for windows: one call for a policy, whatever number of its machines and ports is
/// meant.
struct WindowRequests: Sendable {
  let world: World
  let azure: AzureAccess
  let memory: Memory
  /// Sent as the justification.
  let reason: String?
  /// Told of each window, for whoever interrupts.
  var opened: OpenedWindows?

  /// A window that is to be asked for.
  struct Item: Sendable {
    var machine: VirtualMachine
    var plan: WindowPlan
    /// The first duration first; the others only where Azure refuses it.
    var durations: [Duration]
  }

  /// Asks for the first duration of each item, and for the next only where that one is refused.
  ///
  /// - Parameter onCall: told before each call, which may then have been heard.
  /// - Returns: for each item its window, or that Azure does not open it.
  /// - Throws: what the whole call was refused for.
  func request(
    _ items: [Item], by policy: JITPolicy, onCall: () -> Void = {}
  ) async throws(Failure) -> [Result<GrantedWindow, Failure>] {
    guard items.allSatisfy({ !$0.durations.isEmpty }) else {
      throw Failure(.policyForbidsDuration, what: "no duration is allowed")
    }
    let rounds = items.map(\.durations.count).max() ?? 0
    var refusal: Failure?
    for round in 0..<rounds {
      let durations = items.map { $0.durations[min(round, $0.durations.count - 1)] }
      onCall()
      let names = items.map { "port \($0.plan.port) of \($0.machine.name)" }
      opened?.ask(for: names)
      do throws(Failure) {
        let request = try await azure.policies.initiate(policy.id, accessRequest(items, durations))
        // A time that was asked for by name says nothing of what is the shortest.
        let tried = zip(items, durations).filter { $0.0.durations.count > 1 }.map(\.1)
        if round > 0, let longest = tried.max() {
          memory.keepShortestDuration(longest, policy.id)
        }
        defer { opened?.answered(for: names) }
        return granted(request, items, durations, policy)
      } catch {
        // The first refusal says what is wrong; later ones only that waiting longer did not help.
        refusal = refusal ?? error
        if let status = error.httpStatus, status < 500 { opened?.answered(for: names) }
        // "Not a subset" may be about the time, and about anything else: of several items the one
        // that is meant is found first, and other times are tried for that one, unless its source
        // is the likelier reason.
        if error.code == .policyForbidsRequest, items.count == 1, !items[0].plan.isSourceNamed {
          throw error.aboutSource(of: items[0])
        }
        guard
          error.code == .policyForbidsDuration
            || (error.code == .policyForbidsRequest && items.count == 1)
        else { throw error }
        world.debug("\(durations.map(durationText).joined(separator: ", ")) refused: \(error)")
      }
    }
    throw refusal ?? Failure(.policyForbidsDuration, what: "no duration is allowed")
  }

  /// The body of the call: each machine once, with its ports.
  func accessRequest(_ items: [Item], _ durations: [Duration]) -> AccessRequest {
    var machines: [AccessRequest.Machine] = []
    for (item, duration) in zip(items, durations) {
      let port = AccessRequest.Port(
        number: item.plan.port, sources: item.plan.sources, duration: duration)
      if let index = machines.firstIndex(where: { $0.id == item.machine.id }) {
        machines[index].ports.append(port)
      } else {
        machines.append(AccessRequest.Machine(id: item.machine.id, ports: [port]))
      }
    }
    return AccessRequest(machines: machines, justification: reason)
  }

  private func granted(
    _ request: JITRequest, _ items: [Item], _ durations: [Duration], _ policy: JITPolicy
  ) -> [Result<GrantedWindow, Failure>] {
    // The difference between Azure's clock and ours is put right.
    let now = world.clock.now()
    let skew = request.serverDate.map { now.timeIntervalSince($0) } ?? -world.azureTime.ahead
    let own = OwnWindows(world.environment, clock: world.clock)
    var order: [ResourceID] = []
    let results = zip(items, durations).map { item, duration -> Result<GrantedWindow, Failure> in
      let machine = item.machine
      if !order.contains(machine.id) { order.append(machine.id) }
      let answer = request.port(
        item.plan.port, of: machine.id, at: order.firstIndex(of: machine.id) ?? 0)
      // Without a status the request was taken, as the 202 says.
      if let status = answer?.status, !status.rawValue.isEmpty, !status.mayOpen {
        return .failure(.windowRefused(machine.name, item.plan.port, status))
      }
      let end = answer?.end.map { $0 + skew } ?? now + duration.timeInterval
      let window = GrantedWindow(
        policy: policy, machine: machine.id, port: item.plan.port, sources: item.plan.sources,
        end: end, azureEnd: answer?.end ?? end, mappedPort: answer?.mappedPort)
      return .success(window)
    }
    let windows = results.compactMap { try? $0.get() }
    opened?.add(windows)
    own.record(windows.map(\.record))
    return results
  }
}

extension Failure {
  /// A lone address may not pass for a part of the policy's block.
  fileprivate func aboutSource(of item: WindowRequests.Item) -> Failure {
    guard let block = item.plan.block else { return self }
    var failure = self
    let sources = item.plan.sources.map(\.text).joined(separator: ", ")
    failure.why =
      (why.map { $0 + "\n" } ?? "")
      + "the policy allows \(block.text), and Azure may want that word for word instead of \(sources)"
    failure.next =
      "jitconnect request \(item.machine.resourceGroup)/\(item.machine.name):\(item.plan.port) "
      + "--source \(block.text)"
    return failure
  }

  /// A request that Azure took and did not carry out.
  static func windowRefused(_ machine: String, _ port: Int, _ status: RequestStatus) -> Failure {
    Failure(
      .windowRefused, what: "the window to port \(port) of \(machine) was not opened",
      why: "Azure says the request is \(printable(status.rawValue, limit: 60))",
      next: "jitconnect doctor \(machine)")
  }
}

extension World {
  /// Names whose windows a new request may end, before it does: on a terminal it asks.
  ///
  /// - Parameters:
  ///   - retype: what lets them stay.
  ///   - keepsOthers: whether that was asked for, and could not be done for these.
  func nameOthers(
    _ others: [(machine: String, window: JITPolicy.Window)], retype: String,
    keepsOthers: Bool = false
  ) async throws(Failure) {
    guard !others.isEmpty else { return }
    let now = clock.now()
    let lines = others.map { other in
      other.window.text(on: other.machine, now: now)
        + (keepsOthers ? ", and \(other.window.reasonNotKept(now: azureNow))" : "")
    }
    let text = lines.joined(separator: "; ")
    switch await ask({ $0.confirm("\(text). A new request may end it. Go on?") }) {
    case .given(true): return
    case .notPossible:
      let hint = keepsOthers ? "" : " (--keep-others names its source too)"
      console.warn("\(text); the new request may end it\(hint)")
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    default:
      throw Failure(
        .declined, what: "nothing was requested",
        why: "\(text); with --keep-others both are let in", next: retype)
    }
  }
}

extension JITPolicy.Window {
  /// Why `--keep-others` leaves it out (``WindowPlan``).
  fileprivate func reasonNotKept(now: Date) -> String {
    if port.sources.contains(where: { ($0.prefixLength ?? 0) < WindowPlan.widestKept }) {
      return "its source is wider than /\(WindowPlan.widestKept) and is not named for others"
    }
    if (port.end ?? now) < now + WindowPlan.shortestDurations[0].timeInterval {
      return "it ends before the new window can"
    }
    return "the policy does not allow a request for its source, or not for so short a time"
  }

  /// "a window of bob to port 22 of web1 from 198.51.100.4 is open until 14:32".
  func text(on machine: String, now: Date) -> String {
    let who = requestor.map { printable($0, limit: 200) } ?? "somebody"
    let until = port.end.map { localTimeText($0, now: now) } ?? "an unknown time"
    return "a window of \(who) to port \(port.number) of \(machine) from \(texts(port.sources)) is "
      + "open until \(until)"
  }
}
