import Platform

extension EntryEdit {
  /// Whether carrying the edit out would undo what somebody else did since an entry was shown.
  ///
  /// Only what the edit names counts: a limit that somebody changed is no reason not to add a
  /// source. What already is as the edit would leave it is undone by nobody.
  ///
  /// - Parameters:
  ///   - shown: the machine's entry as it was; nil where there was none.
  ///   - now: the entry as it is.
  package func overwrites(_ shown: JSONTree?, _ now: JSONTree?) -> Bool {
    if [shown].areSame(as: [now]) { return false }
    switch change {
    case .remove: return now != nil
    case .replace(let tree): return ![now].areSame(as: [tree])
    case .ports(let changes):
      // An entry that somebody took out would come to life again.
      guard let now else { return shown != nil }
      return changes.contains { change in
        change.overwrites(Self.ports(change.number, of: shown), Self.ports(change.number, of: now))
      }
    }
  }

  private static func ports(_ number: Int, of entry: JSONTree?) -> [JSONTree] {
    (entry?["ports"]?.elements ?? []).filter { $0["number"]?.integer == number }
  }
}

extension PortChange {
  /// The same for one port, which may have a rule for each protocol.
  fileprivate func overwrites(_ shown: [JSONTree], _ now: [JSONTree]) -> Bool {
    if shown.count == now.count, zip(shown, now).allSatisfy({ $0.isSame(as: $1) }) { return false }
    guard kind != .remove else { return !now.isEmpty }
    guard !now.isEmpty else { return !shown.isEmpty }
    let (shown, now) = (
      shown.compactMap { PortRule(tree: $0) }, now.compactMap { PortRule(tree: $0) }
    )
    func differs<Value: Equatable>(_ wanted: Value?, _ value: (PortRule) -> Value) -> Bool {
      guard let wanted else { return false }
      return shown.map(value) != now.map(value) && !now.allSatisfy { value($0) == wanted }
    }
    // Sources that are added leave those of others alone.
    return differs(`protocol`) { $0.protocol } || differs(maximum) { $0.maximumDuration ?? .zero }
      || differs(sources.map(Set.init)) { Set($0.allowedSources) }
  }
}
