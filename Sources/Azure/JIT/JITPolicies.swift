package import Platform

/// The just-in-time policies of a subscription: reading them, asking for access, changing them.
package struct JITPolicies: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  /// Every policy of a subscription.
  ///
  /// - Parameter resourceGroup: asked where the subscription's list is refused or empty: with
  ///   rights on a group alone, Azure gives nothing for the whole subscription.
  /// - Throws: `not-permitted` where nothing may be read, which is never "no policy".
  package func list(
    subscription: String, resourceGroup: String? = nil
  ) async throws(Failure) -> [JITPolicy] {
    guard let resourceGroup else {
      return try await read("/subscriptions/\(subscription)", of: "subscription \(subscription)")
    }
    let lists = await lists(subscription: subscription, resourceGroups: [resourceGroup])
    return try lists[resourceGroup.lowercased()]?.get() ?? []
  }

  /// The same for several groups to fall back to.
  ///
  /// - Returns: by the group's name in lower case, the policies in sight, or why those of that group
  ///   are not known, whatever is known of others.
  package func lists(
    subscription: String, resourceGroups: [String]
  ) async -> [String: Result<[JITPolicy], Failure>] {
    let groups = resourceGroups.reduce(into: [String]()) { groups, name in
      if !groups.contains(where: { $0.lowercased() == name.lowercased() }) { groups.append(name) }
    }
    func all(
      _ result: Result<[JITPolicy], Failure>
    ) -> [String: Result<[JITPolicy], Failure>] {
      Dictionary(groups.map { ($0.lowercased(), Self.known(result, in: $0)) }) { first, _ in first }
    }
    let whole = await outcome { () async throws(Failure) in
      try await read("/subscriptions/\(subscription)", of: "subscription \(subscription)")
    }
    switch whole {
    case .success(let policies) where !policies.isEmpty: return all(whole)
    case .failure(let failure) where failure.httpStatus != 403: return all(whole)
    default: break
    }
    let parts = await sideBySide(groups) { group in
      await outcome { () async throws(Failure) in
        try await list(inGroup: group, subscription: subscription)
      }
    }
    // A policy may hold machines of another group.
    let readable = parts.flatMap { (try? $0.get()) ?? [] }
    return Dictionary(
      zip(groups, parts).map { group, part in
        (group.lowercased(), Self.known(part.map { _ in readable }, in: group))
      }
    ) { first, _ in first }
  }

  /// A policy that does not name its machines may hold any of its group.
  private static func known(
    _ result: Result<[JITPolicy], Failure>, in group: String
  ) -> Result<[JITPolicy], Failure> {
    guard case .success(let policies) = result,
      let silent = silent(group, in: policies)
    else { return result }
    return .failure(
      Failure(
        .azureAnswerInvalid, what: "cannot tell which machines have just-in-time access",
        why:
          "the policy \(printable(silent.name, limit: 100)) of \(group) came without its list of "
          + "virtual machines",
        next: Failure.proxyMayHaveAnswered))
  }

  /// The policy of a group that does not say which machines it holds, if there is one.
  package static func silent(_ group: String, in policies: [JITPolicy]) -> JITPolicy? {
    policies.first { !$0.listsMachines && $0.resourceGroup.lowercased() == group.lowercased() }
  }

  /// Every policy of a resource group.
  package func list(
    inGroup group: String, subscription: String
  ) async throws(Failure) -> [JITPolicy] {
    try await read(
      "/subscriptions/\(subscription)/resourceGroups/\(group)", of: "resource group \(group)")
  }

  /// The policies that hold a machine; the one of the machine's location first.
  ///
  /// A machine that was moved may be left in a policy of its old location.
  package func policies(of machine: VirtualMachine) async throws(Failure) -> [JITPolicy] {
    let all = try await list(
      subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
    return Self.policies(of: machine.id, location: machine.location, in: all)
  }

  /// The policies among `all` that hold a machine; those of the location first.
  package static func policies(
    of id: ResourceID, location: String, in all: [JITPolicy]
  ) -> [JITPolicy] {
    let holding = all.filter { $0.machine(id) != nil }
    let here = locationKey(location)
    return holding.filter { $0.location == here } + holding.filter { $0.location != here }
  }

  /// Reads one policy; absent is `not-found`, and one that does not list its machines
  /// `azure-answer-invalid`: taken for empty, the next PUT would empty it.
  package func get(_ id: ResourceID) async throws(Failure) -> JITPolicy {
    let answer = try await client.get(
      id.text, .jitPolicies, purpose: "read the just-in-time policy \(id.name)")
    let policy = JITPolicy(id: id, tree: try answer.json())
    guard policy.listsMachines else {
      throw answer.invalid("the policy \(id.name) came without its list of virtual machines")
    }
    return policy
  }

  /// Reads a policy that is to be changed.
  ///
  /// - Parameter seen: the policy as this run has seen it already. Readers of Azure may be behind
  ///   one another, and what stands before Azure has pages of its own: where the policy is not there
  ///   after all, nothing is to be written over it.
  /// - Returns: nil where there is none: only where Azure says so in its own words.
  /// - Throws: `policy-changed` where one that was seen is said to be absent.
  package func present(_ id: ResourceID, seen: JSONTree?) async throws(Failure) -> JSONTree? {
    guard let first = try await treeIfPresent(id, seen) else { return nil }
    let known = (seen.map { PolicyEdit.machines(of: $0) } ?? [])
      .compactMap { ResourceID($0["id"]?.text) }
    guard known.contains(where: { PolicyEdit.entry(of: $0, in: first) == nil }) else {
      return first
    }
    // Entries are missing that were there a moment ago: believed where the list lacks them too.
    try await client.pacing.pause(.seconds(1))
    let second = try await treeIfPresent(id, seen)
    let missing = known.filter { PolicyEdit.entry(of: $0, in: second) == nil }
    guard !missing.isEmpty else { return second }
    let listed = try await list(subscription: id.subscription, resourceGroup: id.resourceGroup)
      .first { $0.id == id }
    if let entry = missing.first(where: { listed?.machine($0) != nil }) {
      throw Failure(
        .policyChanged,
        what: "Azure's list of policies and the policy \(id.name) itself are not of one mind",
        why: "\(entry.name) is in the one and not in the other; nothing was written",
        next: "try again in a minute: jitconnect list shows what the list says")
    }
    return second
  }

  private func treeIfPresent(
    _ id: ResourceID, _ seen: JSONTree?
  ) async throws(Failure) -> JSONTree? {
    do throws(Failure) {
      return try await get(id).tree
    } catch {
      guard error.code == .notFound else { throw error }
      guard Assumptions.meansAbsent(error.serviceCode ?? "") else {
        var failure = error
        failure.code = .azureAnswerInvalid
        failure.why =
          "this may not mean that there is no such policy: \(error.why ?? "HTTP 404"); nothing was "
          + "written"
        failure.next = Failure.proxyMayHaveAnswered
        throw failure
      }
      guard seen == nil else {
        throw Failure(
          .policyChanged,
          what: "the policy \(id.name) was there a moment ago, and now Azure says that it is not",
          why: "either it was deleted meanwhile, or Azure is not of one mind; nothing was written",
          next: "see what is there, then try again: jitconnect list", cause: error.cause)
      }
      return nil
    }
  }

  /// So many policies of a subscription are read one by one; more of them by its list.
  static let fewEnoughToGet = 3

  /// Reads some policies anew, with as few calls as that takes.
  ///
  /// - Returns: those that are in sight.
  package func current(
    _ ids: [ResourceID], subscription: String
  ) async throws(Failure) -> [JITPolicy] {
    if ids.count <= Self.fewEnoughToGet {
      let answers = await sideBySide(ids) { id in
        await outcome { () async throws(Failure) in try await get(id) }
      }
      let policies = answers.compactMap { try? $0.get() }
      if policies.isEmpty, case .failure(let failure)? = answers.first { throw failure }
      return policies
    }
    let lists = await lists(
      subscription: subscription, resourceGroups: ids.compactMap(\.resourceGroup))
    let found = lists.values.flatMap { (try? $0.get()) ?? [] }
    if found.isEmpty, case .failure(let failure)? = lists.values.first { throw failure }
    var seen: Set<ResourceID> = []
    return found.filter { seen.insert($0.id).inserted }
  }

  private func read(_ scope: String, of noun: String) async throws(Failure) -> [JITPolicy] {
    let purpose = "list the just-in-time policies of \(noun)"
    let items = try await client.list(
      scope + "/providers/Microsoft.Security/jitNetworkAccessPolicies", .jitPolicies,
      purpose: purpose)
    let policies = items.compactMap { JITPolicy(tree: $0) }
    guard policies.count == items.count else {
      throw Failure(
        .azureAnswerInvalid, what: "cannot \(purpose)",
        why: "one of them came without the id of a policy",
        next: Failure.proxyMayHaveAnswered)
    }
    return policies
  }
}
