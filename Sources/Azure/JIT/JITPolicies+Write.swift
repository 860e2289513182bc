import HTTP
package import Platform

extension JITPolicies {
  /// A policy after a change.
  package struct Written: Sendable, Equatable {
    /// Nil where no machine was left and the policy went.
    package var policy: JITPolicy?
    package var wasCreated: Bool
    /// What happened beside the change and was mended or could not be, for the user.
    package var notes: [String]
  }

  /// The policy that a machine's entry belongs in: one of its location that holds it already, else
  /// `default` of its group and location, else the only one there, else a new `default`.
  package static func home(
    of machine: VirtualMachine, among policies: [JITPolicy]
  ) throws(Failure) -> ResourceID {
    let here = policies.filter {
      $0.location == locationKey(machine.location)
        && $0.subscriptionID.lowercased() == machine.subscriptionID.lowercased()
    }
    if let holding = here.first(where: { $0.machine(machine.id) != nil }) { return holding.id }
    let group = here.filter { $0.resourceGroup.lowercased() == machine.resourceGroup.lowercased() }
    let name = Assumptions.defaultPolicyName
    if let standard = group.first(where: { $0.name.lowercased() == name }) { return standard.id }
    // A long name may leave no room for the machine's.
    if let only = group.first, group.count == 1, fits(only.id, machine) { return only.id }
    return try .policy(
      subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup,
      location: machine.location, name: name)
  }

  private static func fits(_ policy: ResourceID, _ machine: VirtualMachine) -> Bool {
    policy.name.count + machine.name.count <= Assumptions.policyAndMachineNameLimit
  }

  /// Refuses names that Azure would refuse, before anything is written.
  package static func checkNames(
    _ policy: ResourceID, _ machine: VirtualMachine
  ) throws(Failure) {
    guard fits(policy, machine) else {
      throw Failure(
        .jitEnableFailed, what: "cannot enable just-in-time access on \(machine.name)",
        why: "the names of policy (\(policy.name)) and machine together have more than "
          + "\(Assumptions.policyAndMachineNameLimit) characters",
        next: "only a shorter name helps; see Azure's page on enabling just-in-time access")
    }
  }

  /// Changes a policy: read, edit, write, read back; again where the read-back shows that the
  /// change was lost to another writer.
  ///
  /// The API has no ETag, so what no read shows stays unseen.
  ///
  /// - Parameters:
  ///   - seen: the policy as this run has seen it already; see ``present(_:seen:)``.
  ///   - settles: whether Azure's own work on it is waited for; a request may go out before.
  ///   - isDone: whether a policy as read has the change.
  ///   - edit: makes the body of the PUT from the policy as just read (nil: there is none), and
  ///     gives the same when applied twice; nil where no machine is left, so that the policy goes.
  package func write(
    _ id: ResourceID, purpose: String, seen: JSONTree? = nil, settles: Bool = true,
    isDone: (JSONTree) -> Bool,
    edit: (JSONTree?) throws(Failure) -> JSONTree?
  ) async throws(Failure) -> Written {
    var notes: [String] = []
    var wasCreated = false
    var lost: [JSONTree] = []
    var seen = seen
    for round in 0..<3 {
      let before = try await present(id, seen: seen)
      if round == 0 { wasCreated = before == nil }
      let edited = try edit(before)
      guard
        let start = edited
          ?? (lost.isEmpty ? nil : PolicyEdit.changingMachines(of: before) { $0 = [] })
      else {
        if before != nil { try await delete(id, purpose) }
        seen = nil
        guard let left = try await treeAfterDelete(id), !isDone(left) else {
          return Written(policy: nil, wasCreated: false, notes: notes)
        }
        notes.append("the policy \(id.name) was written again at the same time; done again")
        try await client.pacing.pause(.seconds(1))
        continue
      }
      let body = PolicyEdit.restore(lost, in: start)
      let answer = try await put(id, body, purpose)
      let after = try await settled(id, purpose, within: settles ? Assumptions.policySettling : nil)
      seen = after.tree
      if after.isSettling, settles {
        notes.append("the policy \(id.name) is still \(after.provisioningState ?? "changing")")
      }
      // An entry that is in Azure's answer was not dropped by this PUT: whoever took it out later
      // meant it, unless that writer lost our change too and so cannot have seen what it replaced.
      // One that never was in the answer was dropped here. Both go back once.
      let missing = Self.missing(from: after.tree, of: body)
      let isKept = isDone(after.tree)
      let dropped =
        answer.isEmpty || !isKept
        ? missing : missing.filter { Self.missing(from: answer, of: $0) }
      let own = Set(Self.changed(before, edited))
      let again = dropped.filter { entry in
        !lost.contains(entry) && !own.contains(ResourceID(entry["id"]?.text)?.key ?? "")
      }
      for entry in dropped where lost.contains(entry) {
        notes.append("Azure does not keep \(Self.name(of: entry)) in the policy \(id.name)")
      }
      for entry in again {
        notes.append("\(Self.name(of: entry)) fell out of the policy \(id.name) and was put back")
      }
      lost += again
      if isKept, again.isEmpty {
        return Written(policy: after, wasCreated: wasCreated, notes: notes)
      }
      if !isKept {
        notes.append("another program changed the policy \(id.name) at the same time; done again")
      }
    }
    throw Failure(
      .jitEnableFailed, what: "cannot \(purpose)",
      why: "the policy \(id.name) did not keep the change: another program changes it too",
      next: "try again in a minute")
  }

