/// An action of Azure's role-based access control, such as
/// `Microsoft.Compute/virtualMachines/read`.
package struct AzureAction: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }

  private static let policies = "Microsoft.Security/locations/jitNetworkAccessPolicies/"
  private static let network = "Microsoft.Network/"

  package static let readMachine = Self(rawValue: "Microsoft.Compute/virtualMachines/read")
  package static let writeMachine = Self(rawValue: "Microsoft.Compute/virtualMachines/write")
  package static let startMachine = Self(rawValue: "Microsoft.Compute/virtualMachines/start/action")
  package static let readPolicy = Self(rawValue: policies + "read")
  package static let writePolicy = Self(rawValue: policies + "write")
  package static let deletePolicy = Self(rawValue: policies + "delete")
  package static let initiate = Self(rawValue: policies + "initiate/action")
  package static let readInterface = Self(rawValue: network + "networkInterfaces/read")
  package static let readPublicAddress = Self(rawValue: network + "publicIPAddresses/read")
  package static let readSubnet = Self(rawValue: network + "virtualNetworks/subnets/read")
  package static let readSecurityGroup = Self(rawValue: network + "networkSecurityGroups/read")
  package static let writeSecurityRule = Self(
    rawValue: network + "networkSecurityGroups/securityRules/write")
  package static let deleteSecurityRule = Self(
    rawValue: network + "networkSecurityGroups/securityRules/delete")
  package static let readPlan = Self(rawValue: "Microsoft.Security/pricings/read")
  package static let readActivityLog = Self(rawValue: "Microsoft.Insights/eventtypes/values/read")

  /// To enable or change a policy (contract section 1, RBAC).
  package static let enabling: [AzureAction] = [writePolicy, writeMachine]

  /// The smallest of Azure's own roles that has it; nil where none is known.
  package var role: String? {
    Assumptions.rolesOfActions.first { PermissionSet.matches(rawValue.lowercased(), $0.pattern) }?
      .role
  }

  package var description: String { rawValue }
}
