import Azure
import FoundationEssentials
import Platform

/// Own windows of one port for the same sources: their rules cannot be told apart.
struct RuleLot: Sendable {
  struct Item: Sendable {
    var window: OwnWindows.Window
    /// The same as the policy has it; nil where it has it no more.
    var shown: JITPolicy.Window?

    /// Whether its rule would be there by now, if it was ever to come.
    func isSettled(at now: Date) -> Bool {
      guard let start = shown?.start, shown?.port.status == .initiated else { return false }
      let skew = window.end.timeIntervalSince(window.azureEnd)
      return now.timeIntervalSince(start) - skew > WindowRule.appearing.timeInterval
    }
  }

  var port: Int
  var sources: [SourcePrefix]
  var items: [Item]
  /// Whether they are over by Azure's word; a rule that is there all the same goes.
  var isOver = false

  func isFor(_ window: OwnWindows.Window) -> Bool {
    port == window.port && Set(sources) == Set(window.sources)
  }
}

extension CloseWindows {
  /// What came of a window when its rule was looked for.
  enum RuleOutcome: Sendable, Equatable {
    case over
    case deleted
    /// A dry run: by the calls that were named.
    case wouldBeDeleted
    /// Why, for the user.
    case stays(String)
  }

  /// How long a rule that Azure has not written yet is waited for.
  private static let patience = Duration.seconds(20)

  /// What the security groups have for a lot.
  private struct Sight {
    var paths: [InboundPath]
    /// The lot's own rules on each path, by their group.
    var own: [[ResourceID: [SecurityGroupRule]]]
    /// A rule that lets a source of the lot in and is not only the lot's.
    var other: String?
    /// Interfaces that could not be read: the rules may stand before them too.
    var unreadInterfaces: [String]

    var most: Int { own.flatMap { $0.values.map(\.count) }.max() ?? 0 }
    var rules: [ResourceID] {
      var ids: [ResourceID] = []
      for id in own.flatMap({ $0.values.flatMap { $0 } }).compactMap(\.id) where !ids.contains(id) {
        ids.append(id)
      }
      return ids.sorted { $0.key < $1.key }
    }
    var unread: String? { paths.lazy.flatMap(\.unread).first ?? unreadInterfaces.first }
  }

  /// Deletes the rules of a lot, waiting for those that are still to come.
  ///
  /// - Parameter gone: what was deleted for other lots, by group, and gets what is deleted here: a
  ///   rule may have served both.
  func deleteRules(
    of lot: RuleLot, _ machine: VirtualMachine, _ policy: JITPolicy,
    _ closing: [OwnWindows.Window], _ gone: inout [ResourceID: [SecurityGroupRule]]
  ) async throws(Failure) -> [(RuleLot.Item, RuleOutcome)] {
    func all(_ outcome: RuleOutcome) -> [(RuleLot.Item, RuleOutcome)] {
      lot.items.map { ($0, outcome) }
    }
    if lot.items.contains(where: { $0.window.mappedPort != nil })
      || policy.machine(machine.id)?.publicIPAddress != nil
    {
      return all(lot.isOver ? .over : .stays("its rule is on an Azure Firewall"))
    }
    let now = world.clock.now()
    func isYoung(_ item: RuleLot.Item) -> Bool {
      !lot.isOver && item.window.isRuleDeleted != true && !item.isSettled(at: now)
    }
    let served =
      gone.values.map { rules in
        rules.count { $0.isFor(lot.sources) && $0.ports.contains { $0.first == lot.port } }
      }.max() ?? 0
    let expected = max(lot.items.count { $0.window.isRuleDeleted != true } - served, 0)
    let deadline = ContinuousClock.now + Self.patience
    var sight = await look(lot, machine, policy, closing)
    while dryRun == nil, lot.items.contains(where: isYoung), sight.most < expected,
      sight.unread == nil,
      sight.paths.contains(where: { !$0.groups.isEmpty }), .now < deadline
    {
      do {
        try await Task.sleep(for: .seconds(1))
      } catch {
        throw Failure(.interrupted, what: "interrupted")
      }
      sight = await look(lot, machine, policy, closing)
    }
    let mayAppear = "its rule may still appear"
    guard sight.most > 0 else {
      if lot.isOver { return all(.over) }
      if served > 0, expected == 0, sight.unread == nil {
        return all(dryRun == nil ? .deleted : .wouldBeDeleted)
      }
      if let unread = sight.unread { return all(.stays(unread)) }
      guard sight.paths.contains(where: { !$0.groups.isEmpty }) else {
        return all(.stays("no network security group is known"))
      }
      if let other = sight.other {
        return all(.stays("the rule \(other) lets its source in, and not only that"))
      }
      return lot.items.map { ($0, isYoung($0) ? .stays(mayAppear) : .over) }
    }
    if let dryRun {
      for rule in sight.rules where !gone.values.joined().contains(where: { $0.id == rule }) {
        dryRun.add(azure.securityGroups.deleteCall(rule))
      }
      for rules in sight.own { gone.merge(rules) { $0 + $1 } }
      return all(.wouldBeDeleted)
    }
    if let reason = try await delete(sight) { return all(.stays(reason)) }
    for rules in sight.own { gone.merge(rules) { $0 + $1 } }
    // Fewer rules than windows: the youngest window's is the one that is still to come.
    var missing = max(expected - sight.most, 0)
    let youngestFirst = lot.items.sorted {
      ($0.shown?.start ?? .distantFuture) > ($1.shown?.start ?? .distantFuture)
    }
    return youngestFirst.map { item in
      guard missing > 0, isYoung(item) else { return (item, .deleted) }
      missing -= 1
      return (item, .stays(mayAppear))
    }
  }

