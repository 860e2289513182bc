import Azure
import FoundationEssentials
import Platform

/// The security groups of subnet and interface, each with the rules that matter, in their order.
extension Doctor {
  func paths(_ patient: Patient) async -> [InboundPath] {
    guard let (azure, machine) = patient.subject else { return [] }
    return await azure.securityGroups.paths(to: machine)
  }

  func securityGroups(
    _ patient: Patient, _ paths: [InboundPath], _ mine: [SourcePrefix]
  ) -> [Finding] {
    let checks = ["nsg", "jit-rule", "exposure"]
    guard let (_, machine) = patient.subject else { return checks.map { patient.unseen($0) } }
    guard let path = paths.first else {
      return checks.map { .unknown($0, "not seen: its network interface is not known") }
    }
    var findings = unread(path, machine)
    if path.groups.isEmpty, path.unread.isEmpty { findings.append(unguarded(patient, machine)) }
    if path.groups.isEmpty {
      // Where there is none its rules are no question.
      let rest = path.unread.isEmpty ? [] : checks.dropFirst()
      return findings + rest.map { .unknown($0, "not seen: no security group could be read") }
    }
    var told: [ResourceID] = []
    for group in path.groups where !told.contains(group.id) {
      told.append(group.id)
      findings.append(examine(group, path, patient, mine))
      findings += jitRule(group, path, patient)
    }
    return findings + exposure(path, patient)
  }

  /// Groups on the way that Azure does not show.
  private func unread(_ path: InboundPath, _ machine: VirtualMachine) -> [Finding] {
    var findings = path.refusals.map { failure in
      var finding = Finding("nsg", failure)
      finding.state = .unknown
      return finding
    }
    if let address = machine.addresses.first, address.subnetSecurityGroup == .unknown {
      findings.insert(
        .unknown(
          "nsg", "the security group of the subnet \(address.subnet?.name ?? "") is not known",
          ["the subnet could not be read; \(roleText(.readSubnet))"]), at: 0)
    }
    return findings
  }

  private func unguarded(_ patient: Patient, _ machine: VirtualMachine) -> Finding {
    if let firewall = patient.entry?.publicIPAddress {
      return .ok("nsg", "no network security group guards it; the firewall \(firewall) does")
    }
    let name = "\(machine.name)-nsg"
    var next = shellLine([
      "az", "network", "nsg", "create", "--subscription", machine.subscriptionID, "-g",
      machine.resourceGroup, "-n", name,
    ])
    if let interface = machine.addresses.first?.networkInterface {
      let id =
        "/subscriptions/\(machine.subscriptionID)/resourceGroups/\(machine.resourceGroup)"
        + "/providers/Microsoft.Network/networkSecurityGroups/\(name)"
      next +=
        " && "
        + shellLine([
          "az", "network", "nic", "update", "--ids", interface.text, "--network-security-group", id,
        ])
    }
    return .problem(
      "nsg", "no network security group guards it: just-in-time access needs one",
      ["a new one shuts every port to the Internet until a rule opens it"], next: next)
  }

  // MARK: One group

  private func examine(
    _ group: NetworkSecurityGroup, _ path: InboundPath, _ patient: Patient, _ mine: [SourcePrefix]
  ) -> Finding {
    let name = title(group, patient)
    let rules = group.rules(port: patient.port, protocol: .tcp, destination: path.destination)
    let details = rules.map { line($0, path, patient.port) }
    guard !mine.isEmpty else {
      return .unknown(
        "nsg", "\(name): whether it lets you in cannot be told without your address", details)
    }
    let decisions = mine.map { source in
      (
        source,
        group.decision(
          from: source, port: patient.port, protocol: .tcp, destination: path.destination)
      )
    }
    guard
      let (source, decision) = decisions.first(where: { $0.1.access != .allow })
        ?? decisions.first
    else { return .unknown("nsg", name, details) }
    let by = decision.rule.map { "by \($0.name) (\($0.priority))" } ?? "since no rule allows it"
    switch decision.access {
    case .allow: return .ok("nsg", "\(name) lets \(source.text) in \(by)", details)
    case .deny:
      let (more, next) = mend(decision.rule, group, path, patient, mine)
      return .problem("nsg", "\(name) keeps \(source.text) out \(by)", details + more, next: next)
    case nil:
      let doubtful = decision.doubtful.map { "\($0.name) (\($0.priority))" }
      return .unknown(
        "nsg", "\(name) depends on \(doubtful.joined(separator: ", "))",
        details + ["for whom that is cannot be told from here"])
    }
  }

  /// "web1-nsg (interface)".
  private func title(_ group: NetworkSecurityGroup, _ patient: Patient) -> String {
    guard let address = patient.machine?.addresses.first else { return group.name }
    let places = [
      address.subnetSecurityGroup == .id(group.id) ? "subnet" : nil,
      address.networkSecurityGroup == group.id ? "interface" : nil,
    ].compactMap(\.self)
    return "\(group.name) (\(places.joined(separator: " and ")))"
  }

  private func line(_ rule: SecurityGroupRule, _ path: InboundPath, _ port: Int) -> String {
    let sources = (rule.sources + rule.sourceGroups.map(\.name)).joined(separator: ",")
    let match = rule.match(port: port, protocol: .tcp, destination: path.destination)
    return "\(rule.priority) \(rule.name) \(rule.access == .allow ? "allows" : "denies") \(sources)"
      + (match == .maybe ? " (perhaps not on this machine)" : "")
  }

