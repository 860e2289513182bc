/// The one question to Resource Graph that a look-up by name asks, and how its rows are read.
///
/// Contract section 3. Three joins and two `mv-expand` are all the language allows.
enum VirtualMachineQuery {
  static func text(name: String, resourceGroup: String?) -> String {
    var conditions = ["name =~ \(ResourceGraph.literal(name))"]
    if let resourceGroup { conditions.append(inGroup(resourceGroup)) }
    return text(where: conditions)
  }

  static func inGroup(_ name: String) -> String {
    "resourceGroup =~ \(ResourceGraph.literal(name))"
  }

  /// - Parameter conditions: each on a machine's own members; none is every machine.
  static func text(where conditions: [String]) -> String {
    let filters = conditions.map { "\n| where \($0)" }.joined()
    return """
      Resources
      | where type =~ 'microsoft.compute/virtualmachines'\(filters)
      | project id, name, resourceGroup, subscriptionId, tenantId, location, zones, tags,
          vmKey = tolower(id), vmId = tostring(properties.vmId),
          osType = tostring(properties.storageProfile.osDisk.osType),
          powerState = tostring(properties.extended.instanceView.powerState.code),
          adminUsername = tostring(properties.osProfile.adminUsername),
          computerName = tostring(properties.osProfile.computerName)
      | join kind=leftouter (
          Resources
          | where type =~ 'microsoft.network/networkinterfaces' and isnotnull(properties.virtualMachine)
          | extend nIp = array_length(properties.ipConfigurations)
          | mv-expand ip = properties.ipConfigurations
          | project vmKey = tolower(tostring(properties.virtualMachine.id)), nicId = id,
              nicPrimary = tobool(properties.primary), ipPrimary = nIp == 1 or tobool(ip.properties.primary),
              privateIp = tostring(ip.properties.privateIPAddress),
              nicNsgId = tostring(properties.networkSecurityGroup.id),
              subnetKey = tolower(tostring(ip.properties.subnet.id)),
              pipKey = tolower(tostring(ip.properties.publicIPAddress.id))
        ) on vmKey
      | join kind=leftouter (
          Resources
          | where type =~ 'microsoft.network/publicipaddresses'
          | project pipKey = tolower(id), publicIp = tostring(properties.ipAddress), fqdn = tostring(properties.dnsSettings.fqdn)
        ) on pipKey
      | join kind=leftouter (
          Resources
          | where type =~ 'microsoft.network/virtualnetworks'
          | mv-expand subnet = properties.subnets limit 400
          | project subnetKey = tolower(tostring(subnet.id)), subnetNsgId = tostring(subnet.properties.networkSecurityGroup.id)
        ) on subnetKey
      | project-away vmKey, vmKey1, pipKey1
      | order by subscriptionId asc, resourceGroup asc, name asc, id asc
      """
  }

  /// Names that look like a mistyped one; the ranking is ours.
  static func nearText(name: String, resourceGroup: String?) -> String {
    let group = resourceGroup.map { "\n| where \(inGroup($0))" } ?? ""
    let start = ResourceGraph.literal(String(name.prefix(1)))
    let end = ResourceGraph.literal(String(name.suffix(3)))
    return """
      Resources
      | where type =~ 'microsoft.compute/virtualmachines'
      | where name startswith \(start) or name contains \(ResourceGraph.literal(name)) or name contains \(end)\(group)
      | project id, name, resourceGroup, subscriptionId
      | order by name asc, id asc
      """
  }

  /// Folds the rows, one per IP configuration, into machines; a row without an id is left out.
  static func machines(_ rows: [JSONTree]) -> [VirtualMachine] {
    var order: [ResourceID] = []
    var machines: [ResourceID: VirtualMachine] = [:]
    var ranks: [ResourceID: [(rank: Int, address: VMAddress)]] = [:]
    for row in rows {
      guard let id = ResourceID(row["id"]?.text), id.isType(ResourceID.virtualMachineType) else {
        continue
      }
      if machines[id] == nil {
        order.append(id)
        machines[id] = machine(id, row)
      }
      guard let address = address(row) else { continue }
      let rank =
        (row["nicPrimary"]?.truth == false ? 2 : 0) + (row["ipPrimary"]?.truth == true ? 0 : 1)
      if !(ranks[id] ?? []).contains(where: { $0.address == address }) {
        ranks[id, default: []].append((rank, address))
      }
    }
    return order.compactMap { id in
      guard var machine = machines[id] else { return nil }
      let sorted = (ranks[id] ?? []).enumerated()
        .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
        .map(\.element.address)
      machine.addresses = sorted.markingFirstAsPrimary()
      return machine
    }
  }

  private static func machine(_ id: ResourceID, _ row: JSONTree) -> VirtualMachine {
    VirtualMachine(
      id: id, tenantID: row["tenantId"]?.text, location: row["location"]?.text ?? "",
      vmID: GivenText.guid(row["vmId"]?.text),
      operatingSystem: row["osType"]?.text.flatMap { OperatingSystem(rawValue: $0.lowercased()) },
      powerState: PowerState(code: row["powerState"]?.text),
      adminUsername: row["adminUsername"]?.text,
      computerName: GivenText.hostName(row["computerName"]?.text),
      tags: VirtualMachine.tags(row["tags"]),
      zones: (row["zones"]?.elements ?? []).compactMap(\.text))
  }

  private static func address(_ row: JSONTree) -> VMAddress? {
    guard let networkInterface = ResourceID(row["nicId"]?.text) else { return nil }
    let subnetGroup: VMAddress.SubnetSecurityGroup =
      if let group = ResourceID(row["subnetNsgId"]?.text) {
        .id(group)
      } else if row["subnetKey1"]?.text != nil {
        // The join found the subnet, so it was read and has no group.
        .none
      } else {
        .unknown
      }
    return VMAddress(
      privateIPv4: row["privateIp"]?.text.flatMap(ipv4Text),
      publicIPv4: row["publicIp"]?.text.flatMap(ipv4Text),
      fqdn: GivenText.hostName(row["fqdn"]?.text),
      isPrimary: false, networkInterface: networkInterface,
      networkSecurityGroup: ResourceID(row["nicNsgId"]?.text),
      subnet: ResourceID(row["subnetKey"]?.text),
      subnetSecurityGroup: subnetGroup, publicIP: ResourceID(row["pipKey"]?.text))
  }
}

extension VirtualMachine {
  static func tags(_ tree: JSONTree?) -> [String: String] {
    var tags: [String: String] = [:]
    for member in tree?.members ?? [] {
      guard case .string(let value) = member.value else { continue }
      tags[member.name] = value
    }
    return tags
  }
}

extension [VMAddress] {
  /// The addresses are in order already: the first one is the machine's own.
  func markingFirstAsPrimary() -> [VMAddress] {
    enumerated().map { index, address in
      var address = address
      address.isPrimary = index == 0
      return address
    }
  }
}

/// The text if it is an IPv4 address: the session and the window are for IPv4 alone.
func ipv4Text(_ text: String) -> String? {
  SourcePrefix(parsing: text)?.prefixLength == 32 ? text : nil
}
