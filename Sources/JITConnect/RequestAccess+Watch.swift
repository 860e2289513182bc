import Azure
import Platform
import Synchronization

extension RequestAccess {
  /// Looks now and then at what becomes of the windows: a request that fails, or a rule that
  /// vanishes, ends the wait for its port.
  ///
  /// A round is for each subscription one list of policies and one of security groups, or a call
  /// for each where they are few; ports that have answered are left out.
  func watchRequests(_ ports: [WatchedPort]) -> Task<Void, Never> {
    Task { [azure] in
      var pace = WatchPace()
      var blind: Set<String> = []
      while (try? await Task.sleep(for: pace.pause())) != nil {
        let waiting = Dictionary(grouping: ports.filter(\.isWaiting), by: \.subscription)
          .filter { !blind.contains($0.key) }
        guard !waiting.isEmpty else { return }
        for (subscription, ports) in waiting {
          do throws(Failure) {
            try await Self.look(at: ports, subscription, azure)
          } catch {
            // Who may request may not always read; the ports themselves tell in the end.
            if error.code == .notPermitted { blind.insert(subscription) }
            pace.heed(error)
          }
        }
      }
    }
  }

  private static func look(
    at ports: [WatchedPort], _ subscription: String, _ azure: AzureAccess
  ) async throws(Failure) {
    var ids: Set<ResourceID> = []
    let wanted = ports.map(\.policy).filter { ids.insert($0).inserted }
    let policies = try await azure.policies.current(wanted, subscription: subscription)
    let byID = Dictionary(policies.map { ($0.id, $0) }) { first, _ in first }
    for port in ports {
      if let policy = byID[port.policy] { port.look(at: policy) }
    }
    let letIn = ports.filter(\.wantsRules)
    guard !letIn.isEmpty else { return }
    let paths = await azure.securityGroups.paths(
      to: letIn.map(\.machine), subscription: subscription)
    for (port, paths) in zip(letIn, paths) { port.look(at: paths) }
  }
}

/// A port that is knocked at, and what its request and its rule say meanwhile.
final class WatchedPort: Sendable {
  let access: PortAccess
  let machine: VirtualMachine
  let policy: ResourceID
  /// Ends the knocking.
  let flag = CancellationFlag()
  private let watch: Mutex<WindowWatch>
  private let state = Mutex<State>(.waiting)

  private enum State {
    case waiting
    case over
    case refused(Failure)
  }

  /// Nil where nothing was asked for.
  init?(_ access: PortAccess) {
    guard let machine = access.machine, let window = access.window else { return nil }
    self.access = access
    self.machine = machine
    policy = window.policy.id
    watch = Mutex(WindowWatch(machine, window))
  }

  var subscription: String { machine.subscriptionID.lowercased() }

  var isWaiting: Bool {
    state.withLock { if case .waiting = $0 { true } else { false } }
  }

  /// Why it will not answer.
  var refusal: Failure? {
    state.withLock { if case .refused(let failure) = $0 { failure } else { nil } }
  }

  /// The knocking has come to its end.
  func end() {
    state.withLock { if case .waiting = $0 { $0 = .over } }
  }

  var wantsRules: Bool { isWaiting && watch.withLock { $0.wantsRules } }

  func look(at policy: JITPolicy) { refuse(watch.withLock { $0.look(at: policy) }) }

  func look(at paths: [InboundPath]) { refuse(watch.withLock { $0.look(at: paths) }) }

  private func refuse(_ failure: Failure?) {
    guard let failure else { return }
    state.withLock { if case .waiting = $0 { $0 = .refused(failure) } }
    flag.cancel()
  }
}
