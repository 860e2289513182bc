package import Platform

extension VirtualMachineDirectory {
  /// Which machines are meant, where it is more than one.
  package struct Selection: Sendable, Equatable {
    /// A tag and the value that it must have; nil is any.
    package struct Tag: Sendable, Equatable {
      package var name: String
      package var value: String?

      package init(name: String, value: String?) {
        self.name = name
        self.value = value
      }

      /// Azure compares tag names without regard to case, values with it.
      func matches(_ tags: [String: String]) -> Bool {
        tags.contains { $0.key.lowercased() == name.lowercased() && (value ?? $0.value) == $0.value }
      }
    }

    /// Names of machines, in any case; empty is every machine.
    package var names: [String]
    /// All must match.
    package var tags: [Tag]
    package var resourceGroup: String?
    /// An id or a display name.
    package var subscription: String?

    package init(
      names: [String] = [], tags: [Tag] = [], resourceGroup: String? = nil,
      subscription: String? = nil
    ) {
      self.names = names
      self.tags = tags
      self.resourceGroup = resourceGroup
      self.subscription = subscription
    }

    func matches(_ id: ResourceID, _ machineTags: [String: String]) -> Bool {
      let group = resourceGroup?.lowercased()
      let known = names.map { $0.lowercased() }
      return (group == nil || group == id.resourceGroup?.lowercased())
        && (known.isEmpty || known.contains(id.name.lowercased()))
        && tags.allSatisfy { $0.matches(machineTags) }
    }
  }

  /// How many names stand in one query.
  private static let namesInQuery = 300

  /// Every machine of a selection: one query for all of them (300 names each), page by page; with
  /// list calls as the fall-back where Resource Graph is refused or does not answer.
  ///
  /// A machine that Resource Graph does not know yet is missing: ``find(_:)`` finds it by its name.
  package func fleet(_ selection: Selection) async throws(Failure) -> Matches {
    let purpose = "look up the virtual machines"
    var subscription: String?
    if let asked = selection.subscription { subscription = try await subscriptionID(asked) }
    do throws(Failure) {
      var rows: [JSONTree] = []
      for conditions in Self.conditions(selection) {
        rows += try await ResourceGraph(client: client).rows(
          VirtualMachineQuery.text(where: conditions, resourceGroup: selection.resourceGroup),
          subscriptions: subscription.map { [$0] } ?? [], hasFallBack: true, purpose: purpose)
      }
      let machines = VirtualMachineQuery.machines(rows)
        .filter { selection.matches($0.id, $0.tags) }
      return Matches(machines: machines, cameFromGraph: true, unread: [])
    } catch {
      guard Self.hasFallBack(error) else { throw error }
    }
    return try await fleetByLists(selection, subscription: subscription, purpose: purpose)
  }

  /// What each query asks for; the exact comparison is made here.
  private static func conditions(_ selection: Selection) -> [[String]] {
    // A value in the text of all tags leaves few machines to look at.
    let tags = selection.tags.compactMap(\.value)
      .filter { !$0.isEmpty && $0.utf8.allSatisfy(isPlain) }
      .map { "tostring(tags) contains \(ResourceGraph.literal($0))" }
    guard !selection.names.isEmpty else { return [tags] }
    return stride(from: 0, to: selection.names.count, by: namesInQuery).map { start in
      let names = selection.names[start..<min(start + namesInQuery, selection.names.count)]
      return ["name in~ (\(names.map(ResourceGraph.literal).joined(separator: ", ")))"] + tags
    }
  }

  /// What JSON writes as it is.
  private static func isPlain(_ byte: UInt8) -> Bool {
    let scalar = Unicode.Scalar(byte)
    return scalar.isASCII
      && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || "-_.".unicodeScalars.contains(scalar))
  }

  /// Lists the machines of each subscription side by side, then reads those of the selection.
  private func fleetByLists(
    _ selection: Selection, subscription: String?, purpose: String
  ) async throws(Failure) -> Matches {
    var ids: [String] = [subscription].compactMap(\.self)
    if ids.isEmpty {
      ids = try await subscriptions().filter { $0.state?.lowercased() != "deleted" }.map(\.id)
    }
    let group = selection.resourceGroup.map { "/resourceGroups/\($0)" } ?? ""
    let lists = await sideBySide(ids.sorted()) { id in
      await outcome { () async throws(Failure) in
        try await client.list(
          "/subscriptions/\(id)\(group)/providers/Microsoft.Compute/virtualMachines", .compute,
          purpose: purpose)
      }
    }
    var found: [ResourceID] = []
    var unread: [String] = []
    var firstFailure: Failure?
    for (id, list) in zip(ids.sorted(), lists) {
      switch list {
      case .success(let items):
        found += items.compactMap { item in
          guard let id = ResourceID(item["id"]?.text),
            selection.matches(id, VirtualMachine.tags(item["tags"]))
          else { return nil }
          return id
        }
      case .failure(let failure) where failure.code == .interrupted: throw failure
      case .failure(let failure):
        // A group that is not in this subscription.
        if failure.code == .notFound, selection.resourceGroup != nil { continue }
        firstFailure = firstFailure ?? failure
        unread.append("subscription \(id): \(failure.why ?? failure.what)")
      }
    }
    if found.isEmpty, let firstFailure, unread.count == ids.count { throw firstFailure }
    let read = await sideBySide(found) { id in
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
    return Matches(machines: machines, cameFromGraph: false, unread: unread)
  }
}