  private func look(
    _ lot: RuleLot, _ machine: VirtualMachine, _ policy: JITPolicy,
    _ closing: [OwnWindows.Window]
  ) async -> Sight {
    var sight = Sight(
      paths: await azure.securityGroups.paths(to: machine), own: [],
      unreadInterfaces: machine.unreadInterfaces)
    let wanted = SourceSet(prefixes: lot.sources.map(\.text))
    let lots = closing.filter { $0.machine == machine.id }
    for path in sight.paths {
      var rules: [ResourceID: [SecurityGroupRule]] = [:]
      for (group, rule) in path.windowRules(port: lot.port) where rule.access == .allow {
        if rule.id != nil, rule.isFor(lot.sources), rule.isOf(policy.id, machine.id),
          // The ports that are not this one's must all be about to close for these sources.
          rule.ports.allSatisfy({ range in
            range.first == range.last
              && (range.first == lot.port
                || lots.contains { $0.port == range.first && rule.isFor($0.sources) })
          })
        {
          rules[group.id, default: []].append(rule)
        } else if !rule.sourceSet.intersection(wanted).isEmpty,
          !lots.contains(where: { $0.port == lot.port && rule.isFor($0.sources) })
            || rule.isFor(lot.sources)
        {
          sight.other = sight.other ?? rule.name
        }
      }
      sight.own.append(rules)
    }
    return sight
  }

  /// - Returns: why a path stays open; nil where each path that had a rule lost it in at least one
  ///   group, since every group on the way must allow.
  private func delete(_ sight: Sight) async throws(Failure) -> String? {
    var reason: Failure?
    var deleted: Set<ResourceID> = []
    for rules in sight.own {
      for rule in rules.values.flatMap({ $0.compactMap(\.id) }) where !deleted.contains(rule) {
        do throws(Failure) {
          try await azure.securityGroups.deleteRule(rule)
          deleted.insert(rule)
        } catch {
          if error.code == .interrupted { throw error }
          reason = error
          world.debug("the rule \(rule.name) stays: \(error)")
        }
      }
    }
    for (path, rules) in zip(sight.paths, sight.own) {
      if rules.isEmpty, let unread = path.unread.first { return unread }
      guard
        rules.isEmpty
          || rules.values.contains(where: { $0.compactMap(\.id).allSatisfy(deleted.contains) })
      else { return reason?.why ?? reason?.what ?? "its rule could not be deleted" }
    }
    return sight.unreadInterfaces.first
  }
}

extension SecurityGroupRule {
  /// Whether it was made by that policy for that machine, as far as its description tells.
  fileprivate func isOf(_ policy: ResourceID, _ machine: ResourceID) -> Bool {
    func isNamed(_ text: String?, _ id: ResourceID) -> Bool {
      guard let text else { return true }
      return ResourceID(text).map { $0 == id } ?? (text.lowercased() == id.name.lowercased())
    }
    return isNamed(jit?.policy, policy) && isNamed(jit?.machine, machine)
  }
}
