import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An Azure on loopback: sign-in, Resource Manager, Resource Graph, just-in-time policies, and a
/// gate in front of each machine's port.
///
/// Its facts come from public descriptions of Azure's interfaces; what it could not learn there it
/// decides, and ``Behaviour`` switches.
package final class Simulator: Sendable {
  let world: Mutex<World>
  private let arm: HTTPServer
  private let login: HTTPServer
  private let gatekeeper: GateKeeper
  let log = CallLog()
  let interceptions = Mutex<[Interception]>([])
  let wake: (read: Int32, write: Int32)
  private let stopped = Mutex(false)
  private let gateOrder = Mutex(())
  let configuration: SimulatorConfiguration

  struct Interception {
    var method: String
    var path: String
    var action: @Sendable (Simulator) -> Void
  }

  /// Takes the ports; ``start()`` answers on them.
  package init(_ configuration: SimulatorConfiguration = SimulatorConfiguration()) throws {
    var configuration = configuration
    arm = try HTTPServer()
    login = try HTTPServer()
    wake = try makePipe()
    let gates = try GateSeeds(&configuration.machines)
    self.configuration = configuration
    gatekeeper = try GateKeeper(gates.gates, sockets: gates.sockets)
    world = Mutex(
      World(
        configuration, armURL: "http://127.0.0.1:\(arm.port)/",
        loginURL: "http://127.0.0.1:\(login.port)/", addresses: gates.addresses))
  }

  deinit {
    close(wake.read)
    close(wake.write)
  }

  /// Begins to answer.
  package func start() {
    let now: @Sendable () -> Instant = { [self] in world.withLock(\.now) }
    arm.start(now: now) { [self] in answer($0, isLogin: false) }
    login.start(now: now) { [self] in answer($0, isLogin: true) }
    gatekeeper.start(
      decision: { [self] gate, peer in
        world.withLock { world in
          _ = world.settle()
          let source = world.networkAddress(of: peer)
          return (
            source, world.reaches(gate.machineKey, port: gate.machinePort, from: source)
          )
        }
      }, observer: { [self] in log.record($0, $1, source: $2) })
    applyGates()
    startThread { [self] in
      while !stopped.withLock({ $0 }) {
        let wait = world.withLock { world -> Int32 in
          guard let next = world.settle() else { return -1 }
          // Never negative, which would wait for ever.
          return Int32(clamping: max(0, (next - world.now).ticks / 10_000 + 1))
        }
        applyGates()
        if Socket.readable([wake.read], milliseconds: wait).isEmpty { continue }
        _ = try? readSome(wake.read, limit: 64)
      }
    }
  }

  /// Ends all connections and gives the ports back.
  package func stop() {
    stopped.withLock { $0 = true }
    arm.stop()
    login.stop()
    gatekeeper.stop()
    try? writeAll(wake.write, [0])
  }

  // Where it is

  /// Resource Manager's URL, without a final slash.
  package var baseURL: String { "http://127.0.0.1:\(arm.port)" }
  /// The login server's URL, without a final slash.
  package var loginURL: String { "http://127.0.0.1:\(login.port)" }

  /// The variables that lead a program here; the first application signs in.
  package var environment: [String: String] {
    let application = configuration.identities.first { $0.secret != nil }
    var variables = [
      "ARM_CLOUD_METADATA_URL": baseURL + "/metadata/endpoints?api-version=2022-09-01",
      "JITCONNECT_IP_SERVICES": configuration.addressServices
        .map { "\(baseURL)/ip/\($0.name)" }.joined(separator: ","),
    ]
    variables["AZURE_TENANT_ID"] = application?.tenants.first
    variables["AZURE_CLIENT_ID"] = application?.name
    variables["AZURE_CLIENT_SECRET"] = application?.secret
    return variables
  }

  /// The port to connect to for a machine's first gate, by its name.
  package func gatePort(of machine: String) -> UInt16? { gate(of: machine)?.port }
  /// The public address of a machine's first gate.
  package func gateAddress(of machine: String) -> String? { gate(of: machine)?.address }

  /// The private address of one of a machine's interfaces, by the machine's name.
  package func privateAddress(of machine: String, interface: Int = 0) -> String? {
    world.withLock { world in
      world.machinesByName[machine.lowercased()]?.first.flatMap { world.machines[$0] }
        .map { world.privateAddress(of: $0, number: interface) }
    }
  }

  private func gate(of machine: String) -> GateKeeper.Gate? {
    gatekeeper.gates.first { $0.machineName.lowercased() == machine.lowercased() }
  }

  // What happens to it

  /// Changes switches while it runs.
  package func change(_ body: (inout Behaviour) -> Void) {
    world.withLock { body(&$0.behaviour) }
    settle()
  }

  /// Moves the clock forward; what falls due has happened when it returns.
  package func advance(by duration: Duration) {
    world.withLock { $0.ahead += duration }
    settle()
  }

  /// Spoils calls that match.
  package func inject(_ fault: Fault) { world.withLock { $0.faults.append(fault) } }
  package func clearFaults() { world.withLock { $0.faults = [] } }

  /// Runs `action` once, directly before the next call of this method whose path holds `path`.
  package func beforeNext(
    _ method: String, _ path: String, _ action: @escaping @Sendable (Simulator) -> Void
  ) {
    interceptions.withLock {
      $0.append(Interception(method: method, path: path.lowercased(), action: action))
    }
  }

  /// Lets an address service answer otherwise.
  package func answerAddress(_ service: String, with answer: SimulatedAddressService.Answer) {
    world.withLock { $0.addressAnswers[service] = answer }
  }

  /// Adds a machine, or replaces the one of that id; gates are only for those it started with.
  package func add(_ machine: SimulatedMachine) {
    world.withLock { $0.add(machine) }
    settle()
  }

  /// Changes a machine, by its name: its power, its vmId, what Resource Graph knows of it.
  package func changeMachine(_ name: String, _ body: (inout SimulatedMachine) -> Void) {
    world.withLock { world in
      guard let key = world.machinesByName[name.lowercased()]?.first,
        var machine = world.machines[key]
      else { return }
      body(&machine.made)
      machine.power = machine.made.power
      if let vmID = machine.made.vmID { machine.vmID = vmID }
      switch machine.made.publicAddress {
      case .none: machine.publicAddress = nil
      case .fixed(let address), .dynamic(let address):
        if let address { machine.publicAddress = address }
      }
      world.machines[key] = machine
    }
    settle()
  }

  /// Deletes a machine; policies keep its entry, as Azure's do.
  package func removeMachine(_ name: String) {
    world.withLock { world in
      for key in world.machinesByName[name.lowercased()] ?? [] { world.removeMachine(key) }
    }
    settle()
  }

  /// Writes a policy, as another person would.
  package func add(_ policy: SimulatedPolicy) {
    world.withLock { $0.add(policy) }
    settle()
  }

  /// Puts a rule into a network security group, by the group's name.
  package func add(_ rule: SecurityRule, to group: String) {
    world.withLock { world in
      for (key, value) in world.securityGroups where value.name.lowercased() == group.lowercased() {
        world.securityGroups[key]?.rules.append(rule)
      }
    }
    settle()
  }

  /// Takes the rules whose name begins so out of a network security group, as terraform would.
  package func removeRules(_ prefix: String, from group: String) {
    world.withLock { world in
      for (key, value) in world.securityGroups where value.name.lowercased() == group.lowercased() {
        world.securityGroups[key]?.rules.removeAll { $0.name.hasPrefix(prefix) }
      }
    }
    settle()
  }

  /// From now on refuses the tokens issued so far with a claims challenge.
  package func revokeTokens(claims: String, generic: Bool = false) {
    world.withLock { world in
      world.revocation = World.Revocation(
        claims: claims, generic: generic, since: world.nextNumber)
    }
  }

  /// Lets all tokens issued so far be over.
  package func expireTokens() {
    world.withLock { world in
      for key in world.tokens.keys { world.tokens[key]?.expires = Instant(ticks: 0) }
    }
  }

  /// A token as the login server would issue it, for the caches of other programs.
  package func issueToken(
    to identity: String, tenant: String? = nil,
    audience: String = "https://management.core.windows.net/", lifetime: Duration? = nil
  ) -> String? {
    world.withLock { world in
      guard let identity = world.identity(named: identity),
        let tenant = tenant ?? identity.tenants.first
      else { return nil }
      return world.issueToken(
        to: identity, tenant: tenant, audience: audience, lifetime: lifetime)
    }
  }

  // What it saw and knows

  package var report: CallReport { log.report }
  package func resetReport() { log.reset() }

  /// A policy as Azure would show it, by its name and group.
  package func policy(_ name: String = "default", group: String = "rg-demo") -> JSON? {
    world.withLock { world in
      _ = world.settle()
      return world.policies.values.first {
        $0.name.lowercased() == name.lowercased() && $0.group.lowercased() == group.lowercased()
      }?.json()
    }
  }

  /// The rules of a network security group, by its name.
  package func rules(of group: String) -> [SecurityRule] {
    world.withLock { world in
      _ = world.settle()
      return world.securityGroups.values.first { $0.name.lowercased() == group.lowercased() }?.rules
        ?? []
    }
  }

  /// Whether a connection from an address reaches a machine's port now.
  package func reaches(_ machine: String, port: Int, from source: String) -> Bool {
    world.withLock { world in
      _ = world.settle()
      guard let key = world.machinesByName[machine.lowercased()]?.first else { return false }
      return world.reaches(key, port: port, from: source)
    }
  }

  /// A machine's power state.
  package func power(of machine: String) -> SimulatedMachine.Power? {
    world.withLock { world in
      _ = world.settle()
      return world.machinesByName[machine.lowercased()]?.first.flatMap { world.machines[$0]?.power }
    }
  }

  /// The simulated time.
  package var now: Instant { world.withLock(\.now) }

  // The machinery

  private func settle() {
    world.withLock { _ = $0.settle() }
    applyGates()
    try? writeAll(wake.write, [0])
  }

  func applyGates() {
    guard !gatekeeper.gates.isEmpty else { return }
    // One at a time: a decision that was made earlier must not be carried out later.
    gateOrder.withLock { _ in
      let open = world.withLock { world in
        let addresses = world.clientAddresses
        return gatekeeper.gates.map { gate in
          world.behaviour.shutGateAccepts
            || addresses.contains {
              world.reaches(gate.machineKey, port: gate.machinePort, from: $0)
            }
        }
      }
      gatekeeper.apply(open) { log.record($0, $1, source: $2) }
    }
  }
}
