package import Platform

/// A change to what a policy says of one machine.
package struct EntryEdit: Sendable, Equatable {
  package enum Change: Sendable, Equatable {
    case ports([PortChange])
    /// The whole entry, as a user wrote it.
    case replace(JSONTree)
    case remove
  }

  package var machine: ResourceID
  package var change: Change

  package init(_ machine: ResourceID, _ change: Change) {
    self.machine = machine
    self.change = change
  }
}

extension PolicyEdit {
  /// Applies edits to a policy as just read; every other entry keeps its value and its place.
  ///
  /// - Parameter dropping: entries of deleted machines that go as well.
  /// - Returns: the body of the PUT; nil where no machine is left, so that the policy goes.
  package static func apply(
    _ edits: [EntryEdit], dropping: [ResourceID] = [], in tree: JSONTree?
  ) throws(Failure) -> JSONTree? {
    var failure: Failure?
    let body = changingMachines(of: tree) { machines in
      do throws(Failure) {
        for edit in edits { try apply(edit, to: &machines) }
        machines.removeAll { entry in dropping.contains { $0 == ResourceID(entry["id"]?.text) } }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return machines(of: body).isEmpty ? nil : body
  }

  private static func apply(
    _ edit: EntryEdit, to machines: inout [JSONTree]
  ) throws(Failure) {
    let index = machines.firstIndex { ResourceID($0["id"]?.text) == edit.machine }
    var entry = index.map { machines[$0] } ?? ["id": .string(edit.machine.text)]
    switch edit.change {
    case .remove:
      machines.removeAll { ResourceID($0["id"]?.text) == edit.machine }
      return
    case .replace(let tree): entry = tree
    case .ports(let changes):
      var ports = entry["ports"]?.elements ?? []
      for change in changes { try change.apply(to: &ports, of: edit.machine) }
      guard !ports.isEmpty else {
        throw Failure(
          .usage, what: "the last port of \(edit.machine.name) cannot be taken out",
          why: "a policy's entry has at least one port",
          next: "jitconnect disable \(edit.machine.name)")
      }
      entry.set("ports", to: .array(ports))
    }
    if let index { machines[index] = entry } else { machines.append(entry) }
  }

  /// Whether the policy is as the edits would leave it.
  package static func isDone(
    _ edits: [EntryEdit], dropping: [ResourceID] = [], in tree: JSONTree
  ) -> Bool {
    let machines = edits.map(\.machine) + dropping
    guard let after = try? apply(edits, dropping: dropping, in: tree) else {
      return self.machines(of: tree).isEmpty
    }
    return machines.allSatisfy { machine in
      // What Azure adds to an entry, or spells otherwise, is no difference.
      switch (entry(of: machine, in: after), entry(of: machine, in: tree)) {
      case (nil, nil): true
      case (let left?, let right?): isSame(left, right)
      default: false
      }
    }
  }

  /// What a policy says of a machine.
  package static func entry(of machine: ResourceID, in tree: JSONTree?) -> JSONTree? {
    tree.flatMap { machines(of: $0).first { ResourceID($0["id"]?.text) == machine } }
  }

  /// Whether two entries have the same ports with the same limits, in any order.
  private static func isSame(_ left: JSONTree, _ right: JSONTree) -> Bool {
    func rules(_ entry: JSONTree) -> [PortRule] {
      (entry["ports"]?.elements ?? []).compactMap { PortRule(tree: $0) }
        .sorted { ($0.number, $0.protocol.rawValue) < ($1.number, $1.protocol.rawValue) }
    }
    let (left, right) = (rules(left), rules(right))
    return left.count == right.count
      && zip(left, right).allSatisfy { one, other in
        one.number == other.number && one.protocol == other.protocol
          && Set(one.allowedSources) == Set(other.allowedSources)
          && one.maximumDuration == other.maximumDuration
      }
  }

  /// The entry that a refusal names, other than those that were changed: a machine that is gone.
  package static func entryNamed(
    in text: String?, of tree: JSONTree, except edited: [ResourceID]
  ) -> ResourceID? {
    machines(of: tree).compactMap { ResourceID($0["id"]?.text) }
      .filter { !edited.contains($0) }
      .first { id in
        mentions(text, id.text) || mentions(text, "'\(id.name)'") || mentions(text, "/\(id.name)'")
      }
  }
}
