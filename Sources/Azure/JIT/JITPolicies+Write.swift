import HTTP
package import Platform

extension JITPolicies {
  /// A policy after a change.
  package struct Written: Sendable, Equatable {
    package var policy: JITPolicy
    package var wasCreated: Bool
    /// What happened beside the change and was mended or could not be, for the user.
    package var notes: [String]
  }

  /// Enables just-in-time access on a machine, or adds rules to it, in the policy of its location.
  ///
  /// - Parameters:
  ///   - known: every policy that ``list(subscription:resourceGroup:)`` gave a moment ago, to choose
  ///     where the entry goes; nil lists them.
  ///   - dropping: entries of deleted machines that the user agreed to take out.
  /// - Throws: `jit-enable-failed`, `defender-plan-missing`, `not-permitted` and what every call
  ///   may give.
  package func enable(
    _ machine: VirtualMachine, rules: [PortRule], known: [JITPolicy]? = nil,
    dropping: [ResourceID] = []
  ) async throws(Failure) -> Written {
    let policies: [JITPolicy]
    if let known {
      policies = known
    } else {
      policies = try await list(
        subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
    }
    let id = try Self.home(of: machine, among: policies)
    guard id.name.count + machine.name.count <= Assumptions.policyAndMachineNameLimit else {
      throw Failure(
        .jitEnableFailed, what: "cannot enable just-in-time access on \(machine.name)",
        why: "the names of policy (\(id.name)) and machine together have more than "
          + "\(Assumptions.policyAndMachineNameLimit) characters",
        next: "only a shorter name helps; see Azure's page on enabling just-in-time access")
    }
    return try await write(
      id, purpose: "enable just-in-time access on \(machine.name)",
      isDone: { PolicyEdit.holds(rules, on: machine.id, in: $0) },
      edit: { tree in
        let body = PolicyEdit.set(rules, on: machine.id, in: tree)
        return PolicyEdit.changingMachines(of: body) { machines in
          machines.removeAll { entry in dropping.contains { $0 == ResourceID(entry["id"]?.text) } }
        }
      })
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
    if let only = group.first, group.count == 1 { return only.id }
    return try .policy(
      subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup,
      location: machine.location, name: name)
  }

  /// Changes a policy: read, edit, write, read back; again where the read-back shows that the
  /// change was lost to another writer.
  ///
  /// The API has no ETag, so what no read shows stays unseen.
  ///
  /// - Parameters:
  ///   - isDone: whether a policy as read has the change.
  ///   - edit: makes the body of the PUT from the policy as just read (nil: there is none), and
  ///     gives the same when applied twice.
  package func write(
    _ id: ResourceID, purpose: String, isDone: (JSONTree) -> Bool, edit: (JSONTree?) -> JSONTree
  ) async throws(Failure) -> Written {
    var notes: [String] = []
    var wasCreated = false
    var lost: [JSONTree] = []
    for round in 0..<3 {
      let before = try await treeIfPresent(id)
      if round == 0 { wasCreated = before == nil }
      let body = PolicyEdit.restore(lost, in: edit(before))
      let answer = try await put(id, body, purpose)
      let after = try await settled(id, purpose)
      if after.isSettling {
        notes.append("the policy \(id.name) is still \(after.provisioningState ?? "changing")")
      }
      // An entry that is in Azure's answer was not dropped by this PUT: whoever took it out later
      // meant it. One that never was in the answer was dropped here, and goes back once.
      let missing = Self.missing(from: after.tree, of: body)
      let dropped =
        answer.isEmpty ? missing : missing.filter { Self.missing(from: answer, of: $0) }
      let again = dropped.filter { entry in !lost.contains(entry) }
      for entry in dropped where lost.contains(entry) {
        notes.append("Azure does not keep \(Self.name(of: entry)) in the policy \(id.name)")
      }
      for entry in again {
        notes.append("\(Self.name(of: entry)) fell out of the policy \(id.name) and was put back")
      }
      lost += again
      if isDone(after.tree), again.isEmpty {
        return Written(policy: after, wasCreated: wasCreated, notes: notes)
      }
      if again.isEmpty {
        notes.append("another program changed the policy \(id.name) at the same time; done again")
      }
    }
    throw Failure(
      .jitEnableFailed, what: "cannot \(purpose)",
      why: "the policy \(id.name) did not keep the change: another program changes it too",
      next: "try again in a minute")
  }

  // MARK: Steps of a write

  private func treeIfPresent(_ id: ResourceID) async throws(Failure) -> JSONTree? {
    do throws(Failure) {
      return try await get(id).tree
    } catch {
      // The code of the answer for an absent policy is not documented; the status says enough.
      if error.code == .notFound { return nil }
      throw error
    }
  }

  /// - Returns: the entries in Azure's answer; none where the answer does not list them.
  private func put(
    _ id: ResourceID, _ body: JSONTree, _ purpose: String
  ) async throws(Failure) -> [JSONTree] {
    do throws(Failure) {
      let answer = try await client.put(id.text, .jitPolicies, body: body, purpose: purpose)
      return (try? answer.json()).map { PolicyEdit.machines(of: $0) } ?? []
    } catch {
      throw Self.explainWrite(error, id, body)
    }
  }

  /// Reads the policy until Azure has written it, or the time for that is over.
  private func settled(_ id: ResourceID, _ purpose: String) async throws(Failure) -> JITPolicy {
    let begun = client.pacing.elapsed()
    while true {
      let isOver = client.pacing.elapsed() - begun >= Assumptions.policySettling
      do throws(Failure) {
        let policy = try await get(id)
        if policy.provisioningState?.lowercased() == "failed" {
          throw Failure(
            .jitEnableFailed, what: "cannot \(purpose)",
            why: "Azure ended the change of the policy \(id.name) as Failed",
            next: "see the subscription's activity log")
        }
        if !policy.isSettling || isOver { return policy }
      } catch {
        // Just written, and not seen by every reader yet.
        guard error.code == .notFound, !isOver else { throw error }
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
