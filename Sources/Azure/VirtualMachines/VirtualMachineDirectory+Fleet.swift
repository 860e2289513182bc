package import Platform

extension VirtualMachineDirectory {
  /// Gives every machine that a filter holds, page by page, by Resource Graph: a thousand rows to a
  /// call, tenant by tenant. Where Resource Graph is refused, two list calls for each subscription
  /// stand in.
  ///
  /// - Parameters:
  ///   - onPage: takes some machines; none is given twice.
  /// - Returns: tenants and subscriptions that could not be listed, each with the reason.
  package func fleet(
    _ filter: FleetFilter, onPage: ([VirtualMachine]) async throws(Failure) -> Void
  ) async throws(Failure) -> [String] {
    let ids = try await tenants()
    guard ids.count > 1 else { return try await fleetOfOneTenant(filter, onPage: onPage) }
    var unread: [String] = []
    var refusals: [Failure] = []
    // What is delegated to another tenant is seen from both.
    var seen: Set<ResourceID> = []
    for id in ids {
      let directory = VirtualMachineDirectory(client: client.signedIn(to: id))
      var wasGiven = false
      do throws(Failure) {
        unread += try await directory.fleetOfOneTenant(filter) { page throws(Failure) in
          let fresh = page.filter { seen.insert($0.id).inserted }
          for machine in fresh {
            client.remember(machine.tenantID ?? id, of: machine.subscriptionID)
          }
          wasGiven = true
          if !fresh.isEmpty { try await onPage(fresh) }
        }
      } catch {
        // Part of the list is out already.
        if error.code == .interrupted || wasGiven { throw error }
        refusals.append(error)
        // A subscription that was named is in one of them.
        if error.code == .notFound, filter.subscription != nil { continue }
        unread.append("tenant \(id): \(error.why ?? error.what)")
      }
    }
    if let refusal = refusals.first, refusals.count == ids.count { throw refusal }
    return unread
  }

  private func fleetOfOneTenant(
    _ filter: FleetFilter, onPage: ([VirtualMachine]) async throws(Failure) -> Void
  ) async throws(Failure) -> [String] {
    let purpose = "list the virtual machines"
    var subscription: String?
    if let asked = filter.subscription { subscription = try await subscriptionID(asked) }
    // Rows of one machine follow each other, but may lie on two pages.
    var carried: [JSONTree] = []
    var wasAnswered = false
    do throws(Failure) {
      try await ResourceGraph(client: client).pages(
        VirtualMachineQuery.text(where: filter.conditions),
        subscriptions: subscription.map { [$0] } ?? [],
        hasFallBack: true, purpose: purpose
      ) { rows, isLast throws(Failure) in
        wasAnswered = true
        carried += rows
        var held: [JSONTree] = []
        if !isLast, let last = ResourceID(carried.last?["id"]?.text) {
          let start = carried.lastIndex { ResourceID($0["id"]?.text) != last }.map { $0 + 1 } ?? 0
          held = Array(carried[start...])
          carried.removeSubrange(start...)
        }
        let machines = VirtualMachineQuery.machines(carried).filter { filter.holds($0) }
        carried = held
        if !machines.isEmpty { try await onPage(machines) }
        return true
      }
      return []
    } catch {
      // Part of the list is out already: a second way would give it again.
      guard !wasAnswered, Self.hasFallBack(error) else { throw error }
      return try await fleetByLists(filter, subscription, purpose, onPage)
    }
  }

  /// The classic machines in sight; their one use is to be named as unsupported.
  package func classicMachines(_ filter: FleetFilter) async throws(Failure) -> [ResourceID] {
    var subscription: String?
    if let asked = filter.subscription { subscription = try await subscriptionID(asked) }
    let scope = subscription.map { [$0] } ?? []
    let rows = try await overTenants { directory throws(Failure) in
      try await ResourceGraph(client: directory.client).rows(
        """
        Resources
        | where type =~ 'microsoft.classiccompute/virtualmachines'
        | project id, name
        | order by id asc
        """, subscriptions: scope, hasFallBack: true,
        purpose: "list the classic virtual machines")
    }
    return rows.compactMap { ResourceID($0["id"]?.text) }.filter { id in
      filter.tags.isEmpty && filter.operatingSystem == nil
        && (filter.resourceGroup.map { $0.lowercased() == id.resourceGroup?.lowercased() } ?? true)
    }
  }

  // MARK: Without Resource Graph

  private func fleetByLists(
    _ filter: FleetFilter, _ subscription: String?, _ purpose: String,
    _ onPage: ([VirtualMachine]) async throws(Failure) -> Void
  ) async throws(Failure) -> [String] {
    var ids: [String]
    if let subscription {
      ids = [subscription]
    } else {
      ids = try await subscriptions().filter { $0.state?.lowercased() != "deleted" }.map(\.id)
    }
    ids.sort()
    var unread: [String] = []
    var firstFailure: Failure?
    for id in ids {
      do throws(Failure) {
        let machines = try await machines(of: id, filter, purpose)
        if !machines.isEmpty { try await onPage(machines) }
      } catch {
        if error.code == .interrupted { throw error }
        // A group that is not in this subscription.
        if error.code == .notFound, filter.resourceGroup != nil { continue }
        firstFailure = firstFailure ?? error
        unread.append("subscription \(id): \(error.why ?? error.what)")
      }
    }
    if let firstFailure, unread.count == ids.count { throw firstFailure }
    return unread
  }

  /// The machines of a subscription with their interfaces; subnets and power are not known then.
  private func machines(
    of subscription: String, _ filter: FleetFilter, _ purpose: String
  ) async throws(Failure) -> [VirtualMachine] {
    let group = filter.resourceGroup.map { "/resourceGroups/\($0)" } ?? ""
    let trees = try await client.list(
      "/subscriptions/\(subscription)\(group)/providers/Microsoft.Compute/virtualMachines",
      .compute, purpose: purpose)
    var addresses: [ResourceID: [VMAddress]] = [:]
    if !trees.isEmpty {
      // A machine's interface may lie in another group.
      let interfaces = try? await client.list(
        "/subscriptions/\(subscription)/providers/Microsoft.Network/networkInterfaces", .network,
        purpose: "list the network interfaces")
      for interface in interfaces ?? [] {
        guard let id = ResourceID(interface["id"]?.text),
          let owner = ResourceID(interface["properties", "virtualMachine", "id"]?.text)
        else { continue }
        let configurations = Self.configurations(
          of: Interface(id: id, isPrimary: interface["properties", "primary"]?.truth != false),
          interface)
        addresses[owner, default: []] += configurations.map { Self.address($0, [:]) }
      }
    }
    return trees.compactMap { tree in
      guard let id = ResourceID(tree["id"]?.text) else { return nil }
      var machine = Self.machine(id, tree)
      machine.addresses = (addresses[id] ?? []).markingFirstAsPrimary()
      return filter.holds(machine) ? machine : nil
    }
  }
}
