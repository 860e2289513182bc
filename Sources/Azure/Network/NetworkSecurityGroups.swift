package import Platform

/// Reads the security groups on the way to a machine, and changes single rules of them.
package struct NetworkSecurityGroups: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  package func get(_ id: ResourceID) async throws(Failure) -> NetworkSecurityGroup {
    let answer = try await client.get(
      id.text, .network, purpose: "read the network security group \(id.name)")
    return NetworkSecurityGroup(id: id, tree: try answer.json())
  }

  /// The way to each private address of a machine, its own first; each group is read once.
  ///
  /// What may not be read is named in the paths.
  package func paths(to machine: VirtualMachine) async -> [InboundPath] {
    Self.paths(to: machine, read: await read(machine.securityGroups))
  }

  /// The ways to several machines of one subscription, in their order; with more than a few groups
  /// the subscription's list is read instead of each.
  package func paths(
    to machines: [VirtualMachine], subscription: String
  ) async -> [[InboundPath]] {
    var wanted: [ResourceID] = []
    var known: Set<ResourceID> = []
    for id in machines.flatMap(\.securityGroups) where known.insert(id).inserted {
      wanted.append(id)
    }
    let groups: [ResourceID: Result<NetworkSecurityGroup, Failure>]
    if wanted.count <= JITPolicies.fewEnoughToGet {
      groups = await read(wanted)
    } else {
      let list = await outcome { () async throws(Failure) in
        try await self.list(subscription: subscription)
      }
      groups = Dictionary(
        wanted.map { id in (id, list.flatMap { $0[id].map { .success($0) } ?? .failure(id.absent) })
        }
      ) { first, _ in first }
    }
    return machines.map { Self.paths(to: $0, read: groups) }
  }

  private func read(
    _ wanted: [ResourceID]
  ) async -> [ResourceID: Result<NetworkSecurityGroup, Failure>] {
    let answers = await sideBySide(wanted) { id in
      await outcome { () async throws(Failure) in try await get(id) }
    }
    return Dictionary(zip(wanted, answers)) { first, _ in first }
  }

  /// Every group of a subscription that may be read.
  private func list(
    subscription: String
  ) async throws(Failure) -> [ResourceID: NetworkSecurityGroup] {
    let items = try await client.list(
      "/subscriptions/\(subscription)/providers/Microsoft.Network/networkSecurityGroups", .network,
      purpose: "list the network security groups of subscription \(subscription)")
    return Dictionary(
      items.compactMap { tree in
        ResourceID(tree["id"]?.text).map { ($0, NetworkSecurityGroup(id: $0, tree: tree)) }
      }
    ) { first, _ in first }
  }

  private static func paths(
    to machine: VirtualMachine, read: [ResourceID: Result<NetworkSecurityGroup, Failure>]
  ) -> [InboundPath] {
    machine.addresses.map { address in
      var path = InboundPath(
        destination: InboundPath.Destination(
          privateAddress: address.privateIPv4, groups: address.applicationSecurityGroups),
        groups: [])
      if address.subnetSecurityGroup == .unknown {
        path.unread.append(
          "the subnet \(address.subnet?.name ?? "") could not be read, so its security group is not known"
        )
      }
      for id in address.securityGroups {
        switch read[id] {
        case .success(let group): path.groups.append(group)
        case .failure(let failure):
          path.unread.append(failure.why ?? failure.what)
          path.refusals.append(failure)
        case nil: break
        }
      }
      return path
    }
  }

  /// Writes one rule of a group and waits until Azure has it.
  ///
  /// - Parameter id: of the rule.
  package func put(
    _ id: ResourceID, properties: JSONTree, purpose: String
  ) async throws(Failure) {
    let answer = try await client.put(
      id.text, .network, body: ["properties": properties], purpose: purpose)
    _ = try await client.wait(for: answer, deadline: .seconds(120))
  }

  /// Takes one rule out of a group and waits until Azure has done it; absent is done.
  package func deleteRule(_ id: ResourceID) async throws(Failure) {
    let answer = try await client.delete(
      id.text, .network, purpose: "delete the security rule \(id.name)")
    _ = try await client.wait(for: answer, deadline: .seconds(120))
  }
}

extension NetworkSecurityGroups {
  /// Takes rules of ours out, each on its own.
  ///
  /// - Returns: that some stayed, with what takes them out.
  package func deleteRules(_ rules: [ResourceID]) async -> Failure? {
    var failures: [(rule: ResourceID, failure: Failure)] = []
    for rule in rules {
      do throws(Failure) {
        try await deleteRule(rule)
      } catch {
        failures.append((rule, error))
      }
    }
    guard let first = failures.first else { return nil }
    if first.failure.code == .interrupted { return first.failure }
    var failure = first.failure
    failure.what = "the rule \(failures.map(\.rule.name).joined(separator: ", ")) is still there"
    failure.why = first.failure.why ?? first.failure.what
    failure.next = failures.map { ShuttingRule.deleting($0.rule) }.joined(separator: "; ")
    return failure
  }
}

extension VMAddress {
  /// The security groups on the way, the subnet's first, as far as they are known.
  package var securityGroups: [ResourceID] {
    var ids: [ResourceID] = []
    if case .id(let id) = subnetSecurityGroup { ids.append(id) }
    if let networkSecurityGroup { ids.append(networkSecurityGroup) }
    return ids
  }
}

extension VirtualMachine {
  /// The security groups before its addresses, each once.
  fileprivate var securityGroups: [ResourceID] {
    var ids: [ResourceID] = []
    for address in addresses {
      for id in address.securityGroups where !ids.contains(id) { ids.append(id) }
    }
    return ids
  }
}

extension ResourceID {
  /// That the list of its subscription, as far as it may be read, does not have it.
  fileprivate var absent: Failure {
    Failure(
      .notFound, what: "the network security group \(name) is not in sight", next: Failure.doctor)
  }
}
