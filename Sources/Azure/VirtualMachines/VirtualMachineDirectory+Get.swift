package import Platform

extension VirtualMachineDirectory {
  /// Reads a machine from Compute and Network: what they say holds, also where Resource Graph or
  /// the memory says otherwise.
  ///
  /// - Parameter known: what was known of it. Its parts are then asked for at once with it instead
  ///   of one after the other; what proves to be out of date is read again. Where an address may
  ///   not be read, the known one counts, and that is told.
  /// - Parameter patience: how long the subnets are waited for once all else is read: they tell
  ///   only which security group is theirs. Nil is as long as they take.
  package func get(
    _ id: ResourceID, known: VirtualMachine? = nil, patience: Duration? = nil
  ) async throws(Failure) -> VirtualMachine {
    guard id.isType(ResourceID.virtualMachineType) else { throw Self.unsupported(id) }
    var parts = Parts(directory: self)
    var guesses = known?.addresses.flatMap { [$0.networkInterface, $0.publicIP] } ?? []
    guesses.append(id)
    let subnets = SubnetReads(self)
    defer { subnets.cancel() }
    subnets.start(known?.addresses.compactMap(\.subnet) ?? [])
    await parts.read(guesses.compactMap { $0 })
    let tree: JSONTree
    switch parts.results[id] {
    case .success(let value): tree = value
    case .failure(let failure) where failure.code == .notFound: throw Self.notFound(id, failure)
    case .failure(let failure): throw failure
    case nil: throw Failure(.interrupted, what: "interrupted")
    }
    let interfaces = Self.interfaces(of: tree)
    await parts.read(interfaces.map(\.id))
    let configurations = interfaces.flatMap { interface in
      Self.configurations(of: interface, try? parts.results[interface.id]?.get())
    }
    subnets.start(configurations.compactMap(\.subnet))
    await parts.read(configurations.compactMap(\.publicIP))
    parts.results.merge(
      await subnets.results(of: configurations.compactMap(\.subnet), within: patience)
    ) { $1 }

    var machine = Self.machine(id, tree)
    machine.tenantID = known?.tenantID
    for id in interfaces.map(\.id) {
      if case .failure(let failure) = parts.results[id] {
        machine.unreadInterfaces.append("\(id.name): \(failure.why ?? failure.what)")
      }
    }
    for part in interfaces.map(\.id) + configurations.compactMap(\.publicIP) {
      guard case .failure(let failure) = parts.results[part] else { continue }
      // A part that may not be read is a gap; a call that found no answer is a failure.
      guard failure.code == .notPermitted || failure.code == .notFound else { throw failure }
      machine.unread.append("\(part.name): \(failure.why ?? failure.what)")
      if failure.code == .notPermitted { machine.refusedActions.append("\(part.type)/read") }
    }
    let read = configurations.enumerated()
      .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
      .map { Self.address($0.element, parts.results) }
    machine.addresses = Self.filled(read, from: known, parts.results, subnetsToo: patience != nil)
      .markingFirstAsPrimary()
    return machine
  }

  /// What may not be read is taken from what was known of it: of interfaces and public addresses
  /// that Compute and Network name still.
  private static func filled(
    _ read: [VMAddress], from known: VirtualMachine?,
    _ results: [ResourceID: Result<JSONTree, Failure>], subnetsToo: Bool
  ) -> [VMAddress] {
    func isRefused(_ id: ResourceID?) -> Bool {
      guard let id, case .failure(let failure)? = results[id] else { return false }
      return failure.code == .notPermitted
    }
    let hints = known?.addresses ?? []
    let filled = read.map { address in
      var address = address
      if isRefused(address.publicIP),
        let hint = hints.first(where: { $0.publicIP == address.publicIP })
      {
        address.publicIPv4 = hint.publicIPv4
        address.fqdn = hint.fqdn
      }
      // Whoever proves that a port is shut waits for the subnet's own word.
      if subnetsToo, address.subnetSecurityGroup == .unknown, let subnet = address.subnet,
        let hint = hints.first(where: { $0.subnet == subnet })
      {
        address.subnetSecurityGroup = hint.subnetSecurityGroup
      }
      return address
    }
    return filled + hints.filter { isRefused($0.networkInterface) }
  }

  /// The parts of a machine that were read, each once.
  private struct Parts {
    let directory: VirtualMachineDirectory
    var results: [ResourceID: Result<JSONTree, Failure>] = [:]

    /// Reads side by side what was not read yet.
    mutating func read(_ ids: [ResourceID]) async {
      var missing: [ResourceID] = []
      for id in ids where results[id] == nil && !missing.contains(id) { missing.append(id) }
      let client = directory.client
      let answers = await sideBySide(missing) { id in
        await outcome { () async throws(Failure) in
          let isMachine = id.isType(ResourceID.virtualMachineType)
          return try await client.get(
            id.text, isMachine ? .compute : .network,
            query: isMachine ? [(name: "$expand", value: "instanceView")] : [],
            purpose: "read the \(Self.noun(id)) \(id.name)"
          ).json()
        }
      }
      for (id, answer) in zip(missing, answers) { results[id] = answer }
    }

    private static func noun(_ id: ResourceID) -> String {
      switch id.type.split(separator: "/").last?.lowercased() {
      case "virtualmachines": "virtual machine"
      case "networkinterfaces": "network interface"
      default: "public address"
      }
    }
  }

