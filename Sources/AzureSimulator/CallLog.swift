import Synchronization

/// Keeps the report while calls come in side by side.
final class CallLog: Sendable {
  private struct State {
    var report = CallReport()
    var sequence = 0
    /// Counts the resets: a call that began before one is not in the new report.
    var run = 0
  }

  /// A call's place in the report.
  struct Ticket: Sendable {
    fileprivate var run: Int
    fileprivate var index: Int
  }

  private let state = Mutex(State())

  var report: CallReport { state.withLock { $0.report } }

  func reset() {
    state.withLock { state in
      state.report = CallReport()
      state.run += 1
    }
  }

  func begin(
    _ kind: CallReport.Kind, _ request: HTTPServerRequest, correlationID: String
  ) -> Ticket {
    let query = request.query.filter { $0.name.lowercased() != "api-version" }
    let path =
      request.rawPath
      + (query.isEmpty
        ? "" : "?" + query.map { "\($0.name)=\($0.value)" }.joined(separator: "&"))
    var headers: [String: String] = [:]
    for header in request.headers {
      headers[header.name] = header.name == "authorization" ? "(secret)" : header.value
    }
    // A sign-in's form holds secrets.
    let body = kind == .login ? "(secret)" : String(decoding: request.body, as: UTF8.self)
    return state.withLock { state in
      state.sequence += 1
      state.report.calls.append(
        CallReport.Call(
          kind: kind, method: request.method, path: path,
          apiVersion: request.parameter("api-version"), correlationID: correlationID,
          requestHeaders: headers, requestBody: body, started: state.sequence))
      return Ticket(run: state.run, index: state.report.calls.count - 1)
    }
  }

  func complete(_ ticket: Ticket, status: Int, identity: String?) {
    state.withLock { state in
      guard ticket.run == state.run else { return }
      state.sequence += 1
      state.report.calls[ticket.index].status = status
      state.report.calls[ticket.index].identity = identity
      state.report.calls[ticket.index].completed = state.sequence
    }
  }

  func record(
    _ gate: GateKeeper.Gate, _ kind: CallReport.GateEvent.Kind, source: String?
  ) {
    state.withLock { state in
      state.sequence += 1
      state.report.gateEvents.append(
        CallReport.GateEvent(
          kind: kind, machine: gate.machineName, port: gate.machinePort, source: source,
          sequence: state.sequence))
    }
  }
}
