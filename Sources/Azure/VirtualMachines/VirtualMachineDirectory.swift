package import Platform

/// Finds virtual machines by name in everything that the caller can see, and reads them.
package struct VirtualMachineDirectory: Sendable {
  let client: ARMClient
  /// The tenants signed in to, where there may be several.
  let tenants: @Sendable () async throws(Failure) -> [String]

  /// - Parameter tenants: those that the credential is signed in to; none or one is no choice, and
  ///   the credential's own is taken.
  package init(
    client: ARMClient, tenants: @escaping @Sendable () async throws(Failure) -> [String] = { [] }
  ) {
    self.client = client
    self.tenants = tenants
  }

  /// Keeps in mind which tenant a machine's subscription belongs to, where that is known.
  package func remember(_ machine: VirtualMachine) {
    client.remember(machine.tenantID, of: machine.subscriptionID)
  }

  /// Asks every tenant signed in to, side by side.
  ///
  /// - Returns: what each said, with its id; nil for the credential's own alone.
  func inEveryTenant<Value: Sendable>(
    _ ask: @escaping @Sendable (VirtualMachineDirectory) async throws(Failure) -> Value
  ) async throws(Failure) -> [(tenant: String?, result: Result<Value, Failure>)] {
    let ids = try await tenants()
    guard ids.count > 1 else {
      return [(nil, await outcome { () async throws(Failure) in try await ask(self) })]
    }
    let results = await sideBySide(ids, limit: 16) { id in
      await outcome { () async throws(Failure) in
        try await ask(VirtualMachineDirectory(client: client.signedIn(to: id)))
      }
    }
    return zip(ids, results).map { ($0, $1) }
  }

  /// The same, where what one tenant does not tell is left out; all of them refusing is a failure.
  func overTenants<Value: Sendable>(
    _ ask: @escaping @Sendable (VirtualMachineDirectory) async throws(Failure) -> [Value]
  ) async throws(Failure) -> [Value] {
    let answers = try await inEveryTenant(ask)
    var values: [Value] = []
    var refusal: Failure?
    var hasAnswer = false
    for answer in answers {
      switch answer.result {
      case .success(let part):
        values += part
        hasAnswer = true
      case .failure(let failure): refusal = refusal ?? failure
      }
    }
    if !hasAnswer, let refusal { throw refusal }
    return values
  }

  /// What a look-up is for.
  package struct Query: Sendable, Equatable {
    package var name: String
    package var resourceGroup: String?
    /// An id or a display name.
    package var subscription: String?

    package init(name: String, resourceGroup: String? = nil, subscription: String? = nil) {
      self.name = name
      self.resourceGroup = resourceGroup
      self.subscription = subscription
    }
  }

  /// What a look-up gave.
  package struct Matches: Sendable, Equatable {
    /// Those spelled exactly as asked first, then those that differ in case.
    package var machines: [VirtualMachine]
    /// Whether Resource Graph said it (its power state may be old), or the list calls.
    package var cameFromGraph: Bool
    /// Subscriptions that could not be listed, each with the reason; the machine may be there.
    package var unread: [String]
  }

  /// Every machine of that name in every tenant signed in to: one query for each, with list calls
  /// as the fall-back where Resource Graph is refused, does not answer, or does not know the
  /// machine yet.
  package func find(_ query: Query) async throws(Failure) -> Matches {
    let answers = try await inEveryTenant { directory throws(Failure) in
      try await directory.findInOneTenant(query)
    }
    var all = Matches(machines: [], cameFromGraph: true, unread: [])
    var refusals: [Failure] = []
    for (tenant, result) in answers {
      switch result {
      case .success(let matches):
        // What is delegated to another tenant is seen from both.
        all.machines += matches.machines.filter { machine in
          !all.machines.contains { $0.id == machine.id }
        }
        all.cameFromGraph = all.cameFromGraph && matches.cameFromGraph
        all.unread += matches.unread
      case .failure(let failure):
        if failure.code == .interrupted { throw failure }
        refusals.append(failure)
        // A subscription that was named is in one of them.
        if failure.code == .notFound, query.subscription != nil { continue }
        all.unread.append("tenant \(tenant ?? ""): \(failure.why ?? failure.what)")
      }
    }
    if let refusal = refusals.first, refusals.count == answers.count { throw refusal }
    all.machines.forEach(remember)
    all.machines = Self.exactFirst(all.machines, query.name)
    return all
  }

  private func findInOneTenant(_ query: Query) async throws(Failure) -> Matches {
    let purpose = "look up the virtual machine \(printable(query.name, limit: 100))"
    let subscription: String?
    if let asked = query.subscription {
      subscription = try await subscriptionID(asked)
    } else {
      subscription = nil
    }
    do throws(Failure) {
      let rows = try await ResourceGraph(client: client).rows(
        VirtualMachineQuery.text(name: query.name, resourceGroup: query.resourceGroup),
        subscriptions: subscription.map { [$0] } ?? [], hasFallBack: true, purpose: purpose)
      let machines = VirtualMachineQuery.machines(rows).filter { Self.matches($0.id, query) }
      if !machines.isEmpty {
        return Matches(
          machines: Self.exactFirst(machines, query.name), cameFromGraph: true, unread: [])
      }
    } catch {
      guard Self.hasFallBack(error) else { throw error }
    }
    return try await findByLists(query, subscription: subscription, purpose: purpose)
  }

  /// Names near to one that was not found, for an error text: never to act on.
  package func near(_ query: Query, limit: Int = 5) async throws(Failure) -> [ResourceID] {
    let rows = try await overTenants { directory throws(Failure) in
      try await ResourceGraph(client: directory.client).rows(
        VirtualMachineQuery.nearText(name: query.name, resourceGroup: query.resourceGroup),
        subscriptions: query.subscription.flatMap { Self.isGUID($0) ? [$0] : nil } ?? [],
        rowLimit: 1000, purpose: "look for names like \(printable(query.name, limit: 100))")
    }
    let ids = rows.compactMap { ResourceID($0["id"]?.text) }
    return NameDistance.nearest(ids, to: query.name, limit: limit) { $0.name }
  }

  /// Starts a machine and waits until Azure says that it runs.
  ///
  /// - Parameter onProgress: told the operation's state at each look.
  package func start(
    _ id: ResourceID, deadline: Duration = .seconds(300),
    onProgress: (String) -> Void = { _ in }
  ) async throws(Failure) {
    do throws(Failure) {
      let answer = try await client.post(
        id.text + "/start", .compute, purpose: "start the virtual machine \(id.name)")
      _ = try await client.wait(for: answer, deadline: deadline, onProgress: onProgress)
    } catch {
      switch error.code {
      case .azureRefused, .azureUnavailable, .azureThrottled:
        var failure = error
        failure.code = .vmStartFailed
        if error.code == .azureRefused { failure.next = "az vm start --ids \(id.text)" }
        throw failure
      case .notFound: throw Self.notFound(id, error)
      default: throw error
      }
    }
  }

  // MARK: Shared by the ways to find

  /// Failures of Resource Graph after which the list calls may still answer.
  static func hasFallBack(_ failure: Failure) -> Bool {
    [
      .notPermitted, .azureThrottled, .azureUnavailable, .azureRefused, .azureAnswerInvalid,
      .notFound,
    ].contains(failure.code)
  }

  static func matches(_ id: ResourceID, _ query: Query) -> Bool {
    id.name.lowercased() == query.name.lowercased()
      && (query.resourceGroup.map { $0.lowercased() == id.resourceGroup?.lowercased() } ?? true)
  }

  static func exactFirst(_ machines: [VirtualMachine], _ name: String) -> [VirtualMachine] {
    machines.filter { $0.name == name } + machines.filter { $0.name != name }
  }

  static func notFound(_ id: ResourceID, _ failure: Failure) -> Failure {
    var failure = failure
    failure.code = .vmNotFound
    failure.what = "there is no virtual machine \(id.name) in \(id.resourceGroup ?? id.text)"
    failure.next = "see which there are: jitconnect list --subscription \(id.subscription)"
    return failure
  }
}
