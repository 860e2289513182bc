package import Azure
package import FoundationEssentials
import Platform

/// Who asked for a machine's ports, when, from where, for how long, and why: from the requests that
/// the policies keep, and the activity log, which knows who.
package struct AccessHistory: Sendable {
  /// One port of one request.
  package struct Entry: Sendable, Equatable {
    package var time: Date?
    package var who: String?
    /// Where the call to Azure came from, by the activity log.
    package var clientAddress: String?
    /// Nil where only the log is left of it.
    package var port: Int?
    package var sources: [SourcePrefix] = []
    package var end: Date?
    package var reason: String?
    package var status: String?
    package var correlationID: String?
  }

  package var entries: [Entry]
  /// What could not be read, each with its reason.
  package var unread: [String]

  /// Reads the history of a machine since a moment.
  package init(of view: MachineView, since: Date, now: Date, _ azure: AzureAccess) async {
    let machine = view.machine.id
    let policies = view.policies.filter { $0.machine(machine) != nil }
    let logs = await sideBySide(policies) { policy in
      await outcome { () async throws(Failure) in
        try await azure.activityLog.requests(of: policy.id, since: since, until: now)
      }
    }
    entries = []
    unread = []
    for (policy, log) in zip(policies, logs) {
      switch log {
      case .success(let events):
        entries += Self.entries(policy, machine, events, since: since)
      case .failure(let failure):
        unread.append("the activity log: \(failure.why ?? failure.what)")
        entries += Self.entries(policy, machine, [], since: since)
      }
    }
    entries.sort { ($0.time ?? .distantPast) > ($1.time ?? .distantPast) }
  }

  /// The requests of a policy that are for a machine, each with its entry of the log.
  static func entries(
    _ policy: JITPolicy, _ machine: ResourceID, _ events: [ActivityLog.Event], since: Date
  ) -> [Entry] {
    var left = events
    var entries: [Entry] = []
    // Every request takes its entry, so that none is given to a request for another machine.
    for request in policy.requests.sorted(by: {
      ($0.start ?? .distantPast) < ($1.start ?? .distantPast)
    }) {
      guard let start = request.start, start >= since else { continue }
      let event = takeEvent(of: request, start, from: &left)
      for port in request.machines.filter({ $0.id == machine }).flatMap(\.ports) {
        entries.append(
          Entry(
            time: start, who: request.requestor ?? event?.caller,
            clientAddress: event?.clientAddress, port: port.number, sources: port.sources,
            end: port.end, reason: request.justification ?? event?.justification,
            status: port.reason.map { "\(port.status) (\($0))" } ?? port.status.rawValue,
            correlationID: event?.correlationID))
      }
    }
    // What the policy has forgotten, or Azure refused: for this machine as far as that can be told.
    for event in left
    where event.machines.contains(machine)
      || (event.machines.isEmpty && policy.machines.map(\.id) == [machine])
    {
      entries.append(
        Entry(
          time: event.time, who: event.caller, clientAddress: event.clientAddress,
          reason: event.justification, status: event.status, correlationID: event.correlationID))
    }
    return entries
  }

  /// The entry that is nearest in time, of the same reason where both tell one.
  private static func takeEvent(
    of request: JITRequest, _ start: Date, from events: inout [ActivityLog.Event]
  ) -> ActivityLog.Event? {
    let lag = ActivityLog.lag.timeInterval
    func distance(_ event: ActivityLog.Event) -> TimeInterval {
      abs(event.time.timeIntervalSince(start))
    }
    let near = events.indices.filter { index in
      let event = events[index]
      guard distance(event) <= lag else { return false }
      if !event.machines.isEmpty {
        guard request.machines.contains(where: { event.machines.contains($0.id) }) else {
          return false
        }
      }
      return event.justification == nil || request.justification == nil
        || event.justification == request.justification
    }
    guard let index = near.min(by: { distance(events[$0]) < distance(events[$1]) }) else {
      return nil
    }
    return events.remove(at: index)
  }
}
