package import Azure
package import FoundationEssentials
package import Platform

/// What to do so that a port opens: use a window that is open, or ask for one inside the policy.
package struct WindowPlan: Sendable, Equatable {
  package enum Step: Sendable, Equatable {
    /// A window for these sources is open already.
    case reuse(OpenWindow)
    /// To be asked for, the first duration first; the others only where Azure refuses it.
    case request(durations: [Duration])
  }

  /// A window that is open or opening.
  package struct OpenWindow: Sendable, Equatable {
    package var port: Int
    package var sources: [SourcePrefix]
    package var end: Date
    /// By Azure's clock, as the policy tells it.
    package var azureEnd: Date
    package var mappedPort: Int?

    package init(
      port: Int, sources: [SourcePrefix], end: Date, azureEnd: Date? = nil, mappedPort: Int? = nil
    ) {
      self.port = port
      self.sources = sources
      self.end = end
      self.azureEnd = azureEnd ?? end
      self.mappedPort = mappedPort
    }
  }

  package var step: Step
  package var port: Int
  package var sources: [SourcePrefix]
  /// Live windows of other sources on this port, which a new request may end.
  package var others: [JITPolicy.Window]
  /// The policy's block that a source of the request is only a part of: Azure may want the block
  /// word for word (contract section 9, "lone address inside a policy CIDR").
  package var block: SourcePrefix?
  /// Whether the policy names the sources as they are, or anybody: a refusal is not for them then.
  package var isSourceNamed: Bool

  /// What is asked of a policy.
  package struct Wish: Sendable, Equatable {
    package var machineName: String
    package var port: Int
    package var sources: [SourcePrefix]
    /// `JitDuration`; nil is the shortest that is granted.
    package var duration: Duration?
    /// `JitKeepOthers`
    package var keepsOthers: Bool
    /// False where a rule for UDP serves too.
    package var needsTCP = true

    package init(
      machineName: String, port: Int, sources: [SourcePrefix], duration: Duration? = nil,
      keepsOthers: Bool = false, needsTCP: Bool = true
    ) {
      self.machineName = machineName
      self.port = port
      self.sources = sources
      self.duration = duration
      self.keepsOthers = keepsOthers
      self.needsTCP = needsTCP
    }
  }

  /// The shortest duration that the service is said to grant, and what to try where it does not.
  package static let shortestDurations: [Duration] = [5, 10, 30, 60].map { .seconds($0 * 60) }

  /// No wider source of somebody else is named again by `--keep-others`.
  package static let widestKept = 24

  /// A window with less left than this is not used again.
  private static let leastLeft: TimeInterval = 60

  /// Plans a window.
  ///
  /// - Parameters:
  ///   - windows: the requests in the policy.
  ///   - usable: windows that may be used again; nil takes those in the policy that are live.
  ///   - floor: the shortest duration that the service is known to grant.
  ///   - isOwn: whether a live window was opened by this user.
  ///   - isShut: whether a window that should be live proved to be shut.
  /// - Throws: `policy-forbids-…` with what is allowed and what was asked, in words.
  package init(
    _ wish: Wish, entry: JITPolicy.Machine, windows: [JITPolicy.Window],
    usable: [OpenWindow]? = nil, now: Date, floor: Duration?,
    isOwn: (JITPolicy.Window) -> Bool, isShut: (JITPolicy.Window) -> Bool = { _ in false }
  ) throws(Failure) {
    let rule = try Self.rule(wish, entry)
    port = wish.port
    var wanted = wish.sources
    for source in wanted where !rule.allows(source) {
      throw Self.forbidsSource(wish, rule, source)
    }
    block = wanted.lazy.compactMap { rule.block(around: $0) }.first
    isSourceNamed = block == nil && !rule.allowedSources.isEmpty
    var durations = try Self.durations(wish, rule, floor: floor)
    let live = windows.filter { $0.port.number == wish.port && $0.isLive(at: now) }
    others = live.filter { window in
      !isOwn(window)
        && !window.port.sources.allSatisfy { other in
          wish.sources.contains { $0.contains(other) }
        }
    }
    if wish.keepsOthers, let shortest = durations.first {
      // Never for longer than they have left, nothing wide that nobody spelled out here, and
      // nothing that would make Azure refuse the whole: who is left out is named.
      let kept = others.filter { window in
        (window.port.end ?? now) >= now + shortest.timeInterval
          && window.port.sources.allSatisfy {
            ($0.prefixLength ?? 0) >= Self.widestKept && rule.allows($0)
          }
      }
      for source in kept.flatMap(\.port.sources) where !wanted.contains(source) {
        wanted.append(source)
      }
      others.removeAll { kept.contains($0) }
      let left = kept.compactMap(\.port.end).min()
      durations.removeAll { duration in left.map { now + duration.timeInterval > $0 } ?? false }
    }
    sources = wanted

    let candidates =
      usable
      ?? live.filter { !isShut($0) }.compactMap { window in
        window.port.end.map {
          OpenWindow(
            port: window.port.number, sources: window.port.sources, end: $0,
            mappedPort: window.port.mappedPort)
        }
      }
    let open = candidates.first { window in
      guard window.port == wish.port, window.end >= now + Self.leastLeft else { return false }
      if let asked = wish.duration, window.end < now + asked.timeInterval { return false }
      return wish.sources.allSatisfy { source in window.sources.contains { $0.contains(source) } }
    }
    if let open {
      step = .reuse(open)
      sources = wish.sources
      others = []
    } else {
      step = .request(durations: durations)
    }
  }

  private static func rule(
    _ wish: Wish, _ entry: JITPolicy.Machine
  ) throws(Failure) -> PortRule {
    let rules = entry.ports.filter { $0.number == wish.port }
    if let rule = rules.first(where: \.coversTCP) { return rule }
    if !wish.needsTCP, let rule = rules.first { return rule }
    let allowed = entry.ports.filter { $0.coversTCP || !wish.needsTCP }.map { String($0.number) }
    throw Failure(
      .policyForbidsPort,
      what: "the policy of \(wish.machineName) does not allow port \(wish.port)",
      why: allowed.isEmpty
        ? "it has no TCP port" : "it allows port \(allowed.joined(separator: ", "))",
      next: allowed.first.map { "jitconnect -p \($0) \(wish.machineName)" }
        ?? "add it to the policy: jitconnect edit \(wish.machineName) --add-port \(wish.port)")
  }

  private static func forbidsSource(
    _ wish: Wish, _ rule: PortRule, _ source: SourcePrefix
  ) -> Failure {
    let allowed = rule.allowedSources.map(\.text).joined(separator: ", ")
    return Failure(
      .policyForbidsSource,
      what: "the policy of \(wish.machineName) does not allow \(source.text)",
      why: "port \(rule.number) may be opened for \(allowed)",
      next: "name an address that is allowed with --source, or allow it: jitconnect edit "
        + "\(wish.machineName) --port \(rule.number) --allow-source \(source.text)")
  }

  private static func durations(
    _ wish: Wish, _ rule: PortRule, floor: Duration?
  ) throws(Failure) -> [Duration] {
    let most = rule.maximumDuration
    if let asked = wish.duration {
      if let most, asked > most {
        throw Failure(
          .policyForbidsDuration,
          what: "the policy of \(wish.machineName) does not allow \(durationText(asked))",
          why: "port \(rule.number) may be opened for at most \(durationText(most))",
          next: "ask for less: --for \(durationWord(most))")
      }
      guard asked >= shortestDurations[0] else {
        throw Failure(
          .policyForbidsDuration, what: "a window of \(durationText(asked)) is too short",
          why:
            "just-in-time access opens a port for at least \(durationText(shortestDurations[0]))",
          next: "leave --for out: the shortest time is taken by itself")
      }
      return [asked]
    }
    let allowed = shortestDurations.filter { $0 >= floor ?? .zero && $0 <= most ?? .seconds(86400) }
    if !allowed.isEmpty { return allowed }
    return [most ?? shortestDurations[0]]
  }
}

/// A duration as people say it: `5 minutes`, `1 hour 30 minutes`.
package func durationText(_ duration: Duration) -> String {
  parts(of: duration).map { "\($0.count) \($0.unit)\($0.count == 1 ? "" : "s")" }
    .joined(separator: " ")
}

/// A duration as `--for` takes it: `1h30m`.
package func durationWord(_ duration: Duration) -> String {
  parts(of: duration).map { "\($0.count)\($0.unit.prefix(1))" }.joined()
}

private func parts(of duration: Duration) -> [(count: Int64, unit: String)] {
  let seconds = max(duration.components.seconds, 0)
  let parts = [
    (seconds / 86400, "day"), (seconds % 86400 / 3600, "hour"), (seconds % 3600 / 60, "minute"),
    (seconds % 60, "second"),
  ].filter { $0.0 > 0 }
  return parts.isEmpty ? [(0, "second")] : parts
}

extension Duration {
  /// Seconds, for dates.
  var timeInterval: TimeInterval {
    TimeInterval(components.seconds) + TimeInterval(components.attoseconds) / 1e18
  }
}
