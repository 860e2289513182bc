/// A virtual machine as far as it is known: from Resource Graph, from Compute, or remembered.
package struct VirtualMachine: Sendable, Equatable, Codable, Identifiable {
  package var id: ResourceID
  package var tenantID: String?
  package var location: String
  /// Azure's identity of this very machine: another one when it is re-created under its name.
  package var vmID: String?
  /// Nil where Azure does not say.
  package var operatingSystem: OperatingSystem?
  /// Nil where it is not known; Resource Graph's may be minutes old.
  package var powerState: PowerState?
  /// Absent for machines made from a specialised disk.
  package var adminUsername: String?
  package var computerName: String?
  package var tags: [String: String]
  package var zones: [String]
  /// The primary address of the primary network interface first.
  package var addresses: [VMAddress]
  /// Whether the extension for Entra ID logins is installed; nil where it was not read.
  package var hasEntraLogin: Bool?
  /// What belongs to it and could not be read, each with its reason, for the user.
  package var unread: [String]
  /// Those of them that are network interfaces; not kept on disk.
  package var unreadInterfaces: [String] = []
  /// The actions that were refused on the way to its addresses; not kept on disk.
  package var refusedActions: [String] = []

  package init(
    id: ResourceID, tenantID: String? = nil, location: String, vmID: String? = nil,
    operatingSystem: OperatingSystem? = nil, powerState: PowerState? = nil,
    adminUsername: String? = nil, computerName: String? = nil, tags: [String: String] = [:],
    zones: [String] = [], addresses: [VMAddress] = [], hasEntraLogin: Bool? = nil,
    unread: [String] = []
  ) {
    self.id = id
    self.tenantID = tenantID
    self.location = location
    self.vmID = vmID
    self.operatingSystem = operatingSystem
    self.powerState = powerState
    self.adminUsername = adminUsername
    self.computerName = computerName
    self.tags = tags
    self.zones = zones
    self.addresses = addresses
    self.hasEntraLogin = hasEntraLogin
    self.unread = unread
  }

  package var name: String { id.name }
  package var resourceGroup: String { id.resourceGroup ?? "" }
  package var subscriptionID: String { id.subscription }

  // The keys are those of files on disk: they stay.
  private enum CodingKeys: String, CodingKey {
    case id
    case tenantID = "tenant"
    case location
    case vmID = "vmId"
    case operatingSystem = "os"
    case powerState = "power"
    case adminUsername = "admin"
    case computerName = "host"
    case tags, zones, addresses
    case hasEntraLogin = "entra"
    case unread
  }
}

package enum OperatingSystem: String, Sendable, Codable {
  case linux, windows
}

/// A power state by Azure's own word, without `PowerState/`.
package struct PowerState: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue.lowercased() }

  /// Reads `PowerState/running`; other statuses are none.
  init?(code: String?) {
    guard let code, code.lowercased().hasPrefix("powerstate/") else { return nil }
    self.init(rawValue: String(code.dropFirst("powerstate/".count)))
  }

  package static let running = PowerState(rawValue: "running")
  package static let starting = PowerState(rawValue: "starting")
  package static let stopping = PowerState(rawValue: "stopping")
  /// Shut down and still paid for.
  package static let stopped = PowerState(rawValue: "stopped")
  package static let deallocating = PowerState(rawValue: "deallocating")
  package static let deallocated = PowerState(rawValue: "deallocated")

  package var description: String { rawValue }
}

/// One IP configuration of a network interface of a virtual machine.
package struct VMAddress: Sendable, Equatable, Codable {
  /// The network security group of the subnet.
  package enum SubnetSecurityGroup: Sendable, Equatable, Codable {
    case id(ResourceID)
    /// The subnet was read and has none.
    case none
    /// The subnet could not be read.
    case unknown
  }

  package var privateIPv4: String?
  /// Nil where there is none, or where a dynamic one is not given out at the moment.
  package var publicIPv4: String?
  package var fqdn: String?
  package var isPrimary: Bool
  package var networkInterface: ResourceID
  package var networkSecurityGroup: ResourceID?
  package var subnet: ResourceID?
  package var subnetSecurityGroup: SubnetSecurityGroup
  package var publicIP: ResourceID?
  /// Nil where they were not read.
  package var applicationSecurityGroups: [ResourceID]?

  package init(
    privateIPv4: String? = nil, publicIPv4: String? = nil, fqdn: String? = nil, isPrimary: Bool,
    networkInterface: ResourceID, networkSecurityGroup: ResourceID? = nil,
    subnet: ResourceID? = nil, subnetSecurityGroup: SubnetSecurityGroup = .unknown,
    publicIP: ResourceID? = nil, applicationSecurityGroups: [ResourceID]? = nil
  ) {
    self.privateIPv4 = privateIPv4
    self.publicIPv4 = publicIPv4
    self.fqdn = fqdn
    self.isPrimary = isPrimary
    self.networkInterface = networkInterface
    self.networkSecurityGroup = networkSecurityGroup
    self.subnet = subnet
    self.subnetSecurityGroup = subnetSecurityGroup
    self.publicIP = publicIP
    self.applicationSecurityGroups = applicationSecurityGroups
  }

  private enum CodingKeys: String, CodingKey {
    case privateIPv4 = "private"
    case publicIPv4 = "public"
    case fqdn
    case isPrimary = "primary"
    case networkInterface = "nic"
    case networkSecurityGroup = "nsg"
    case subnet
    case subnetSecurityGroup = "subnetNsg"
    case publicIP = "publicIp"
    case applicationSecurityGroups = "asg"
  }
}

extension VMAddress.SubnetSecurityGroup {
  // An id, "none" or "unknown".
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    switch try container.decode(String.self) {
    case "none": self = .none
    case "unknown": self = .unknown
    default: self = .id(try container.decode(ResourceID.self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .id(let id): try container.encode(id)
    case .none: try container.encode("none")
    case .unknown: try container.encode("unknown")
    }
  }
}
