package import Azure
import FoundationEssentials
package import Platform
package import Terminal

/// Whether the ports of a policy are really shut: read from the security groups, not believed.
package struct PortProof: Sendable, Equatable {
  package enum Verdict: Sendable, Equatable {
    case shut
    /// Somebody gets in without a window.
    case open([PortExposure.Hole])
    /// It cannot be told; why, for the user.
    case unknown(String)
  }

  package struct Port: Sendable, Equatable {
    package var number: Int
    package var verdict: Verdict

    /// Whether somebody gets in without a window, from wherever.
    var isOpen: Bool { if case .open = verdict { true } else { false } }

    /// Whether somebody from outside gets in without a window.
    package var isOpenToInternet: Bool {
      guard case .open(let holes) = verdict else { return false }
      return holes.contains(where: \.reachesInternet)
    }
  }

  package var machine: VirtualMachine
  package var ports: [Port]
  /// The ways that were read, for a rule that shuts what is open.
  package var paths: [InboundPath]
  var exposures: [[PortExposure]]

  /// - Parameters:
  ///   - entry: what the policy says of the machine.
  ///   - live: the windows that are open at the moment: their rules are no holes.
  package init(
    of machine: VirtualMachine, entry: JITPolicy.Machine, paths: [InboundPath],
    live: [RequestedPort]
  ) {
    self.machine = machine
    self.paths = paths
    let rules = entry.ports
    exposures = paths.map { path in
      rules.map { rule in
        path.exposure(port: rule.number, protocol: rule.protocol) {
          $0.isWindow(among: live, port: rule.number)
        }
      }
    }
    // A port may have a rule for TCP and another for UDP: the verdict is on both.
    var verdicts: [Port] = []
    for rule in rules where !verdicts.contains(where: { $0.number == rule.number }) {
      let ofPort = exposures.flatMap { $0.filter { $0.port == rule.number } }
      verdicts.append(
        Port(number: rule.number, verdict: Self.verdict(ofPort, machine, entry)))
    }
    ports = verdicts
  }

  private static func verdict(
    _ exposures: [PortExposure], _ machine: VirtualMachine, _ entry: JITPolicy.Machine
  ) -> Verdict {
    if let firewall = entry.publicIPAddress {
      return .unknown("the firewall \(firewall) stands before it, and its rules decide")
    }
    guard !exposures.isEmpty else {
      return .unknown(machine.unread.first ?? "its network interfaces could not be read")
    }
    let open = exposures.filter { !$0.isShut }
    // What one way proves, no other way that could not be read takes back.
    var holes: [PortExposure.Hole] = []
    for hole in open.filter({ $0.unread.isEmpty && $0.isGuarded }).flatMap(\.holes)
    where !holes.contains(hole) {
      holes.append(hole)
    }
    if !holes.isEmpty { return .open(holes) }
    if let unread = open.lazy.flatMap(\.unread).first ?? machine.unreadInterfaces.first {
      return .unknown(unread)
    }
    return open.isEmpty ? .shut : .unknown("no network security group guards it")
  }

  /// Whether the deny rule of just-in-time access is there, so that the verdict is final.
  func isSettled(_ entry: JITPolicy.Machine) -> Bool {
    if ports.allSatisfy({ $0.verdict == .shut }) { return true }
    if paths.allSatisfy(\.groups.isEmpty) || entry.publicIPAddress != nil { return true }
    return entry.ports.allSatisfy { rule in
      paths.contains { !$0.denyRules(port: rule.number).isEmpty }
    }
  }
}

