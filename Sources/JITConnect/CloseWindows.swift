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
  /// Takes the calls instead of making them; nil where they are made.
  let dryRun: NamedCalls?
  private let own: OwnWindows
  private let memory: Memory

  package init(
    _ world: World, _ azure: AzureAccess, keepsOthers: Bool, mayAsk: Bool = true,
    dryRun: NamedCalls? = nil
  ) {
    self.dryRun = dryRun
    self.world = world
    self.azure = azure
    self.keepsOthers = keepsOthers
    self.mayAsk = mayAsk
    own = OwnWindows(world.environment, clock: world.clock)
    memory = Memory(world.environment, cloud: azure.cloud.name, clock: world.clock)
  }

  /// Closes this user's windows on a machine.
  ///
  /// - Parameters:
  ///   - ports: empty is every port.
  ///   - closed: gets each of them, and the live windows of others, as soon as it is known.
  package func close(
    on view: MachineView, ports: [Int], into closed: inout [ClosedWindow]
  ) async throws(Failure) {
    let machine = view.machine
    let now = world.azureNow
    func isMeant(_ port: Int) -> Bool { ports.isEmpty || ports.contains(port) }
    let recorded = own.all(on: machine.id).filter { isMeant($0.port) }
    for policy in view.policies where policy.machine(machine.id) != nil {
      let mine = recorded.filter { $0.policy == policy.id }
      try await close(
        mine, on: machine, policy, beside: recorded, among: view.policies, into: &closed)
      closed += policy.windows(of: machine.id)
        .filter {
          isMeant($0.port.number) && $0.isLive(at: now) && !own.holds($0) && !own.isShut($0)
        }
        .map {
          ClosedWindow(
            machine: machine, port: $0.port.number, sources: $0.port.sources,
            ending: .notOwn(who: $0.requestor, until: $0.port.end))
        }
    }
  }

  /// Closes windows by one policy, as it was just read.
  ///
  /// - Parameters:
  ///   - closing: all that are to be closed, by other policies too.
  ///   - policies: where other live windows may be found that the same rules serve.
  func close(
    _ windows: [OwnWindows.Window], on machine: VirtualMachine, _ policy: JITPolicy,
    beside closing: [OwnWindows.Window], among policies: [JITPolicy],
    into closed: inout [ClosedWindow]
  ) async throws(Failure) {
    guard !windows.isEmpty else { return }
    let now = world.azureNow
    let shown = policy.windows(of: machine.id)
    let live = ([policy] + policies.filter { $0.id != policy.id })
      .flatMap { $0.windows(of: machine.id) }.filter { $0.isLive(at: now) }
    func end(_ window: OwnWindows.Window, _ ending: ClosedWindow.Ending) {
      closed.append(
        ClosedWindow(machine: machine, port: window.port, sources: window.sources, ending: ending))
    }
    var lots: [RuleLot] = []
    for window in windows {
      let current = shown.first { window.isSame(as: $0) }
      let isOver = current?.isLive(at: now) != true
      if let who = sharing(window, live, closing) {
        if isOver {
          forget(window)
          end(window, .over)
          continue
        }
        end(
          window,
          .left(
            until: window.end, ClosedWindow.Stay(why: "\(who) is for the same source")))
        continue
      }
      let item = RuleLot.Item(window: window, shown: current)
      if let index = lots.firstIndex(where: { $0.isOver == isOver && $0.isFor(window) }) {
        lots[index].items.append(item)
      } else {
        lots.append(
          RuleLot(port: window.port, sources: window.sources, items: [item], isOver: isOver))
      }
    }
    // What the same rules serve that is not over goes first.
    lots.sort { !$0.isOver && $1.isOver }
    // A rule may have a port of a window that stays for somebody else's sake.
    let ending = closing.filter { sharing($0, live, closing) == nil }
    var gone: [ResourceID: [SecurityGroupRule]] = [:]
    for lot in lots {
      for (item, outcome) in try await deleteRules(of: lot, machine, policy, ending, &gone) {
        switch outcome {
        case .over:
          if lot.isOver { forget(item.window) }
          end(item.window, .over)
        case .wouldBeDeleted: end(item.window, .planned(until: item.window.end))
        case .deleted:
          own.close(item.window)
          end(item.window, .ruleDeleted)
        case .stays(let stay) where lot.isOver:
          end(item.window, .left(until: item.window.end, stay))
        case .stays(let stay):
          end(item.window, try await supersede(item.window, machine, policy, shown, stay))
        }
      }
    }
  }

  private func forget(_ window: OwnWindows.Window) {
    if dryRun == nil { own.forget([window]) }
  }

  /// Whose window the rules of this one serve too; nil where nobody's.
  private func sharing(
    _ window: OwnWindows.Window, _ live: [JITPolicy.Window], _ closing: [OwnWindows.Window]
  ) -> String? {
    let other = live.first { other in
      other.port.number == window.port
        && !closing.contains { $0.isSame(as: other) } && !window.isSame(as: other)
        && !own.isClosed(other)
        && other.port.sources.contains { source in
          window.sources.contains { $0.contains(source) || source.contains($0) }
        }
    }
    guard let other else { return nil }
    if own.holds(other) { return "another window of yours" }
    return "a request of \(other.requestor.map { printable($0, limit: 200) } ?? "another program")"
  }

  // MARK: By a newer request

  private func supersede(
    _ window: OwnWindows.Window, _ machine: VirtualMachine, _ policy: JITPolicy,
    _ all: [JITPolicy.Window], _ stay: ClosedWindow.Stay
  ) async throws(Failure) -> ClosedWindow.Ending {
    func left(_ why: String, _ remedy: ClosedWindow.Remedy? = nil) -> ClosedWindow.Ending {
      .left(until: window.end, stay.adding(why, remedy))
    }
    guard let entry = policy.machine(machine.id) else { return left("the policy has no entry") }
    do throws(Failure) {
      let now = world.azureNow
      let plan = try WindowPlan(
        WindowPlan.Wish(
          machineName: machine.name, port: window.port, sources: window.sources,
          keepsOthers: keepsOthers, needsTCP: false),
        entry: entry, windows: all, usable: [], now: now,
        floor: memory.shortestDuration(policy.id), isOwn: { own.holds($0) })
      guard case .request(let durations) = plan.step, let shortest = durations.first,
        now + shortest.timeInterval < window.azureEnd
      else { return left("a new request would last no less") }
      let item = WindowRequests.Item(
        machine: machine, plan: plan,
        durations: durations.filter { now + $0.timeInterval < window.azureEnd })
      let requests = WindowRequests(world: world, azure: azure, memory: memory, reason: nil)
      if let dryRun {
        dryRun.add(
          try azure.policies.initiateCall(policy.id, requests.accessRequest([item], [shortest])))
        return .planned(until: window.end)
      }
      if !plan.others.isEmpty {
        guard mayAsk, world.prompt.isPossible else {
          let other = plan.others[0].text(on: machine.name, now: now)
          return left("\(other), and a new request may end it", .keepOthers)
        }
        try await world.nameOthers(
          plan.others.map { (machine.name, $0) },
          retype: shellLine([
            "jitconnect", "close", "--keep-others", "\(machine.id.text):\(window.port)",
          ]), keepsOthers: keepsOthers)
      }
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
      if shown?.isLive(at: world.azureNow) != true { return true }
    }
    return false
  }
}
