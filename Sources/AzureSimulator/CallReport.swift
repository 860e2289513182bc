/// What was asked of the simulator since the report was last reset.
package struct CallReport: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    case metadata, login, address, graph, arm
  }

  /// One request.
  package struct Call: Sendable {
    package var kind: Kind
    package var method: String
    /// Path and query as sent, without `api-version`.
    package var path: String
    package var apiVersion: String?
    /// 0 while it is not answered, or where the connection was reset.
    package var status = 0
    /// The caller's name, where a token named one.
    package var identity: String?
    package var correlationID: String
    package var requestHeaders: [String: String]
    package var requestBody: String
    /// Places in the order of all that happened: arrival, and the moment the answer was ready.
    package var started: Int
    package var completed: Int?
  }

  /// What happened at a gate.
  package struct GateEvent: Sendable, Equatable {
    package enum Kind: String, Sendable { case opened, closed, connected, refused }
    package var kind: Kind
    package var machine: String
    package var port: Int
    /// Where a connection came from, as the network behind the gate sees it.
    package var source: String?
    package var sequence: Int
  }

  package var calls: [Call] = []
  package var gateEvents: [GateEvent] = []

  /// The number of calls of a kind.
  package func count(_ kinds: Kind...) -> Int { calls.count { kinds.contains($0.kind) } }

  /// How many calls of these kinds had to follow one another: a call's depth is one more than the
  /// deepest call that was answered before it arrived.
  ///
  /// Calls that a client sends side by side count as one only while they overlap: give each call a
  /// delay (``Behaviour/delay``) where this number is to be relied on.
  ///
  /// - Parameter sequence: counts only calls that arrived before this moment.
  package func depth(
    of kinds: Set<Kind> = [.arm, .graph], before sequence: Int = .max
  ) -> Int {
    var finished: [(completed: Int, depth: Int)] = []
    var deepest = 0
    for call in calls where kinds.contains(call.kind) && call.started < sequence {
      let before = finished.filter { $0.completed < call.started }.map(\.depth).max() ?? 0
      deepest = max(deepest, before + 1)
      if let completed = call.completed { finished.append((completed, before + 1)) }
    }
    return deepest
  }

  /// The sequential Azure calls before the first connection through a gate; nil without one.
  package func depthBeforeConnection(of kinds: Set<Kind> = [.arm, .graph]) -> Int? {
    guard let first = gateEvents.first(where: { $0.kind == .connected }) else { return nil }
    // Only calls that were answered by then can have been waited for.
    var earlier = self
    earlier.calls = calls.filter { ($0.completed ?? .max) < first.sequence }
    return earlier.depth(of: kinds)
  }

  /// The calls, one a line: `GET 200 /subscriptions`.
  package var text: String {
    calls.map { "\($0.method) \($0.status) \($0.path)\n" }.joined()
  }
}
