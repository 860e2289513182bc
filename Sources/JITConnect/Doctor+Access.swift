import Azure
import FoundationEssentials
import Platform
import SSHConfig

/// Just-in-time access itself: policy, source, window, and the rules that carry them out.
extension Doctor {
  func policy(_ patient: Patient, _ list: Result<[JITPolicy], Failure>) -> [Finding] {
    if case .failure(let failure) = list { return [Finding("policy", failure)] }
    guard let policy = patient.policy, let entry = patient.entry else {
      return [
        .problem(
          "policy", "just-in-time access is not enabled on it",
          next: "jitconnect enable \(patient.shown)")
      ]
    }
    guard let rule = entry.ports.first(where: { $0.number == patient.port && $0.coversTCP }) else {
      let others = entry.ports.map { String($0.number) }.joined(separator: ", ")
      return [
        .problem(
          "policy", "the policy \(policy.name) does not hold port \(patient.port)",
          ["it holds \(others.isEmpty ? "none" : others)"],
          next: "jitconnect edit \(patient.shown) --add-port \(patient.port)")
      ]
    }
    let most = rule.maximumDuration.map { ", at most \(durationText($0))" } ?? ""
    return [
      .ok(
        "policy",
        "the policy \(policy.name) opens port \(patient.port) for \(texts(rule.allowedSources))"
          + most)
    ]
  }

  func address(_ source: Result<[SourcePrefix], Failure>) -> Finding {
    switch source {
    case .success(let sources): .ok("source", "you come from \(texts(sources))")
    case .failure(let failure): Finding("source", failure)
    }
  }

  /// The live window for this port, and whether it is for our own address.
  func window(_ patient: Patient, _ mine: [SourcePrefix]) -> [Finding] {
    guard let policy = patient.policy, let entry = patient.entry,
      let rule = entry.ports.first(where: { $0.number == patient.port })
    else { return [] }
    var findings: [Finding] = []
    for source in mine where !rule.allows(source) {
      findings.append(
        .problem(
          "source", "the policy does not allow \(source.text)",
          next: "jitconnect edit \(patient.shown) --port \(patient.port) "
            + "--allow-source \(source.text)"))
    }
    let now = world.clock.now()
    let live = policy.windows(of: patient.machine.id)
      .filter { $0.port.number == patient.port && $0.isLive(at: now) }
    let request = "jitconnect request \(patient.shown):\(patient.port)"
    guard !live.isEmpty else {
      return findings + [.problem("window", "no window is open", next: request)]
    }
    let details = live.map { $0.text(on: patient.machine.name, now: now) }
    let fitting = live.first { window in
      !mine.isEmpty
        && mine.allSatisfy { own in window.port.sources.contains { $0.contains(own) } }
    }
    if mine.isEmpty { return findings + [.unknown("window", details.joined(separator: "; "))] }
    guard let fitting else {
      return findings + [
        .problem("window", "no open window is for \(texts(mine))", details, next: request)
      ]
    }
    if fitting.port.status != .initiated {
      return findings + [
        .unknown("window", "Azure says the request is \(fitting.port.status) still")
      ]
    }
    let isOwn = OwnWindows(world.environment, clock: world.clock).holds(fitting)
    let text = fitting.text(on: patient.machine.name, now: now)
    return findings + [.ok("window", isOwn ? "yours: \(text)" : text)]
  }

  /// The security groups of subnet and interface, each with the rules that matter, in their order.
  func securityGroups(
    _ patient: Patient, _ paths: [InboundPath], _ mine: [SourcePrefix]
  ) -> [Finding] {
    guard let path = paths.first else { return [] }
    var findings = path.unread.map { Finding.unknown("nsg", $0) }
    if path.groups.isEmpty, path.unread.isEmpty {
      findings.append(
        .problem(
          "nsg", "no network security group guards it: just-in-time access needs one",
          next: "az network nsg create -g \(patient.machine.resourceGroup) -n "
            + "\(patient.machine.name)-nsg, then attach it to the interface"))
    }
    for group in path.groups {
      findings += examine(group, path, patient, mine)
    }
    let now = world.clock.now()
    let live = (patient.policy?.windows(of: patient.machine.id) ?? [])
      .filter { $0.isLive(at: now) }.map(\.port)
    let exposure = path.exposure(port: patient.port) {
      $0.isWindow(among: live, port: patient.port)
    }
    if let hole = exposure.holes.first(where: \.reachesInternet), exposure.isGuarded {
      let rules = hole.openings.map { "\($0.rule.name) (\($0.rule.priority))" }
      findings.append(
        .problem(
          "exposure", "the port is open without a window, by \(rules.joined(separator: " and "))",
          next: "jitconnect enable \(patient.shown) --fix"))
    }
    return findings
  }

  private func examine(
    _ group: NetworkSecurityGroup, _ path: InboundPath, _ patient: Patient, _ mine: [SourcePrefix]
  ) -> [Finding] {
    let rules = group.rules(port: patient.port, protocol: .tcp, destination: path.destination)
    let details = rules.map { rule in
      let sources = (rule.sources + rule.sourceGroups.map(\.name)).joined(separator: ",")
      let word = rule.access == .allow ? "allows" : "denies"
      return "\(rule.priority) \(rule.name) \(word) \(sources)"
    }
    var findings: [Finding] = []
    guard let source = mine.first else {
      return [Finding.unknown("nsg", "\(group.name): your address is not known")]
    }
    let decision = group.decision(
      from: source, port: patient.port, protocol: .tcp, destination: path.destination)
    let by = decision.rule.map { "by \($0.name) (\($0.priority))" } ?? "since no rule allows it"
    switch decision.access {
    case .allow: findings.append(.ok("nsg", "\(group.name) lets \(source.text) in \(by)", details))
    case .deny:
      findings.append(
        .problem(
          "nsg", "\(group.name) keeps \(source.text) out \(by)", details,
          next: mend(decision.rule, group, path, patient, mine)))
    case nil:
      let doubtful = decision.doubtful.map(\.name).joined(separator: ", ")
      findings.append(.unknown("nsg", "\(group.name) depends on \(doubtful)"))
    }
    guard patient.entry != nil else { return findings }
    if !path.denyRules(port: patient.port).contains(where: { $0.group.id == group.id }) {
      findings.append(
        .problem(
          "jit-rule", "\(group.name) has no rule of just-in-time access for port \(patient.port)",
          next: "jitconnect enable \(patient.shown)"))
    } else if let first = rules.first, first.jit == nil {
      findings.append(
        .ok("jit-rule", "\(group.name): \(first.name) comes before just-in-time access's rules"))
    } else {
      findings.append(.ok("jit-rule", "\(group.name): just-in-time access's rules come first"))
    }
    return findings
  }

  /// What lets our address in, where a rule keeps it out.
  private func mend(
    _ rule: SecurityGroupRule?, _ group: NetworkSecurityGroup, _ path: InboundPath,
    _ patient: Patient, _ mine: [SourcePrefix]
  ) -> String {
    let request = "jitconnect request \(patient.shown):\(patient.port)"
    guard let rule, rule.jit == nil, !rule.isDefault else { return request }
    let hasWindow = path.windowRules(port: patient.port).contains {
      $0.group.id == group.id && $0.rule.priority > rule.priority && $0.rule.isFor(mine)
    }
    guard hasWindow else { return request }
    return "az network nsg rule update -g \(group.id.resourceGroup ?? "GROUP") --nsg-name "
      + "\(group.name) -n \(rule.name) --priority 4000 (it comes before the window's rule)"
  }
}
