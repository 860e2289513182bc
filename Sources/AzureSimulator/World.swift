/// Everything the simulated Azure knows: one value behind one lock.
struct World: Sendable {
  let configuration: SimulatorConfiguration
  var behaviour: Behaviour
  /// Base URLs with a final slash.
  let armURL: String
  let loginURL: String
  /// How far the simulated clock is ahead of the machine's.
  var ahead = Duration.zero

  /// By lower-cased resource id, as all resources.
  var machines: [String: Machine] = [:]
  var machineOrder: [String] = []
  /// Lower-cased names to ids, so that a look-up does not read the whole fleet.
  var machinesByName: [String: [String]] = [:]
  /// The machine of a network interface or public address.
  var interfaceOwners: [String: String] = [:]
  var addressOwners: [String: String] = [:]
  var securityGroups: [String: SecurityGroup] = [:]
  var securityGroupOrder: [String] = []
  var policies: [String: Policy] = [:]
  var policyOrder: [String] = []
  var tokens: [String: Token] = [:]
  var signIn = SignInState()
  var operations: [String: Operation] = [:]
  var activity: [Activity] = []
  var events: [ScheduledEvent] = []
  var faults: [Fault] = []
  /// Set: tokens issued before are refused with this challenge, until one is asked for with it.
  var revocation: Revocation?
  /// Subscriptions that registered Microsoft.Security since the start.
  var registered: Set<String> = []
  /// Address services that were told to answer otherwise.
  var addressAnswers: [String: SimulatedAddressService.Answer] = [:]
  var nextNumber = 1

  var now: Instant { .machineNow() + ahead }

  /// A number that no earlier call returned.
  mutating func number() -> Int {
    defer { nextNumber += 1 }
    return nextNumber
  }

  struct Machine: Sendable {
    var made: SimulatedMachine
    var vmID: String
    var privateAddress: String
    /// Nil without one; a dynamic one is told only while the machine is not deallocated.
    var publicAddress: String?
    var power: SimulatedMachine.Power

    var key: String { made.id.lowercased() }
  }

  struct SecurityGroup: Sendable {
    var id: String
    var name: String
    var location: String
    var rules: [SecurityRule]
  }

  struct Operation: Sendable {
    var started: Instant
    var due: Instant
    var failure: (code: String, message: String)?
    /// What a `Location` gives in the end.
    var result: JSON?
  }

  struct Revocation: Sendable {
    var claims: String
    var generic: Bool
    /// Tokens with this number or a higher one are good.
    var since: Int
  }

  init(
    _ configuration: SimulatorConfiguration, armURL: String, loginURL: String,
    addresses: [String: String]
  ) {
    self.configuration = configuration
    behaviour = configuration.behaviour
    self.armURL = armURL
    self.loginURL = loginURL
    for machine in configuration.machines {
      add(machine, address: addresses[machine.id.lowercased()])
    }
    for policy in configuration.policies { add(policy) }
  }

  mutating func add(_ machine: SimulatedMachine, address: String? = nil) {
    let key = machine.id.lowercased()
    let index = machineOrder.count
    if machines[key] == nil {
      machineOrder.append(key)
      machinesByName[machine.name.lowercased(), default: []].append(key)
    }
    var publicAddress: String?
    switch machine.publicAddress {
    case .none: break
    case .fixed(let given), .dynamic(let given):
      // Of the upper half of 127/8, so that no packet ever leaves this machine.
      publicAddress = given ?? address ?? IPv4(0x7F80_0001 &+ UInt32(index & 0x1FFFF)).text
    }
    machines[key] = Machine(
      made: machine, vmID: machine.vmID ?? Identifiers.guid("vm " + key),
      privateAddress: machine.privateAddress ?? IPv4(0x0A00_0004 &+ UInt32(index & 0xFFFFF)).text,
      publicAddress: publicAddress, power: machine.power)
    interfaceOwners[interfaceID(of: machine).lowercased()] = key
    for number in 0..<machine.extraInterfaces {
      interfaceOwners[interfaceID(of: machine, number: number + 1).lowercased()] = key
    }
    if machine.publicAddress != .none { addressOwners[addressID(of: machine).lowercased()] = key }
    for id in securityGroupIDs(of: machine) {
      let groupKey = id.lowercased()
      if securityGroups[groupKey] == nil {
        securityGroupOrder.append(groupKey)
        securityGroups[groupKey] = SecurityGroup(
          id: id, name: lastSegment(id), location: machine.location, rules: [])
      }
      securityGroups[groupKey]?.rules += machine.rules
    }
  }

  mutating func removeMachine(_ key: String) {
    guard let machine = machines.removeValue(forKey: key) else { return }
    machineOrder.removeAll { $0 == key }
    machinesByName[machine.made.name.lowercased()]?.removeAll { $0 == key }
    interfaceOwners = interfaceOwners.filter { $0.value != key }
    addressOwners = addressOwners.filter { $0.value != key }
  }

  /// Takes an event's place in the order of their times.
  mutating func schedule(_ action: ScheduledEvent.Action, at due: Instant) {
    let index = events.firstIndex { $0.due > due } ?? events.count
    events.insert(ScheduledEvent(due: due, action: action), at: index)
  }

  func identity(named name: String) -> SimulatedIdentity? {
    configuration.identities.first { $0.name.lowercased() == name.lowercased() }
  }

  func subscription(_ id: String) -> SimulatedSubscription? {
    configuration.subscriptions.first { $0.id == id.lowercased() }
  }

  /// Whether a resource group is there: those that hold a machine or a policy are.
  func hasGroup(_ name: String, in subscription: String) -> Bool {
    let prefix = "/subscriptions/\(subscription)/resourcegroups/\(name)/".lowercased()
    return machineOrder.contains { $0.hasPrefix(prefix) }
      || policyOrder.contains { $0.hasPrefix(prefix) }
      || securityGroupOrder.contains { $0.hasPrefix(prefix) }
  }
}

/// Something that happens by itself at its time.
struct ScheduledEvent: Sendable {
  enum Action: Sendable {
    case policyReady(policy: String, change: Int)
    case denyRules(policy: String, dropped: [String])
    case requestInitiated(policy: String, request: Int)
    case rulesAppear(policy: String, request: Int)
    case windowEnds(policy: String, request: Int)
    case rulesGo(policy: String, request: Int)
    case power(machine: String, SimulatedMachine.Power)
  }

  var due: Instant
  var action: Action
}

func lastSegment(_ id: String) -> String {
  id.lastIndex(of: "/").map { String(id[id.index(after: $0)...]) } ?? id
}
