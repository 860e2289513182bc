package import FoundationEssentials
package import Platform

/// Requests for access as the activity log has them: who asked, from where, and why.
package struct ActivityLog: Sendable {
  let client: ARMClient

  package init(client: ARMClient) { self.client = client }

  /// One request for access.
  package struct Event: Sendable, Equatable {
    package var time: Date
    /// A UPN or an application's id.
    package var caller: String?
    /// Where the call to Azure came from, which need not be the address that was let in.
    package var clientAddress: String?
    package var justification: String?
    /// `Succeeded`, `Failed`, or how far it got.
    package var status: String?
    package var correlationID: String?
    /// The machines that the log's own details name; empty where they name none.
    package var machines: [ResourceID]
    package var policy: ResourceID?
  }

  /// The log goes back so far.
  package static let reach = Duration.seconds(90 * 86400)

  /// How far apart a request's start and its entry in the log may be.
  package static let lag = Duration.seconds(120)

  /// How far the user's clock and Azure's may differ.
  private static let skew = 300.0

  /// The requests by a policy since a moment, the newest first.
  ///
  /// Several entries of one request are folded into one.
  package func requests(
    of policy: ResourceID, since: Date, until: Date
  ) async throws(Failure) -> [Event] {
    try await read(
      policy.subscription, "resourceUri eq '\(policy.text)'", since, until,
      purpose: "read the activity log of the policy \(policy.name)")
  }

  /// The requests by every policy of a subscription, also by those that are gone.
  package func requests(
    in subscription: String, since: Date, until: Date
  ) async throws(Failure) -> [Event] {
    try await read(
      subscription, "resourceProvider eq 'Microsoft.Security'", since, until,
      purpose: "read the activity log of subscription \(subscription)")
  }

  private func read(
    _ subscription: String, _ narrowing: String, _ since: Date, _ until: Date, purpose: String
  ) async throws(Failure) -> [Event] {
    let filter =
      "eventTimestamp ge '\(since.formatted(.iso8601))' and eventTimestamp le "
      + "'\(until.addingTimeInterval(Self.skew).formatted(.iso8601))' and \(narrowing)"
    let items = try await client.list(
      "/subscriptions/\(subscription)/providers/Microsoft.Insights/eventtypes/management/values",
      .activityLog, query: [(name: "$filter", value: filter)], purpose: purpose)
    return Self.events(items)
  }

  static func events(_ items: [JSONTree]) -> [Event] {
    var order: [String] = []
    var events: [String: Event] = [:]
    for item in items {
      guard let event = event(item) else { continue }
      let key = event.correlationID ?? "\(event.time.timeIntervalSince1970)"
      guard var known = events[key] else {
        order.append(key)
        events[key] = event
        continue
      }
      known.time = min(known.time, event.time)
      known.caller = known.caller ?? event.caller
      known.clientAddress = known.clientAddress ?? event.clientAddress
      known.justification = known.justification ?? event.justification
      if known.machines.isEmpty { known.machines = event.machines }
      if rank(event.status) > rank(known.status) { known.status = event.status }
      events[key] = known
    }
    return order.compactMap { events[$0] }.sorted { $0.time > $1.time }
  }

  /// How final a status is.
  private static func rank(_ status: String?) -> Int {
    switch status?.lowercased() {
    case "succeeded", "failed": 3
    case "accepted": 2
    case "started": 1
    default: 0
    }
  }

  private static func event(_ item: JSONTree) -> Event? {
    let operation = item["operationName", "value"]?.text ?? item["authorization", "action"]?.text
    guard operation?.lowercased() == Assumptions.initiateOperation,
      let time = item["eventTimestamp"]?.text.flatMap({ Date(iso8601: $0) })
    else { return nil }
    // A JSON text within the JSON.
    let details = item["properties", "eventProperties"]?.text
      .flatMap { try? JSONTree(parsing: Array($0.utf8)) }
    return Event(
      time: time, caller: item["caller"]?.text ?? details?["User"]?.text,
      clientAddress: item["httpRequest", "clientIpAddress"]?.text,
      justification: details?["Justification"]?.text ?? details?["justification"]?.text,
      status: item["status", "value"]?.text, correlationID: item["correlationId"]?.text,
      machines: (details?["virtualMachines"]?.elements ?? [])
        .compactMap { ResourceID($0["id"]?.text) },
      policy: ResourceID(item["resourceId"]?.text))
  }
}