  struct Interface {
    var id: ResourceID
    var isPrimary: Bool
  }

  /// One IP configuration before its public address and subnet are read.
  struct Configuration {
    var networkInterface: ResourceID
    var networkSecurityGroup: ResourceID?
    var privateIPv4: String?
    var publicIP: ResourceID?
    var subnet: ResourceID?
    var applicationSecurityGroups: [ResourceID]
    var rank: Int
  }

  private static func interfaces(of machine: JSONTree) -> [Interface] {
    let list = machine["properties", "networkProfile", "networkInterfaces"]?.elements ?? []
    return list.compactMap { item in
      guard let id = ResourceID(item["id"]?.text) else { return nil }
      // "primary" is absent where there is one interface.
      return Interface(
        id: id, isPrimary: list.count == 1 || item["properties", "primary"]?.truth == true)
    }
  }

  static func configurations(
    of interface: Interface, _ tree: JSONTree?
  ) -> [Configuration] {
    let list = tree?["properties", "ipConfigurations"]?.elements ?? []
    return list.compactMap { item in
      let properties = item["properties"] ?? .null
      // An IPv6 configuration has nothing that a window could be for.
      guard properties["privateIPAddressVersion"]?.text?.lowercased() != "ipv6" else { return nil }
      let isPrimary = list.count == 1 || properties["primary"]?.truth == true
      return Configuration(
        networkInterface: interface.id,
        networkSecurityGroup: ResourceID(tree?["properties", "networkSecurityGroup", "id"]?.text),
        privateIPv4: properties["privateIPAddress"]?.text.flatMap(ipv4Text),
        publicIP: ResourceID(properties["publicIPAddress", "id"]?.text),
        subnet: ResourceID(properties["subnet", "id"]?.text),
        applicationSecurityGroups: (properties["applicationSecurityGroups"]?.elements ?? [])
          .compactMap { ResourceID($0["id"]?.text) },
        rank: (interface.isPrimary ? 0 : 2) + (isPrimary ? 0 : 1))
    }
  }

  static func address(
    _ configuration: Configuration, _ parts: [ResourceID: Result<JSONTree, Failure>]
  ) -> VMAddress {
    let publicIP = configuration.publicIP.flatMap { try? parts[$0]?.get() }
    let group: VMAddress.SubnetSecurityGroup
    if let subnet = configuration.subnet.flatMap({ try? parts[$0]?.get() }) {
      group =
        ResourceID(subnet["properties", "networkSecurityGroup", "id"]?.text).map { .id($0) }
        ?? .none
    } else {
      group = .unknown
    }
    return VMAddress(
      privateIPv4: configuration.privateIPv4,
      publicIPv4: publicIP?["properties", "ipAddress"]?.text.flatMap(ipv4Text),
      fqdn: GivenText.hostName(publicIP?["properties", "dnsSettings", "fqdn"]?.text),
      isPrimary: false,
      networkInterface: configuration.networkInterface,
      networkSecurityGroup: configuration.networkSecurityGroup, subnet: configuration.subnet,
      subnetSecurityGroup: group, publicIP: configuration.publicIP,
      applicationSecurityGroups: configuration.applicationSecurityGroups)
  }

  static func machine(_ id: ResourceID, _ tree: JSONTree) -> VirtualMachine {
    let properties = tree["properties"] ?? .null
    let statuses = properties["instanceView", "statuses"]?.elements ?? []
    let extensions = (tree["resources"] ?? properties["resources"])?.elements
    return VirtualMachine(
      id: ResourceID(tree["id"]?.text) ?? id, location: tree["location"]?.text ?? "",
      vmID: GivenText.guid(properties["vmId"]?.text),
      operatingSystem: properties["storageProfile", "osDisk", "osType"]?.text
        .flatMap { OperatingSystem(rawValue: $0.lowercased()) },
      powerState: statuses.lazy.compactMap { PowerState(code: $0["code"]?.text) }.first,
      adminUsername: properties["osProfile", "adminUsername"]?.text,
      computerName: GivenText.hostName(
        properties["osProfile", "computerName"]?.text
          ?? properties["instanceView", "computerName"]?.text),
      tags: VirtualMachine.tags(tree["tags"]),
      zones: (tree["zones"]?.elements ?? []).compactMap(\.text),
      hasEntraLogin: (extensions ?? []).contains { item in
        let names = [item["properties", "type"]?.text, ResourceID(item["id"]?.text)?.name]
        return names.contains { Assumptions.entraExtensions.contains($0?.lowercased() ?? "") }
      })
  }

  /// Machines of other kinds have no just-in-time access.
  static func unsupported(_ id: ResourceID) -> Failure {
    let kind =
      switch id.type.lowercased() {
      case "microsoft.compute/virtualmachinescalesets/virtualmachines":
        "an instance of a scale set"
      case scaleSetType.lowercased(): "a scale set"
      case "microsoft.hybridcompute/machines": "an Arc machine"
      case "microsoft.classiccompute/virtualmachines": "a classic virtual machine"
      default: "a resource of type \(id.type.isEmpty ? "subscription or group" : id.type)"
      }
    return Failure(
      .vmUnsupported, what: "\(id.name) is \(kind)",
      why: "just-in-time access is for \(ResourceID.virtualMachineType) alone",
      next: "reach it as plain ssh would, with --no-jit")
  }
}
