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
    var wanted: [ResourceID] = []
    for address in machine.addresses {
      for id in address.securityGroups where !wanted.contains(id) { wanted.append(id) }
    }
    let answers = await sideBySide(wanted) { id in
      await outcome { () async throws(Failure) in try await get(id) }
    }
    let read = Dictionary(zip(wanted, answers)) { first, _ in first }
    return machine.addresses.map { address in
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
