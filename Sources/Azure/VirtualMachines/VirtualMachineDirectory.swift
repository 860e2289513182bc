package import Platform

/// Finds virtual machines by name in everything that the caller can see, and reads them.
package struct VirtualMachineDirectory: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

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

  /// Every machine of that name: one query, with list calls as the fall-back where Resource Graph
  /// is refused, does not answer, or does not know the machine yet.
  package func find(_ query: Query) async throws(Failure) -> Matches {
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
    let rows = try await ResourceGraph(client: client).rows(
      VirtualMachineQuery.nearText(name: query.name, resourceGroup: query.resourceGroup),
      subscriptions: query.subscription.flatMap { Self.isGUID($0) ? [$0] : nil } ?? [],
      rowLimit: 1000, purpose: "look for names like \(printable(query.name, limit: 100))")
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
    return failure
  }
}