  /// Whether the rules of just-in-time access are there, and first.
  private func jitRule(
    _ group: NetworkSecurityGroup, _ path: InboundPath, _ patient: Patient
  ) -> [Finding] {
    let isEnabled = (try? patient.policies?.get()).map { !$0.isEmpty }
    if isEnabled == false { return [] }
    let rules = group.rules(port: patient.port, protocol: .tcp, destination: path.destination)
    let guarded = path.denyRules(port: patient.port).map(\.group)
    guard guarded.contains(where: { $0.id == group.id }) else {
      let text = "\(group.name) has no rule of just-in-time access for port \(patient.port)"
      // One group on the way that shuts the port is enough.
      if let other = guarded.first {
        return [.ok("jit-rule", "\(text), and needs none: \(other.name) has it")]
      }
      guard isEnabled == true else {
        return [.unknown("jit-rule", text, ["whether it should have one is not known"])]
      }
      // Nothing makes Azure write it anew; whether somebody gets in, `exposure` tells.
      return [.unknown("jit-rule", text, ["after enabling, Azure takes a while to write it"])]
    }
    let before = rules.prefix { $0.jit == nil }.map { "\($0.name) (\($0.priority))" }
    return [
      .ok(
        "jit-rule",
        before.isEmpty
          ? "\(group.name): the rules of just-in-time access come first"
          : "\(group.name): the rules of just-in-time access come behind "
            + before.joined(separator: ", "))
    ]
  }

  /// What lets our address in, where a rule keeps it out.
  private func mend(
    _ rule: SecurityGroupRule?, _ group: NetworkSecurityGroup, _ path: InboundPath,
    _ patient: Patient, _ mine: [SourcePrefix]
  ) -> (details: [String], next: String?) {
    if writesElsewhere(path, group, patient) {
      return (
        ["just-in-time access opens the port in another group; this one needs a rule of its own"],
        group.commandLettingIn(
          mine, to: path.destination, port: patient.port, before: rule,
          name: "jitconnect-\(patient.machine?.name ?? "")-\(patient.port)")
      )
    }
    let request = opening(patient)
    let opening = path.windowRules(port: patient.port).filter { group.id == $0.group.id }
      .map(\.rule).first { rule in
        mine.allSatisfy { source in
          rule.sources.contains { SourcePrefix(wire: $0).contains(source) }
        }
      }
    guard let opening else {
      guard let window = fitting(patient, mine), window.port.status == .initiated else {
        return ([], request)
      }
      return (["a window is open, and its rule is not here"], renewal(patient, window))
    }
    guard let rule, rule.jit == nil, rule.priority < opening.priority else { return ([], request) }
    guard let move = group.moveBehindWindows(rule) else {
      return (
        [
          "it comes before the window's rule \(opening.name) (\(opening.priority)), and no number "
            + "is free behind the windows"
        ], nil
      )
    }
    var details = ["it comes before the window's rule \(opening.name) (\(opening.priority))"]
    if !move.overtakenBy.isEmpty {
      let names = move.overtakenBy.map { "\($0.name) (\($0.priority))" }.joined(separator: ", ")
      details.append("as \(move.priority) it comes behind \(names) too")
    }
    if let count = group.attachments, count > 1 {
      details.append("the group guards \(count) interfaces and subnets")
    }
    return (details, group.command(for: move))
  }

  /// Whether the rules of just-in-time access stand in other groups on the way, and none in this.
  private func writesElsewhere(
    _ path: InboundPath, _ group: NetworkSecurityGroup, _ patient: Patient
  ) -> Bool {
    let groups = (path.denyRules(port: patient.port) + path.windowRules(port: patient.port))
      .map(\.group.id)
    return !groups.isEmpty && !groups.contains(group.id)
  }

  /// What comes before a window: a request that the policy would refuse is not advised.
  private func opening(_ patient: Patient) -> String {
    if let known = try? patient.policies?.get() {
      guard
        let entry = known.first.flatMap({ policy in
          patient.machine.flatMap { policy.machine($0.id) }
        })
      else { return command("enable", of: patient) }
      guard entry.ports.contains(where: { $0.number == patient.port && $0.coversTCP }) else {
        return command("edit", "--add-port", String(patient.port), of: patient)
      }
    }
    return command("request", of: patient, behind: ":\(patient.port)")
  }

  // MARK: Without a window

  private func exposure(_ path: InboundPath, _ patient: Patient) -> [Finding] {
    // Behind a firewall its rules decide, see there.
    guard patient.entry?.publicIPAddress == nil else { return [] }
    let now = world.azureNow
    let live = patient.windows.filter { $0.isLive(at: now) }.map(\.port)
    let isKnown = (try? patient.policies?.get()) != nil
    let exposure = path.exposure(port: patient.port) { rule in
      // Which windows are open is the policy's to say.
      isKnown ? rule.isWindow(among: live, port: patient.port) : rule.jit?.kind == .window
    }
    let holes = exposure.holes.filter(\.reachesInternet)
    guard let hole = holes.first(where: \.isCertain) ?? holes.first else {
      return exposure.unread.isEmpty || exposure.isShut
        ? [.ok("exposure", "without a window nobody from the Internet gets in")]
        : [.unknown("exposure", "who gets in without a window cannot be told", exposure.unread)]
    }
    let rules = hole.openings.map { "\($0.rule.name) (\($0.rule.priority))" }
    let text = "the port is open without a window, by \(rules.joined(separator: " and "))"
    guard hole.isCertain, exposure.unread.isEmpty else {
      return [
        .unknown(
          "exposure", text, ["as far as can be told"] + exposure.unread,
          next: command("enable", "--fix", of: patient))
      ]
    }
    return [.problem("exposure", text, next: command("enable", "--fix", of: patient))]
  }
}
