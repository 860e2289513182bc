package import Azure
package import Platform

/// What is to become of one policy.
package struct PolicyPlan: Sendable, Equatable {
  package var policy: ResourceID
  package var edits: [EntryEdit]
  /// Entries of deleted machines that go as well.
  package var dropping: [ResourceID] = []
  /// Completes "cannot …".
  package var purpose: String
  /// The entry that the edit was made on; where it is another by now, nothing is written. Nil where
  /// the edit names only what it changes.
  package var base: JSONTree?
  /// The policy as this run's list gave it; nil where that held none. What is read later must agree.
  package var listed: JITPolicy?
  /// What the user should know before saying yes.
  package var remarks: [String] = []

  package init(
    policy: ResourceID, edits: [EntryEdit], purpose: String, listed: JITPolicy?,
    remarks: [String] = []
  ) {
    self.policy = policy
    self.edits = edits
    self.purpose = purpose
    self.listed = listed
    self.remarks = remarks
  }

  /// The body of the PUT for a policy as it is; nil where the policy goes.
  package func body(for tree: JSONTree?) throws(Failure) -> JSONTree? {
    try PolicyEdit.apply(edits, dropping: dropping, in: tree)
  }

  /// The entries that are changed, as they stand.
  func entries(in tree: JSONTree?) -> [JSONTree?] {
    edits.map { PolicyEdit.entry(of: $0.machine, in: tree) }
  }

  /// Whether an entry that is to be changed is gone since the list.
  func hasLostEntry(in tree: JSONTree?) -> Bool {
    edits.contains { edit in
      listed?.machine(edit.machine) != nil && PolicyEdit.entry(of: edit.machine, in: tree) == nil
    }
  }

  /// Whether carrying it out would undo what somebody else did between two states of the policy.
  func overwrites(_ shown: [JSONTree?], in tree: JSONTree?) -> Bool {
    zip(edits, zip(shown, entries(in: tree))).contains { edit, entries in
      edit.overwrites(entries.0, entries.1)
    }
  }
}

/// What became of a policy.
package struct PolicyResult: Sendable, Equatable {
  package enum Change: String, Sendable {
    case created, changed, deleted
    case none
  }

  package var id: ResourceID
  package var change: Change
  /// As it was read back; nil where it went.
  package var policy: JITPolicy?
  package var machines: [ResourceID]
  /// Entries of deleted machines that were taken out.
  package var dropped: [ResourceID]
  package var notes: [String]
}
