import Azure
import FoundationEssentials
import Platform
import Terminal

/// What the policies say, where we come from, and the window for that.
extension Doctor {
  func policies(_ patient: Patient) async -> Result<[JITPolicy], Failure>? {
    guard let (azure, machine) = patient.subject else { return nil }
    return await outcome { () async throws(Failure) in
      try await azure.policies.list(
        subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
    }
  }

  func policy(_ patient: Patient) -> [Finding] {
    guard let machine = patient.machine, let known = patient.policies else {
      return [patient.unseen("policy", lastPolicy(patient))]
    }
    let policies: [JITPolicy]
    do throws(Failure) {
      policies = try known.get()
    } catch {
      var finding = Finding("policy", error)
      finding.details += lastPolicy(patient)
      return [finding]
    }
    guard let first = policies.first else {
      return [
        .problem(
          "policy", "just-in-time access is not enabled on it",
          next: command("enable", of: patient))
      ]
    }
    let others = policies.dropFirst().map { policy in
      Finding.ok(
        "policy",
        "\(noun(policy, policies)) names it too, and "
          + (opening(policy, machine, patient.port) ?? "does not hold port \(patient.port)"),
        ["a connection goes by \(noun(first, policies)); windows of both count"])
    }
    guard let opening = opening(first, machine, patient.port) else {
      let ports = first.machine(machine.id)?.ports.map { String($0.number) } ?? []
      return [
        .problem(
          "policy", "\(noun(first, policies)) does not hold port \(patient.port)",
          ["it holds \(ports.isEmpty ? "no port" : ports.joined(separator: ", "))"],
          next: command("edit", "--add-port", String(patient.port), of: patient))
      ] + others
    }
    return [.ok("policy", "\(noun(first, policies)) \(opening)")] + others
  }

  /// Two policies of one machine often have one name, in two locations.
  private func noun(_ policy: JITPolicy, _ all: [JITPolicy]) -> String {
    "the policy \(policy.name)" + (all.count > 1 ? " in \(policy.location)" : "")
  }

  /// "opens port 22 for *, at most 3 hours"; nil where it does not hold the port.
  private func opening(_ policy: JITPolicy, _ machine: VirtualMachine, _ port: Int) -> String? {
    guard let rule = rule(policy, machine, port) else { return nil }
    let most = rule.maximumDuration.map { ", at most \(durationText($0))" } ?? ""
    let sources = rule.allowedSources.isEmpty ? "unknown sources" : texts(rule.allowedSources)
    return "opens port \(port) for \(sources)\(most)"
  }

  private func rule(_ policy: JITPolicy, _ machine: VirtualMachine, _ port: Int) -> PortRule? {
    policy.machine(machine.id)?.ports.first { $0.number == port && $0.coversTCP }
  }

  private func lastPolicy(_ patient: Patient) -> [String] {
    guard let machine = patient.machine, let policy = patient.remembered else { return [] }
    return [
      "seen last: the policy \(policy.name) "
        + (opening(policy, machine, patient.port) ?? "does not hold port \(patient.port)")
    ]
  }

  func address(_ source: Result<[SourcePrefix], Failure>) -> Finding {
    switch source {
    case .success(let sources):
      return .ok(
        "source",
        connect.lacksSource
          ? "the jump host comes from \(texts(sources))" : "you come from \(texts(sources))")
    case .failure(let failure): return Finding("source", failure)
    }
  }

  // MARK: The window

  /// Whether the policy lets us ask, and the live window for this port.
  func window(_ patient: Patient, _ mine: [SourcePrefix]) -> [Finding] {
    guard let machine = patient.machine, let known = patient.policies else {
      return [patient.unseen("window", ownRecord(patient))]
    }
    if case .failure(let failure) = known {
      return [.unseen("window", failure, ownRecord(patient))]
    }
    guard let first = patient.known.first else { return [] }
    var findings: [Finding] = []
    if let rule = rule(first, machine, patient.port) {
      for source in mine where !rule.allows(source) {
        findings.append(
          .problem(
            "source", "the policy \(first.name) does not allow \(source.text)",
            ["it allows \(texts(rule.allowedSources))"],
            next: command(
              "edit", "--port", String(patient.port), "--allow-source", source.text, of: patient)))
      }
    }
    return findings + [openWindow(patient, mine)]
  }

  private func openWindow(_ patient: Patient, _ mine: [SourcePrefix]) -> Finding {
    let now = world.azureNow
    let request = command("request", of: patient, behind: ":\(patient.port)")
    let live = patient.windows.filter { $0.isLive(at: now) }
    guard !live.isEmpty else { return .problem("window", "no window is open", next: request) }
    let all = live.map { line($0, now) }
    if mine.isEmpty {
      return .unknown(
        "window", "a window is open; whether it is for you cannot be told without your address",
        all)
    }
    guard let fitting = fitting(patient, mine) else {
      return .problem("window", "no open window is for \(texts(mine))", all, next: request)
    }
    if fitting.port.status != .initiated {
      return .unknown(
        "window", "Azure has not opened the window for \(texts(fitting.port.sources)) yet",
        ["it says that the request is \(printable(fitting.port.status.rawValue, limit: 60))"])
    }
    let until = untilText(fitting, now)
    if own.holds(fitting) {
      return .ok("window", "your window for \(texts(fitting.port.sources)) is open \(until)")
    }
    let whose = fitting.requestor.map { "the window of \(printable($0, limit: 200))" } ?? "a window"
    return .ok(
      "window", "\(whose) for \(texts(fitting.port.sources)) covers \(texts(mine)) \(until)",
      fitting.requestor == nil ? ["Azure does not say who asked for it"] : [])
  }

  /// A live window that lets us in.
  func fitting(_ patient: Patient, _ mine: [SourcePrefix]) -> JITPolicy.Window? {
    let now = world.azureNow
    let fitting = patient.windows.filter { window in
      window.isLive(at: now) && !mine.isEmpty && !own.isClosed(window)
        && mine.allSatisfy { source in window.port.sources.contains { $0.contains(source) } }
    }
    return fitting.first { $0.port.status == .initiated } ?? fitting.first
  }

  private var own: OwnWindows { OwnWindows(world.environment, clock: world.clock) }

  private func untilText(_ window: JITPolicy.Window, _ now: Date) -> String {
    window.port.end.map { "until \(localTimeText($0, now: now))" } ?? "for an unknown time"
  }

  private func line(_ window: JITPolicy.Window, _ now: Date) -> String {
    let whose =
      own.holds(window)
      ? "yours"
      : window.requestor.map { "of \(printable($0, limit: 200))" } ?? "of whom Azure does not say"
    return "\(whose), for \(texts(window.port.sources)), \(untilText(window, now))"
      + (own.isClosed(window) ? ", its rule deleted by jitconnect close" : "")
  }

  /// What this user has opened, by our own record.
  private func ownRecord(_ patient: Patient) -> [String] {
    guard let machine = patient.machine else { return [] }
    let now = world.clock.now()
    return own.all(on: machine.id).filter { $0.port == patient.port }.map {
      "you opened it for \(texts($0.sources)) until \(localTimeText($0.end, now: now))"
        + ($0.isRuleDeleted == true ? ", and closed it" : "")
    }
  }

  /// What asks for a window anew where one seems to be open and its rule is gone: a plain request
  /// would use it again.
  func renewal(_ patient: Patient, _ window: JITPolicy.Window) -> String {
    let left = (window.port.end ?? .distantPast).timeIntervalSince(world.azureNow)
    let wish = Duration.seconds((min(max(Int(left) / 60, 0), 1440) + 5) * 60)
    let most = patient.entry?.rule(for: patient.port)?.maximumDuration ?? .seconds(86400)
    let suffix = ":\(patient.port)"
    if wish <= most {
      return command("request", "--for", durationWord(wish), of: patient, behind: suffix)
    }
    return command("close", of: patient) + " && "
      + command("request", of: patient, behind: suffix)
  }
}