  /// The call that writes a policy, not made; without a body the one that deletes it.
  package func writeCall(_ id: ResourceID, body: JSONTree?) -> RESTCall {
    client.described(body == nil ? "DELETE" : "PUT", id.text, .jitPolicies, body: body)
  }

  /// The machines whose entries an edit changed; they are done again from the edit itself.
  private static func changed(_ before: JSONTree?, _ after: JSONTree?) -> [String] {
    let known = before.map { PolicyEdit.machines(of: $0) } ?? []
    return (after.map { PolicyEdit.machines(of: $0) } ?? []).filter { !known.contains($0) }
      .compactMap { ResourceID($0["id"]?.text)?.key }
  }

  // MARK: Steps of a write

  /// After its own delete the status says enough.
  private func treeAfterDelete(_ id: ResourceID) async throws(Failure) -> JSONTree? {
    do throws(Failure) {
      return try await get(id).tree
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
  }

  /// - Returns: the entries in Azure's answer; none where the answer does not list them.
  private func put(
    _ id: ResourceID, _ body: JSONTree, _ purpose: String
  ) async throws(Failure) -> [JSONTree] {
    do throws(Failure) {
      // What is wrong with the policy does not get better by sending it again.
      let isOdd = PolicyEdit.entryWithoutProtocol(in: body) != nil
      let answer = try await client.put(
        id.text, .jitPolicies, body: body, hasFallBack: isOdd, purpose: purpose)
      return (try? answer.json()).map { PolicyEdit.machines(of: $0) } ?? []
    } catch {
      throw Self.explainWrite(error, id, body)
    }
  }

  private func delete(_ id: ResourceID, _ purpose: String) async throws(Failure) {
    do throws(Failure) {
      _ = try await client.delete(id.text, .jitPolicies, purpose: purpose)
    } catch {
      guard error.code == .notFound else { throw Self.explain(error, id) }
    }
  }

  /// Reads the policy until Azure has written it, or the time for that is over.
  ///
  /// - Parameter limit: nil is content with a policy that is there.
  private func settled(
    _ id: ResourceID, _ purpose: String, within limit: Duration?
  ) async throws(Failure) -> JITPolicy {
    let begun = client.pacing.elapsed()
    while true {
      let isOver = client.pacing.elapsed() - begun >= limit ?? Assumptions.policySettling
      do throws(Failure) {
        let policy = try await get(id)
        if policy.provisioningState?.lowercased() == "failed" {
          throw Failure(
            .jitEnableFailed, what: "cannot \(purpose)",
            why: "Azure ended the change of the policy \(id.name) as Failed",
            next: "az monitor activity-log list --offset 1h --subscription \(id.subscription)")
        }
        if !policy.isSettling || isOver || limit == nil { return policy }
      } catch {
        // Just written, and not seen by every reader yet, or spoiled on the way.
        guard [.notFound, .azureAnswerInvalid].contains(error.code), !isOver else {
          var failure = error
          failure.what = "the policy \(id.name) was written and cannot be read back"
          failure.next = "see what it says: jitconnect list"
          throw failure
        }
      }
      try await client.pacing.pause(.seconds(1))
    }
  }

  private static func missing(from tree: JSONTree, of body: JSONTree) -> [JSONTree] {
    let present = Set(PolicyEdit.machines(of: tree).compactMap { ResourceID($0["id"]?.text) })
    return PolicyEdit.machines(of: body).filter { entry in
      ResourceID(entry["id"]?.text).map { !present.contains($0) } ?? false
    }
  }

  private static func missing(from entries: [JSONTree], of entry: JSONTree) -> Bool {
    let id = ResourceID(entry["id"]?.text)
    return !entries.contains { ResourceID($0["id"]?.text) == id }
  }

  private static func name(of entry: JSONTree) -> String {
    ResourceID(entry["id"]?.text)?.name ?? "an entry"
  }

  /// Puts what is known of refused policies over a general refusal.
  private static func explainWrite(
    _ failure: Failure, _ id: ResourceID, _ body: JSONTree
  ) -> Failure {
    var failure = explain(failure, id)
    if [.azureRefused, .azureUnavailable].contains(failure.code), failure.httpStatus != 503,
      let (machine, ports) = PolicyEdit.entryWithoutProtocol(in: body)
    {
      let list = ports.map(String.init).joined(separator: ", ")
      failure.code = .jitEnableFailed
      failure.what = "cannot write the just-in-time policy \(id.name)"
      failure.why =
        "what it says of \(machine.name) has no protocol for port \(list), which Azure may not take: "
        + (failure.why ?? "no reason")
      failure.next =
        "jitconnect edit \(machine.text)" + ports.map { " --port \($0)/any" }.joined()
      return failure
    }
    guard [.azureRefused, .jitNotEnabled, .policyForbidsDuration].contains(failure.code) else {
      return failure
    }
    failure.code = .jitEnableFailed
    failure.what = "cannot write the just-in-time policy \(id.name)"
    let named = PolicyEdit.machines(of: body).compactMap { ResourceID($0["id"]?.text) }
      .first { mentions(failure.why, $0.text) || mentions(failure.why, "'\($0.name)'") }
    if let named {
      failure.next =
        "if \(named.name) was deleted, take its entry out: jitconnect disable \(named.text)"
    }
    return failure
  }
}
