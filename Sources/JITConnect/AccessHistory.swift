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
    /// Whether that is not the request's own word: its entry of the log was found by its time, or
    /// the log names no machine.
    package var whoIsInferred = false
    /// Whether this user opened it with this program, as far as that is still recorded.
    package var isOwn = false
    /// The policy whose machines it may be for, where the log names none of them; nil where it is
    /// for this one.
    package var perhapsOf: String?
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

  package var entries: [Entry] = []
  /// Requests in the log that name no machine and that nobody can tell to be for this one or not;
  /// those of a policy that holds it are among the entries.
  package var unattributed = 0
  /// What could not be read, each with its reason.
  package var unread: [String] = []

  init() {}

  /// Reads the history of a machine since a moment.
  ///
  /// Where no policy holds the machine any more, the log of its whole subscription still knows.
  package init(
    of view: MachineView, since: Date, now: Date, own: OwnWindows, _ azure: AzureAccess
  ) async {
    let machine = view.machine.id
    let holding = view.policies.filter { $0.machine(machine) != nil }
    if holding.isEmpty {
      await readAfterwards(view, since, now, azure)
    } else {
      let logs = await sideBySide(holding) { policy in
        await outcome { () async throws(Failure) in
          try await azure.activityLog.requests(of: policy.id, since: since, until: now)
        }
      }
      for (policy, log) in zip(holding, logs) {
        add(policy, machine, events(log), since: since, own: own)
      }
    }
    entries.sort { ($0.time ?? .distantPast) > ($1.time ?? .distantPast) }
  }

  /// What a read of the log gave; a failure is kept as a gap.
  private mutating func events(
    _ log: Result<[ActivityLog.Event], Failure>
  ) -> [ActivityLog.Event] {
    switch log {
    case .success(let events): return events
    case .failure(let failure):
      unread.append("the activity log: \(failure.why ?? failure.what)")
      return []
    }
  }

  private mutating func readAfterwards(
    _ view: MachineView, _ since: Date, _ now: Date, _ azure: AzureAccess
  ) async {
    let machine = view.machine
    var left = events(
      await outcome { () async throws(Failure) in
        try await azure.activityLog.requests(
          in: machine.subscriptionID, since: since, until: now)
      })
    // A policy that stays for others remembers requests of machines that left it.
    for policy in view.policies where policy.requests.contains(where: { $0.isFor(machine.id) }) {
      add(policy, machine.id, left.filter { $0.policy == policy.id }, since: since)
      left.removeAll { $0.policy == policy.id }
    }
    let here = left.filter { event in
      event.machines.contains(machine.id)
        // As the portal has it: the policy lies in the machine's group and location.
        || (event.machines.isEmpty
          && event.policy?.resourceGroup?.lowercased() == machine.resourceGroup.lowercased()
          && locationKey(event.policy?.segment(after: "locations") ?? "")
            == locationKey(machine.location))
    }
    unattributed += here.count(where: \.machines.isEmpty)
    entries += here.filter { !$0.machines.isEmpty }.map { Entry($0) }
  }

  /// Adds the requests of a policy that are for a machine, each with its entry of the log.
  mutating func add(
    _ policy: JITPolicy, _ machine: ResourceID, _ events: [ActivityLog.Event], since: Date,
    own: OwnWindows? = nil
  ) {
    let owned = policy.windows(of: machine).filter { own?.holds($0) ?? false }
    var left = events
    // Every request takes its entry, so that none is given to a request for another machine.
    for request in policy.requests.sorted(by: {
      ($0.start ?? .distantPast) < ($1.start ?? .distantPast)
    }) {
      guard let start = request.start, start >= since else { continue }
      let event = Self.takeEvent(of: request, start, from: &left)
      for port in request.machines.filter({ $0.id == machine }).flatMap(\.ports) {
        entries.append(
          Entry(
            time: start, who: request.requestor ?? event?.caller,
            whoIsInferred: request.requestor == nil && event?.caller != nil,
            isOwn: owned.contains { $0.start == start && $0.port == port },
            clientAddress: event?.clientAddress, port: port.number, sources: port.sources,
            end: port.end, reason: request.justification ?? event?.justification,
            status: port.reason.map { "\(port.status) (\($0))" } ?? port.status.rawValue,
            correlationID: event?.correlationID))
      }
    }
    // What the policy has forgotten, or Azure refused: for this machine as far as that can be told.
    let isAlone = policy.machines.map(\.id) == [machine]
    for event in left {
      if event.machines.contains(machine) || (event.machines.isEmpty && isAlone) {
        entries.append(Entry(event))
      } else if event.machines.isEmpty {
        unattributed += 1
        guard policy.machine(machine) != nil else { continue }
        var entry = Entry(event)
        entry.perhapsOf = policy.name
        entries.append(entry)
      }
    }
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

extension AccessHistory.Entry {
  /// A request of which only the log is left.
  init(_ event: ActivityLog.Event) {
    self.init(
      time: event.time, who: event.caller,
      whoIsInferred: event.caller != nil && event.machines.isEmpty,
      clientAddress: event.clientAddress, reason: event.justification, status: event.status,
      correlationID: event.correlationID)
  }
}

extension JITRequest {
  fileprivate func isFor(_ machine: ResourceID) -> Bool { machines.contains { $0.id == machine } }
}
