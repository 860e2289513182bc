import Azure
import FoundationEssentials
import Identity
package import Platform
import SSHConfig
import Terminal

/// Ends windows of this user early. Azure has no call for it: the rule is deleted where that is
/// permitted, else a request of the shortest duration takes the window's place, else it stays.
///
/// Own is what this user recorded and what the policy shows with the same port, sources and end.
package struct CloseWindows: Sendable {
  let world: World
  let azure: AzureAccess
  /// `JitKeepOthers`
  let keepsOthers: Bool
  /// Whether somebody may be asked; at the end of a session nobody is.
  let mayAsk: Bool
  private let own: OwnWindows
  private let memory: Memory

  package init(_ world: World, _ azure: AzureAccess, keepsOthers: Bool, mayAsk: Bool = true) {
    self.world = world
    self.azure = azure
    self.keepsOthers = keepsOthers
    self.mayAsk = mayAsk
    own = OwnWindows(world.environment, clock: world.clock)
    memory = Memory(world.environment, cloud: azure.cloud.name, clock: world.clock)
  }

  /// Closes this user's windows on a machine.
  ///
  /// - Parameter ports: empty is every port.
  /// - Returns: each of them, and the live windows of others.
  package func close(
    on view: MachineView, ports: [Int]
  ) async throws(Failure) -> [ClosedWindow] {
    let machine = view.machine
    let now = world.clock.now()
    func isMeant(_ port: Int) -> Bool { ports.isEmpty || ports.contains(port) }
    let recorded = own.all(on: machine.id).filter { isMeant($0.port) }
    var closed: [ClosedWindow] = []
    let policies = view.policies.filter { $0.machine(machine.id) != nil }
    for policy in policies {
      let mine = recorded.filter { $0.policy == policy.id }
      closed += try await close(mine, on: machine, policy)
      closed += policy.windows(of: machine.id)
        .filter { isMeant($0.port.number) && $0.isLive(at: now) && !own.holds($0) && !isPast($0) }
        .map {
          ClosedWindow(
            machine: machine, port: $0.port.number, sources: $0.port.sources,
            ending: .notOwn(who: $0.requestor, until: $0.port.end))
        }
    }
    return closed
  }

  private func isPast(_ window: JITPolicy.Window) -> Bool { own.isShut(window) }

  /// Closes windows by one policy, as it was just read.
  func close(
    _ windows: [OwnWindows.Window], on machine: VirtualMachine, _ policy: JITPolicy
  ) async throws(Failure) -> [ClosedWindow] {
    guard !windows.isEmpty else { return [] }
    let now = world.clock.now()
    let all = policy.windows(of: machine.id)
    var closed: [ClosedWindow] = []
    var paths: [InboundPath]?
    for window in windows {
      func end(_ ending: ClosedWindow.Ending) {
        closed.append(
          ClosedWindow(
            machine: machine, port: window.port, sources: window.sources, ending: ending))
      }
      guard let shown = all.first(where: { window.isSame(as: $0) }), shown.isLive(at: now) else {
        own.forget([window])
        end(.over)
        continue
      }
      let sharing = all.first { other in
        other.port.number == window.port && other.isLive(at: now) && !own.holds(other)
          && other.port.sources.contains { source in
            window.sources.contains { $0.contains(source) || source.contains($0) }
          }
      }
      if let sharing {
        let who = sharing.requestor.map { printable($0, limit: 200) } ?? "another program"
        end(.left(until: window.end, why: "a request of \(who) is for the same source"))
        continue
      }
      if paths == nil { paths = await azure.securityGroups.paths(to: machine) }
      let deletion = await deleteRules(of: window, policy, paths ?? [])
      switch deletion {
      case .success(let ending):
        // The policy shows it on; it is not to be used again.
        own.distrust(window)
        end(ending)
      case .failure(let reason):
        end(try await supersede(window, machine, policy, all, reason))
      }
    }
    return closed
  }

  // MARK: By the rule

  /// Why the rule could not be deleted, for the user.
  private struct Reason: Error { var text: String }

  private func deleteRules(
    of window: OwnWindows.Window, _ policy: JITPolicy, _ paths: [InboundPath]
  ) async -> Result<ClosedWindow.Ending, Reason> {
    if window.mappedPort != nil || policy.machine(window.machine)?.publicIPAddress != nil {
      return .failure(Reason(text: "its rule is on an Azure Firewall"))
    }
    var rules: [ResourceID] = []
    for path in paths {
      for (_, rule) in path.windowRules(port: window.port)
      where rule.access == .allow && rule.isFor(window.sources) {
        if let id = rule.id, !rules.contains(id) { rules.append(id) }
      }
    }
    guard !rules.isEmpty else {
      let unread = paths.flatMap(\.unread)
      if let first = unread.first { return .failure(Reason(text: first)) }
      return paths.contains { !$0.groups.isEmpty }
        ? .success(.over) : .failure(Reason(text: "no network security group is known"))
    }
    var reason: Failure?
    var isDeleted = false
    for rule in rules {
      do throws(Failure) {
        try await azure.securityGroups.deleteRule(rule)
        isDeleted = true
      } catch {
        reason = error
        world.debug("the rule \(rule.name) stays: \(error)")
      }
    }
    // Every group on the way must allow: one that does not is enough.
    if isDeleted { return .success(.ruleDeleted) }
    return .failure(Reason(text: reason?.why ?? reason?.what ?? "its rule could not be deleted"))
  }

  // MARK: By a newer request

  private func supersede(
    _ window: OwnWindows.Window, _ machine: VirtualMachine, _ policy: JITPolicy,
    _ all: [JITPolicy.Window], _ reason: Reason
  ) async throws(Failure) -> ClosedWindow.Ending {
    func left(_ why: String) -> ClosedWindow.Ending {
      .left(until: window.end, why: "\(reason.text); \(why)")
    }
    guard let entry = policy.machine(machine.id) else { return left("the policy has no entry") }
    do throws(Failure) {
      let now = world.clock.now()
      let plan = try WindowPlan(
        WindowPlan.Wish(
          machineName: machine.name, port: window.port, sources: window.sources,
          keepsOthers: keepsOthers, needsTCP: false),
        entry: entry, windows: all, usable: [], now: now,
        floor: memory.shortestDuration(policy.id), isOwn: { own.holds($0) })
      guard case .request(let durations) = plan.step, let shortest = durations.first,
        now + shortest.timeInterval < window.end
      else { return left("a new request would last no less") }
      if !plan.others.isEmpty {
        guard mayAsk, world.prompt.isPossible else {
          let other = plan.others[0].text(on: machine.name, now: now)
          return left("\(other), and a new request may end it (--keep-others)")
        }
        try await world.nameOthers(
          plan.others.map { (machine.name, $0) },
          retype: "jitconnect close --keep-others \(machine.name)")
      }
      let requests = WindowRequests(world: world, azure: azure, memory: memory, reason: nil)
      let item = WindowRequests.Item(
        machine: machine, plan: plan,
        durations: durations.filter { now + $0.timeInterval < window.end })
      guard let new = try await requests.request([item], by: policy).first?.get() else {
        return left("Azure's answer names no window")
      }
      guard try await isEnded(window, policy) else {
        return left("Azure lets the older request run on beside a shorter one")
      }
      own.forget([window])
      return .superseded(until: new.end)
    } catch {
      if error.code == .interrupted { throw error }
      return left(error.why ?? error.what)
    }
  }

  /// Whether Azure has ended the older window; looked for a few times.
  private func isEnded(
    _ window: OwnWindows.Window, _ policy: JITPolicy
  ) async throws(Failure) -> Bool {
    for attempt in 0..<3 {
      if attempt > 0, (try? await Task.sleep(for: .seconds(1))) == nil {
        throw Failure(.interrupted, what: "interrupted")
      }
      let current = try await azure.policies.get(policy.id)
      let shown = current.windows(of: window.machine).first { window.isSame(as: $0) }
      if shown?.isLive(at: world.clock.now()) != true { return true }
    }
    return false
  }
}
