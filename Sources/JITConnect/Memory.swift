package import Azure
package import FoundationEssentials
package import Platform

/// What earlier runs learnt of machines, so that the next needs no look-up.
///
/// Every entry is a hint: the call that uses it notices when it no longer holds. A memory that
/// cannot be read or written is an empty one.
package struct Memory: Sendable {
  /// A machine and, if it was seen, its policy as it was then.
  package struct Machine: Sendable, Equatable {
    package var machine: VirtualMachine
    package var policy: JITPolicy?
    /// How far Azure's clock was from this machine's; nil where nobody noted it.
    package var clockAhead: TimeInterval?
  }

  private struct File: Codable {
    struct Entry: Codable {
      var machine: VirtualMachine
      /// A key of `policies`.
      var policy: String?
      /// When it was last used; the oldest are dropped first.
      var usedAt: Date
    }

    var version = 1
    /// By the target as it was typed, with what narrowed the search.
    var targets: [String: String] = [:]
    /// By the resource id in lower case, like `policies`.
    var machines: [String: Entry] = [:]
    /// Many machines share one policy.
    var policies: [String: JITPolicy] = [:]
    /// The shortest duration that was granted where shorter ones were refused, by policy.
    var shortestDurations: [String: Shortest] = [:]
    /// How far Azure's clock was from this machine's, in seconds.
    var clockAhead: TimeInterval?
  }

  private struct Shortest: Codable {
    var seconds: Int
    var since: Date
  }

  /// A thousand machines are some 2 MiB; a person connects to fewer.
  private static let mostMachines = 200

  private let path: String?
  private let cloud: String
  private let clock: WallClock

  package init(_ environment: Environment, cloud: String, clock: WallClock) {
    path = environment.cacheDirectory.map { $0 + "/machines.json" }
    self.cloud = cloud
    self.clock = clock
  }

  /// What is known of a target; nil for one that was never looked up.
  package func recall(_ target: TargetQuery) -> Machine? {
    let file = read()
    var entry = file.targets[key(target)].flatMap { file.machines[$0] }
    if case .id(let id) = target.name { entry = file.machines[id.key] }
    return entry.map { entry in
      Machine(
        machine: entry.machine, policy: entry.policy.flatMap { file.policies[$0] },
        clockAhead: file.clockAhead)
    }
  }

  /// The one machine of all that are remembered, in whatever cloud and however it was typed, that
  /// a target can mean; nil where that is not one alone.
  package func recallByName(_ target: TargetQuery) -> Machine? {
    let file = read()
    let entries = file.machines.values.filter { entry in
      let id = entry.machine.id
      if case .id(let wanted) = target.name { return id == wanted }
      return id.name.lowercased() == target.name.name.lowercased()
        && target.resourceGroup.map { $0.lowercased() == id.resourceGroup?.lowercased() } ?? true
        // It may be given by its name, which is not remembered.
        && target.subscription.map { $0.lowercased() == id.subscription.lowercased() } ?? true
    }
    guard let entry = entries.first, entries.count == 1 else { return nil }
    return Machine(machine: entry.machine, policy: entry.policy.flatMap { file.policies[$0] })
  }

  /// Keeps what is now known of a target's machine.
  package func keep(
    _ machine: VirtualMachine, policy: JITPolicy?, for target: TargetQuery,
    clockAhead: TimeInterval? = nil
  ) {
    change { file in
      if let clockAhead { file.clockAhead = clockAhead }
      file.targets[key(target)] = machine.id.key
      file.machines[machine.id.key] = File.Entry(
        machine: machine, policy: policy?.id.key, usedAt: clock.now())
      if let policy { file.policies[policy.id.key] = policy }
      while file.machines.count > Self.mostMachines,
        let oldest = file.machines.min(by: { $0.value.usedAt < $1.value.usedAt })?.key
      {
        file.machines[oldest] = nil
        file.targets = file.targets.filter { $0.value != oldest }
      }
      let used = Set(file.machines.values.compactMap(\.policy))
      file.policies = file.policies.filter { used.contains($0.key) }
    }
  }

  /// Forgets a target whose machine proved to be another, or gone.
  package func forget(_ target: TargetQuery) {
    change { file in
      if let id = file.targets.removeValue(forKey: key(target)) { file.machines[id] = nil }
      if case .id(let id) = target.name { file.machines[id.key] = nil }
    }
  }

  /// A refusal is believed for so long; then a shorter window is tried again.
  private static let refusalLifetime: TimeInterval = 7 * 86400

  /// The shortest duration that is granted in a policy, where shorter ones were refused lately.
  package func shortestDuration(_ policy: ResourceID) -> Duration? {
    guard let shortest = read().shortestDurations[policy.key],
      clock.now().timeIntervalSince(shortest.since) < Self.refusalLifetime
    else { return nil }
    return .seconds(shortest.seconds)
  }

  package func keepShortestDuration(_ duration: Duration, _ policy: ResourceID) {
    change {
      $0.shortestDurations[policy.key] = Shortest(
        seconds: Int(duration.components.seconds), since: clock.now())
    }
  }

  private func key(_ target: TargetQuery) -> String {
    [cloud, target.name.description, target.resourceGroup ?? "", target.subscription ?? ""]
      .joined(separator: "\n").lowercased()
  }

  private func read() -> File {
    guard let path, let bytes = try? Files.read(path),
      let file = try? JSONDecoder().decode(File.self, from: Data(bytes)), file.version == 1
    else { return File() }
    return file
  }

  private func change(_ edit: (inout File) -> Void) {
    guard let path else { return }
    try? Files.withLock(on: path) {
      var file = read()
      edit(&file)
      try Files.replace(path, with: try JSONEncoder().encode(file))
    }
  }
}