/// Reads the security groups until the policy shows in them, and mends what is open.
package struct PortProver: Sendable {
  let world: World
  let azure: AzureAccess
  /// Nil where something else is waited for meanwhile.
  let progress: Progress?

  package init(_ world: World, _ azure: AzureAccess, progress: Progress?) {
    self.world = world
    self.azure = azure
    self.progress = progress
  }

  /// Reads what guards the ports of a machine that a policy holds.
  ///
  /// - Parameter waits: whether a deny rule that is not there yet is waited for.
  /// - Returns: nil where the policy does not hold the machine.
  package func prove(
    _ machine: VirtualMachine, _ policy: JITPolicy, waits: Bool = true
  ) async throws(Failure) -> PortProof? {
    guard let entry = policy.machine(machine.id) else { return nil }
    func live(_ policy: JITPolicy) -> [RequestedPort] {
      let now = world.azureNow
      return policy.windows(of: machine.id).filter { $0.isLive(at: now) }.map(\.port)
    }
    let deadline = ContinuousClock.now + DenyRule.appearing
    progress?.show("reading the network security groups")
    while true {
      let paths = await azure.securityGroups.paths(to: machine)
      // What was broken off is no answer.
      if Task.isCancelled {
        throw Failure(.interrupted, what: "interrupted", why: "the policy is written")
      }
      let proof = PortProof(of: machine, entry: entry, paths: paths, live: live(policy))
      if !waits { return proof }
      if proof.isSettled(entry) || ContinuousClock.now > deadline {
        // What looks open may be a window that was opened since the policy was read.
        guard proof.ports.contains(where: \.isOpen),
          let current = try? await azure.policies.get(policy.id)
        else { return proof }
        return PortProof(of: machine, entry: entry, paths: paths, live: live(current))
      }
      progress?.show("waiting for the deny rule of just-in-time access")
      do {
        try await Task.sleep(for: .seconds(2))
      } catch {
        throw Failure(.interrupted, what: "interrupted", why: "the policy is written")
      }
    }
  }

  /// Offers to write the rules that shut what a proof found open.
  ///
  /// - Parameter isConfirmed: `--yes`.
  /// - Returns: the proof after the change; the same one where nothing was to be changed.
  package func mend(
    _ proof: PortProof, _ policy: JITPolicy, isConfirmed: Bool
  ) async throws(Failure) -> PortProof {
    guard proof.ports.contains(where: { $0.verdict != .shut }),
      // Another machine's rule may have come into the same group meanwhile.
      let proof = try await prove(proof.machine, policy, waits: false)
    else { return proof }
    var rules: [ShuttingRule] = []
    var taken: [ResourceID: Set<Int>] = [:]
    for (path, exposures) in zip(proof.paths, proof.exposures) {
      rules += try ShuttingRule.plan(
        for: exposures, on: path, of: proof.machine.id, taken: &taken)
    }
    guard !rules.isEmpty else { return proof }
    let lines = rules.map { rule in
      "rule \(rule.id.name) in \(rule.group.name): priority \(rule.priority), denies port "
        + "\(rule.ports.map(String.init).joined(separator: ", ")) of \(rule.address) from any, before "
        + rule.outranked.joined(separator: ", ")
    }
    let text = lines.joined(separator: "\n")
    if isConfirmed {
      world.console.note(text)
    } else {
      let question = "\(text)\nWrite \(rules.count == 1 ? "it" : "them")?"
      switch await world.ask({ $0.confirm(question) }) {
      case .given(true): break
      case .interrupted:
        throw Failure(.interrupted, what: "interrupted", why: "the policy is written")
      case .notPossible:
        throw Failure(
          .declined, what: "no rule was written: nobody can be asked", why: text,
          next: "jitconnect enable --fix --yes \(proof.machine.id.text)")
      default: return proof
      }
    }
    for rule in rules {
      try await azure.securityGroups.put(
        rule.id, properties: rule.properties, purpose: "write the security rule \(rule.id.name)")
      world.console.note(
        "undo it with: \(ShuttingRule.deleting(rule.id.name, of: rule.group))")
    }
    return try await prove(proof.machine, policy, waits: false) ?? proof
  }

  /// The rules that ``mend(_:_:isConfirmed:)`` made for a machine, by its own addresses.
  package func ownRules(_ machine: VirtualMachine) async -> OwnRules {
    var found = OwnRules(unread: machine.unreadInterfaces)
    for path in await azure.securityGroups.paths(to: machine) {
      found.unread += path.unread.filter { !found.unread.contains($0) }
      guard let address = path.destination.privateAddress?.text else { continue }
      for group in path.groups {
        for rule in group.rules
        where ShuttingRule.isOwn(rule, of: machine.id, address: address) {
          if let id = rule.id, !found.ids.contains(id) {
            found.ids.append(id)
            found.ports.append(rule.ports.filter { $0.first == $0.last }.map(\.first))
          }
        }
      }
    }
    return found
  }

  /// Rules of ours before a machine.
  package struct OwnRules: Sendable {
    package var ids: [ResourceID] = []
    /// What each of them shuts.
    package var ports: [[Int]] = []
    /// Where there may be more, and why it is not known.
    package var unread: [String]
  }
}

extension PortProof {
  /// What is open to the Internet, as a failure that says by which rule and how to mend it; nil
  /// where nothing is.
  package func failure(retype: String) -> Failure? {
    let lines = ports.compactMap { port -> String? in
      guard case .open(let holes) = port.verdict, port.isOpenToInternet else { return nil }
      return holes.filter(\.reachesInternet).map { Self.text($0, port.number, paths) }
        .joined(separator: "\n")
    }
    guard !lines.isEmpty else { return nil }
    let open = ports.filter(\.isOpenToInternet).map { "port \($0.number)" }
    return Failure(
      .portStillOpen,
      what: "\(open.joined(separator: ", ")) of \(machine.name) is still open without a window",
      why: lines.joined(separator: "\n"), next: retype)
  }

  /// What is worth a warning: ways in from inside, and what could not be told.
  package var warnings: [String] {
    ports.compactMap { port in
      switch port.verdict {
      case .unknown(let reason):
        "cannot tell whether port \(port.number) of \(machine.name) is shut: \(reason)"
      case .open(let holes) where !port.isOpenToInternet:
        holes.map { Self.text($0, port.number, paths) }.joined(separator: "\n")
      default: nil
      }
    }
  }

  private static func text(
    _ hole: PortExposure.Hole, _ port: Int, _ paths: [InboundPath]
  ) -> String {
    let rules = hole.openings.map {
      "'\($0.rule.name)' (priority \($0.rule.priority), \($0.group.name))"
    }
    let deny = paths.lazy.flatMap { $0.denyRules(port: port) }.first
    let behind =
      deny.map { ", before the deny rule of just-in-time access (\($0.rule.priority))" }
      ?? ", and just-in-time access has no deny rule for it yet"
    let mend =
      hole.openings.last.map { opening in
        opening.rule.isDefault
          ? "" : "; to take it out: \(ShuttingRule.deleting(opening.rule.name, of: opening.group))"
      } ?? ""
    return
      "the rule \(rules.joined(separator: " and ")) lets \(sourceText(hole)) in to port \(port)"
      + behind + (hole.isCertain ? "" : " (as far as can be told)") + mend
  }

  private static func sourceText(_ hole: PortExposure.Hole) -> String {
    if hole.sources.isEverything { return "everybody" }
    let rule = hole.openings.last?.rule
    let names = (rule?.sources ?? []) + (rule?.sourceGroups.map(\.name) ?? [])
    let text = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? ", …" : "")
    return text == "*" ? "everybody" : text
  }
}
