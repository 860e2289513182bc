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
    case stays(ClosedWindow.Stay)
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
      return all(
        lot.isOver
          ? .over : .stays(ClosedWindow.Stay(why: "its rule is on an Azure Firewall")))
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
    let mayAppear = ClosedWindow.Stay(
      why: "its rule may still appear", isOpen: false, remedy: .again)
    guard sight.most > 0 else {
      if lot.isOver { return all(.over) }
      if served > 0, expected == 0, sight.unread == nil {
        return all(dryRun == nil ? .deleted : .wouldBeDeleted)
      }
      if let unread = sight.unread { return all(.stays(ClosedWindow.Stay(why: unread))) }
      guard sight.paths.contains(where: { !$0.groups.isEmpty }) else {
        return all(.stays(ClosedWindow.Stay(why: "no network security group is known")))
      }
      if let other = sight.other {
        return all(
          .stays(
            ClosedWindow.Stay(why: "the rule \(other) lets its source in, and not only that")))
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
    if let stay = try await delete(sight) { return all(.stays(stay)) }
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
  private func delete(_ sight: Sight) async throws(Failure) -> ClosedWindow.Stay? {
    var stay: ClosedWindow.Stay?
    var refused: [ResourceID] = []
    var deleted: [ResourceID: [ResourceID]] = [:]
    func isDeleted(_ rule: ResourceID) -> Bool { deleted.values.contains { $0.contains(rule) } }
    for rules in sight.own {
      for (group, rules) in rules {
        for rule in rules.compactMap(\.id) where !isDeleted(rule) {
          do throws(Failure) {
            try await azure.securityGroups.deleteRule(rule)
            deleted[group, default: []].append(rule)
          } catch {
            if error.code == .interrupted { throw error }
            if error.code == .notPermitted, !refused.contains(rule) { refused.append(rule) }
            stay = ClosedWindow.Stay(
              why: error.why ?? error.what,
              remedy: refused.isEmpty ? nil : .deleteElsewhere(refused))
            world.debug("the rule \(rule.name) stays: \(error)")
          }
        }
      }
    }
    for (group, rules) in deleted {
      guard let why = try await whyNotGone(rules, from: group) else { continue }
      deleted[group] = nil
      stay = ClosedWindow.Stay(why: why, remedy: .again)
    }
    for (path, rules) in zip(sight.paths, sight.own) {
      if rules.isEmpty, let unread = path.unread.first { return ClosedWindow.Stay(why: unread) }
      guard
        rules.isEmpty
          || rules.values.contains(where: { $0.compactMap(\.id).allSatisfy(isDeleted) })
      else { return stay ?? ClosedWindow.Stay(why: "its rule could not be deleted") }
    }
    return sight.unreadInterfaces.first.map { ClosedWindow.Stay(why: $0) }
  }

  /// How long a rule may still be seen that Azure has called deleted.
  private static let vanishing = Duration.seconds(10)

  /// Azure's word that a rule is deleted is not taken for it: its group is read.
  ///
  /// - Returns: why the rules are not known to be gone; nil where the group has none of them.
  private func whyNotGone(
    _ rules: [ResourceID], from group: ResourceID
  ) async throws(Failure) -> String? {
    let deadline = ContinuousClock.now + Self.vanishing
    while true {
      let left: [ResourceID]
      do throws(Failure) {
        let current = try await azure.securityGroups.get(group)
        left = rules.filter { rule in current.rules.contains { $0.id == rule } }
      } catch {
        if error.code == .interrupted { throw error }
        if error.code == .notFound { return nil }
        return "whether its rule is gone cannot be told: \(error.why ?? error.what)"
      }
      guard let first = left.first else { return nil }
      guard .now < deadline else {
        return "Azure took the deletion of the rule \(first.name), and it is still there"
      }
      guard (try? await Task.sleep(for: .seconds(1))) != nil else {
        throw Failure(.interrupted, what: "interrupted")
      }
    }
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
