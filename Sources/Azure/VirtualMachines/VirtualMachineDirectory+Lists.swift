package import Platform

/// A subscription that the caller's token can see.
package struct Subscription: Sendable, Equatable, Codable {
  package var id: String
  package var name: String
  package var tenantID: String?
  /// `Enabled`, `Warned`, `PastDue`, `Disabled`, `Deleted`.
  package var state: String?

  package init(id: String, name: String, tenantID: String? = nil, state: String? = nil) {
    self.id = id
    self.name = name
    self.tenantID = tenantID
    self.state = state
  }
}

extension VirtualMachineDirectory {
  /// The subscriptions of every tenant signed in to.
  package func subscriptions() async throws(Failure) -> [Subscription] {
    try await overTenants { directory throws(Failure) in
      try await directory.subscriptionsOfOneTenant()
    }
  }

  private func subscriptionsOfOneTenant() async throws(Failure) -> [Subscription] {
    try await client.list("/subscriptions", .subscriptions, purpose: "list the subscriptions")
      .compactMap { item in
        guard let id = item["subscriptionId"]?.text, ResourceID("/subscriptions/\(id)") != nil
        else { return nil }
        return Subscription(
          id: id, name: item["displayName"]?.text ?? id, tenantID: item["tenantId"]?.text,
          state: item["state"]?.text)
      }
  }

  /// The id of a subscription that is named by its id or its display name.
  func subscriptionID(_ text: String) async throws(Failure) -> String {
    if Self.isGUID(text) { return text.lowercased() }
    let all = try await subscriptions()
    let matches = all.filter { $0.name.lowercased() == text.lowercased() || $0.id == text }
    if let exact = matches.first(where: { $0.name == text }), matches.count > 1,
      matches.count(where: { $0.name == text }) == 1
    {
      return exact.id
    }
    guard let match = matches.first, matches.count == 1 else {
      let known = all.prefix(10).map { printable($0.name, limit: 60) }.joined(separator: ", ")
      throw Failure(
        .notFound,
        what: matches.isEmpty
          ? "there is no subscription '\(printable(text, limit: 100))' in sight"
          : "several subscriptions are named '\(printable(text, limit: 100))'",
        why: known.isEmpty ? nil : "in sight: \(known)",
        next: "give the subscription's id with --subscription")
    }
    return match.id
  }

  static func isGUID(_ text: String) -> Bool {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    return groups.map(\.count) == [8, 4, 4, 4, 12]
      && groups.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
  }

  /// Lists the machines of each subscription side by side, then reads those of the name.
  func findByLists(
    _ query: Query, subscription: String?, purpose: String
  ) async throws(Failure) -> Matches {
    var ids: [String]
    if let subscription {
      ids = [subscription]
    } else {
      ids = try await subscriptions().filter { $0.state?.lowercased() != "deleted" }.map(\.id)
    }
    ids.sort()
    let lists = await sideBySide(ids, limit: 16) { id in
      await outcome { () async throws(Failure) in
        try await machineIDs(subscription: id, resourceGroup: query.resourceGroup, purpose)
      }
    }
    var found: [ResourceID] = []
    var unread: [String] = []
    var firstFailure: Failure?
    for (id, list) in zip(ids, lists) {
      switch list {
      case .success(let machines): found += machines.filter { Self.matches($0, query) }
      case .failure(let failure) where failure.code == .interrupted: throw failure
      case .failure(let failure):
        // A group that is not in this subscription.
        if failure.code == .notFound, query.resourceGroup != nil { continue }
        firstFailure = firstFailure ?? failure
        unread.append("subscription \(id): \(failure.why ?? failure.what)")
      }
    }
    if found.isEmpty, let firstFailure, unread.count == ids.count { throw firstFailure }
    // More of one name than anybody reads; the list that is shown says where they are.
    let read = await sideBySide(Array(found.prefix(50))) { id in
      await outcome { () async throws(Failure) in try await get(id) }
    }
    var machines: [VirtualMachine] = []
    for result in read {
      switch result {
      case .success(let machine): machines.append(machine)
      // Deleted since the list was made.
      case .failure(let failure) where failure.code == .vmNotFound: continue
      case .failure(let failure): throw failure
      }
    }
    return Matches(
      machines: Self.exactFirst(machines, query.name), cameFromGraph: false, unread: unread)
  }

  private func machineIDs(
    subscription: String, resourceGroup: String?, _ purpose: String
  ) async throws(Failure) -> [ResourceID] {
    let group = resourceGroup.map { "/resourceGroups/\($0)" } ?? ""
    return try await client.list(
      "/subscriptions/\(subscription)\(group)/providers/Microsoft.Compute/virtualMachines",
      .compute, purpose: purpose
    ).compactMap { ResourceID($0["id"]?.text) }
  }
}

extension VirtualMachineDirectory {
  /// The tenant that a subscription belongs to; nil where Azure does not say.
  package func tenantID(ofSubscription id: String) async throws(Failure) -> String? {
    try await client.get(
      "/subscriptions/\(id)", .subscriptions, purpose: "read the subscription \(id)"
    ).json()["tenantId"]?.text
  }
}
