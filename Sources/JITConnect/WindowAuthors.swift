package import Azure
package import FoundationEssentials
import Platform

/// Who opened the windows whose requests name nobody, by one look into the activity log.
package struct WindowAuthors: Sendable {
  private var history = AccessHistory()
  private let own: OwnWindows

  /// The log is read only where a live window is neither named nor this user's own.
  package init(of view: MachineView, now: Date, own: OwnWindows, _ azure: AzureAccess) async {
    self.own = own
    let nameless = (view.policy?.windows(of: view.machine.id) ?? []).filter {
      $0.isLive(at: now) && $0.requestor == nil && !own.holds($0)
    }
    guard let policy = view.policy, let first = nameless.compactMap(\.start).min() else { return }
    let since = first.addingTimeInterval(-ActivityLog.lag.timeInterval)
    let log = await outcome { () async throws(Failure) in
      try await azure.activityLog.requests(of: policy.id, since: since, until: now)
    }
    switch log {
    case .success(let events): history.add(policy, view.machine.id, events, since: since)
    case .failure(let failure):
      history.unread.append("who asked, from the activity log: \(failure.why ?? failure.what)")
    }
  }

  /// Why the log could not tell; empty where it could or was not asked.
  package var unread: [String] { history.unread }

  /// Who asked for a window, and whether that is inferred; nil where nobody knows.
  package func author(of window: JITPolicy.Window) -> (name: String, isInferred: Bool)? {
    if let name = window.requestor { return (name, false) }
    if own.holds(window) { return nil }
    let entry = history.entries.first { entry in
      entry.time == window.start && entry.port == window.port.number
        && entry.end == window.port.end && entry.sources == window.port.sources
    }
    return entry.flatMap { entry in entry.who.map { ($0, entry.whoIsInferred) } }
  }
}
