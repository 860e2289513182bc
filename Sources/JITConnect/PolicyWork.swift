package import Azure
package import Platform
package import Terminal

/// Changes policies as a user agreed to: reads, shows what changes, asks, writes, reads back.
package struct PolicyWork: Sendable {
  let world: World
  let azure: AzureAccess
  /// `--yes`: what the command line spells out needs no question.
  let isConfirmed: Bool
  /// `--drop-deleted`: entries of machines that are gone may be taken out.
  let dropsDeleted: Bool
  /// What is typed to do the same without a question.
  let retype: String
  /// What is being done, for a terminal.
  package let progress: Progress

  package init(
    _ world: World, _ azure: AzureAccess, isConfirmed: Bool, dropsDeleted: Bool, retype: String,
    progress: Progress
  ) {
    self.progress = progress
    self.world = world
    self.azure = azure
    self.isConfirmed = isConfirmed
    self.dropsDeleted = dropsDeleted
    self.retype = retype
  }

  /// A plan with the policy that it was made on.
  package struct Prepared: Sendable {
    package var plan: PolicyPlan
    package var before: JSONTree?
    /// Nil where the policy goes.
    package var body: JSONTree?
    package var diff: PolicyDiff
    /// The call that would write it.
    package var call: RESTCall
  }

  /// Reads the policy of a plan and applies the plan to it; nothing is written.
  package func prepare(_ plan: PolicyPlan) async throws(Failure) -> Prepared {
    let before: JSONTree?
    do throws(Failure) {
      before = try await azure.policies.present(plan.policy, seen: plan.listed?.tree)
    } catch {
      throw retyping(error)
    }
    guard !plan.hasLostEntry(in: before) else { throw changedMeanwhile(plan) }
    if let base = plan.base, !plan.entries(in: before).areSame(as: [base]) {
      throw changedMeanwhile(plan)
    }
    let body = try plan.body(for: before)
    return Prepared(
      plan: plan, before: before, body: body,
      diff: PolicyDiff(plan.policy, before: before, after: body),
      call: azure.policies.writeCall(plan.policy, body: body))
  }

  /// Carries plans out, one policy after the other; a question is asked once for all.
  ///
  /// - Parameter settles: whether Azure's own work on them is waited for.
  /// - Throws: where one cannot be carried out; what was done before it is told.
  package func carryOut(
    _ plans: [PolicyPlan], settles: Bool = true
  ) async throws(Failure) -> [PolicyResult] {
    var prepared: [Prepared] = []
    for plan in plans {
      progress.show("reading the policy \(plan.policy.name)")
      prepared.append(try await prepare(plan))
    }
    try await confirm(prepared)
    var results: [PolicyResult] = []
    for item in prepared {
      do throws(Failure) {
        results.append(try await write(item, settles: settles))
      } catch {
        let done = results.filter { $0.change != .none }.map(\.id.name)
        if !done.isEmpty {
          world.console.warn("already written: policy \(done.joined(separator: ", "))")
        }
        throw error
      }
    }
    return results
  }

  private func write(
    _ first: Prepared, settles: Bool
  ) async throws(Failure) -> PolicyResult {
    var prepared = first
    // Each round asks anew; somebody who edits as fast as this is left alone.
    for _ in 0..<5 {
      let plan = prepared.plan
      var isOnItsWay = false
      if prepared.diff.isEmpty { return result(plan, .none, nil, []) }
      do throws(Failure) {
        progress.show("writing the policy \(plan.policy.name)")
        let shown = plan.entries(in: prepared.before)
        var isFirst = true
        let written = try await azure.policies.write(
          plan.policy, purpose: plan.purpose, seen: prepared.before, settles: settles,
          isDone: { PolicyEdit.isDone(plan.edits, dropping: plan.dropping, in: $0) },
          edit: { tree throws(Failure) in
            // Who was asked agreed to what was shown; --yes agrees to all that undoes nothing.
            let isAnother =
              isFirst && !isConfirmed
              ? !plan.entries(in: tree).areSame(as: shown) : plan.overwrites(shown, in: tree)
            guard !isAnother else { throw changedMeanwhile(plan, wasWritten: !isFirst) }
            isFirst = false
            let body = try plan.body(for: tree)
            isOnItsWay = true
            return body
          })
        return result(
          plan, written.policy == nil ? .deleted : written.wasCreated ? .created : .changed,
          written.policy, written.notes)
      } catch {
        switch error.code {
        case .interrupted:
          throw Failure(
            .interrupted, what: "interrupted",
            why: isOnItsWay
              ? "the policy \(plan.policy.name) may have been written" : "nothing was written")
        case .policyChanged where !isConfirmed:
          world.console.warn(error.what)
          prepared = try await prepare(plan)
          try await confirm([prepared])
        case .jitEnableFailed:
          guard let gone = try await deletedMachine(error, prepared) else {
            throw error.naming(plan.edits.first?.machine)
          }
          var next = plan
          next.dropping.append(gone)
          prepared = try await prepare(next)
        default: throw retyping(error).naming(plan.edits.first?.machine)
        }
      }
    }
    throw changedMeanwhile(prepared.plan)
  }

  /// What "try again" means.
  private func retyping(_ failure: Failure) -> Failure {
    guard failure.next == Failure.proxyMayHaveAnswered else { return failure }
    var failure = failure
    failure.next = "a proxy on the way may have changed the answer; again: \(retype)"
    return failure
  }

  private func result(
    _ plan: PolicyPlan, _ change: PolicyResult.Change, _ policy: JITPolicy?, _ notes: [String]
  ) -> PolicyResult {
    PolicyResult(
      id: plan.policy, change: change, policy: policy, machines: plan.edits.map(\.machine),
      dropped: plan.dropping, notes: notes)
  }

  /// - Parameter wasWritten: whether the other change came after this one.
  private func changedMeanwhile(_ plan: PolicyPlan, wasWritten: Bool = false) -> Failure {
    let names = plan.edits.map(\.machine.name).joined(separator: ", ")
    return Failure(
      .policyChanged,
      what: "somebody else changed what the policy \(plan.policy.name) says of \(names) meanwhile",
      why: wasWritten ? "this change was written, and replaced by that one" : "nothing was written",
      next:
        "look at it (jitconnect status \(plan.edits.first?.machine.text ?? "")), then: \(retype)")
  }

  // MARK: Questions

  private func confirm(_ prepared: [Prepared]) async throws(Failure) {
    let changes = prepared.filter { !$0.diff.isEmpty }
    guard !changes.isEmpty else { return }
    let text = changes.map { item in
      ([item.diff.text] + item.plan.remarks.map { "  note: \($0)" }).joined(separator: "\n")
    }.joined(separator: "\n")
    if isConfirmed {
      world.console.note(text)
      return
    }
    let question = "\(text)\nWrite \(changes.count == 1 ? "this" : "these")?"
    switch await world.ask({ $0.confirm(question) }) {
    case .given(true): return
    case .interrupted: throw Failure(.interrupted, what: "interrupted", why: "nothing was written")
    case .notPossible:
      throw Failure(
        .declined, what: "nothing was written: nobody can be asked", why: text,
        next: "\(retype) --yes")
    default: throw Failure(.declined, what: "nothing was written")
    }
  }

  /// The machine that a refusal is about, if it is gone and the user agrees to take its entry out.
  private func deletedMachine(
    _ failure: Failure, _ prepared: Prepared
  ) async throws(Failure) -> ResourceID? {
    guard let body = prepared.body,
      let named = PolicyEdit.entryNamed(
        in: failure.why, of: body, except: prepared.plan.edits.map(\.machine))
    else { return nil }
    // Azure's word on the machine itself: another reason may have named it too.
    let found = await outcome { () async throws(Failure) in
      try await azure.directory.get(named)
    }
    guard case .failure(let reason) = found, reason.code == .vmNotFound else { return nil }
    if dropsDeleted {
      world.console.warn("\(named.name) was deleted; its entry is taken out of the policy")
      return named
    }
    let question =
      "Azure refuses the policy because \(named.name) (\(named.resourceGroup ?? "")) was deleted. "
      + "Take its entry out?"
    switch await world.ask({ $0.confirm(question) }) {
    case .given(true): return named
    case .interrupted: throw Failure(.interrupted, what: "interrupted", why: "nothing was written")
    case .notPossible:
      var failure = failure
      failure.next = "\(retype) --drop-deleted takes the entry of \(named.name) out"
      throw failure
    default: return nil
    }
  }
}
