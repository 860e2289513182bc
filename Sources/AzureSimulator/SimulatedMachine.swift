/// A virtual machine with its network interface, address and security group.
package struct SimulatedMachine: Sendable {
  package enum OperatingSystem: String, Sendable { case linux = "Linux", windows = "Windows" }

  package enum Power: String, Sendable {
    case running, starting, stopping, stopped, deallocating, deallocated
    /// No PowerState among the statuses, as right after creation.
    case unknown
  }

  package enum PublicAddress: Sendable, Equatable {
    case none
    /// Nil takes one: a loopback address of this simulator's own where the machine has gates,
    /// else one where nothing listens.
    case fixed(String?)
    /// Lost while the machine is deallocated.
    case dynamic(String?)
  }

  package enum SecurityGroup: Sendable { case onInterface, onSubnet, both, none }

  /// What answers behind a port, and through which gate.
  package struct Gate: Sendable {
    package enum Backend: Sendable {
      /// A real server.
      case server(address: String, port: UInt16)
      /// Sends these bytes, then echoes.
      case banner(String)
      /// Accepts and says nothing.
      case silent
      /// Answers the X.224 negotiation.
      case remoteDesktop(RemoteDesktopResponder)
      /// Closes at once: a service that is not up.
      case closing
    }

    /// The machine's port; 0 takes a free one (see ``Simulator/gatePort(of:)``).
    package var port: Int
    package var backend: Backend
    /// Where the gate stands, if not on the machine's own address: a firewall's.
    package var address: String?
    /// The machine's port behind a firewall's `port`; nil is the same one.
    package var machinePort: Int?

    package init(port: Int, backend: Backend) {
      self.port = port
      self.backend = backend
    }
  }

  package var name: String
  package var subscription = SimulatedSubscription().id
  package var resourceGroup = "rg-demo"
  package var location = "westeurope"
  package var system = OperatingSystem.linux
  package var power = Power.running
  /// Nil is made from the resource id.
  package var vmID: String?
  /// False for a machine made from a specialised disk.
  package var hasOSProfile = true
  package var adminUsername = "azureuser"
  package var publicAddress = PublicAddress.fixed(nil)
  package var privateAddress: String?
  package var fqdn: String?
  package var securityGroup = SecurityGroup.onInterface
  /// A security group shared with other machines of the group; nil is one of its own.
  package var securityGroupName: String?
  /// The customer's own rules in it.
  package var rules: [SecurityRule] = []
  package var tags: [String: String] = [:]
  package var zones: [String] = []
  /// Further network interfaces, each with a private address only.
  package var extraInterfaces = 0
  /// The names of extensions, such as `AADSSHLoginForLinux`.
  package var extensions: [String] = []
  package var securityType: String?
  /// False for a machine so new that Resource Graph does not list it yet.
  package var knownToGraph = true
  /// What Resource Graph still says of the power state; nil is the truth.
  package var graphPower: Power?
  package var gates: [Gate] = []
  /// The plan for this machine alone; nil is the subscription's.
  package var plan: SimulatedSubscription.Plan?

  package init(_ name: String) { self.name = name }

  /// The machine's resource id.
  package var id: String {
    "/subscriptions/\(subscription)/resourceGroups/\(resourceGroup)"
      + "/providers/Microsoft.Compute/virtualMachines/\(name)"
  }
}

/// A rule of a network security group.
package struct SecurityRule: Sendable, Equatable {
  package var name: String
  package var priority: Int
  package var allows: Bool
  package var inbound = true
  /// `Tcp`, `Udp` or `*`.
  package var ruleProtocol = "*"
  package var sources = ["*"]
  /// `22`, `20-25` or `*`.
  package var ports: [String]
  package var destinations = ["*"]
  package var description: String?

  package init(
    _ name: String, priority: Int, allows: Bool, ports: [String], sources: [String] = ["*"]
  ) {
    self.name = name
    self.priority = priority
    self.allows = allows
    self.ports = ports
    self.sources = sources
  }
}

/// A just-in-time policy.
package struct SimulatedPolicy: Sendable {
  package struct PortRule: Sendable {
    /// 0 is the port of the machine's first gate.
    package var number: Int
    package var ruleProtocol = "*"
    /// One is sent in the singular member, several in the plural.
    package var sources = ["*"]
    package var maximum = "PT3H"

    package init(_ number: Int, sources: [String] = ["*"], maximum: String = "PT3H") {
      self.number = number
      self.sources = sources
      self.maximum = maximum
    }
  }

  package struct Entry: Sendable {
    /// A machine's name in the policy's group, or a resource id.
    package var machine: String
    package var ports: [PortRule]
    /// An Azure Firewall in front: connections go to this address, to the mapped port.
    package var firewallAddress: String?
    package var mappedPorts: [Int: Int] = [:]

    package init(_ machine: String, ports: [PortRule]) {
      self.machine = machine
      self.ports = ports
    }
  }

  /// How the policy spells machine ids.
  package enum Spelling: Sendable { case asCreated, upper, lower }

  package var name = "default"
  package var subscription = SimulatedSubscription().id
  package var resourceGroup = "rg-demo"
  package var location = "westeurope"
  package var entries: [Entry]
  package var spelling = Spelling.asCreated
  /// Members of `properties` that no document names; they must survive a change.
  package var unknownMembers: [JSON.Member] = []

  package init(_ name: String = "default", entries: [Entry]) {
    self.name = name
    self.entries = entries
  }

  /// A policy for one machine and its ports.
  package init(_ name: String = "default", machine: String, ports: PortRule...) {
    self.name = name
    entries = [Entry(machine, ports: ports)]
  }
}
