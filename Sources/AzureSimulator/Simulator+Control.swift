import Synchronization

/// A door for scripts that run the simulator in another process: `/simulator/…`, on loopback.
///
/// `GET report`, `POST reset`, `POST delay?ms=100`, `POST advance?seconds=600`. These calls are in
/// no report.
extension Simulator {
  func control(_ request: HTTPServerRequest) -> HTTPServerResponse {
    func number(_ name: String) -> Int? { request.parameter(name).flatMap { Int($0) } }
    switch (request.method, request.segments.dropFirst().first) {
    case ("GET", "report"): return HTTPServerResponse(200, report.summary)
    case ("POST", "reset"): resetReport()
    case ("POST", "delay"):
      guard let milliseconds = number("ms"), (0...600_000).contains(milliseconds) else {
        return HTTPServerResponse(400, text: "ms is missing\n")
      }
      change { $0.delay = .milliseconds(milliseconds) }
    case ("POST", "advance"):
      guard let seconds = number("seconds"), (0...10_000_000).contains(seconds) else {
        return HTTPServerResponse(400, text: "seconds is missing\n")
      }
      advance(by: .seconds(seconds))
    default: return HTTPServerResponse(404, text: "Not found\n")
    }
    return HTTPServerResponse(status: 204)
  }
}

extension CallReport {
  /// Counts and depths, for scripts.
  var summary: JSON {
    [
      "calls": .array(
        calls.map { call in
          [
            "kind": .string(call.kind.rawValue), "method": .string(call.method),
            "path": .string(call.path), "status": JSON(call.status),
          ]
        }),
      "counts": .object(
        Kind.allCases.map { kind in JSON.Member(kind.rawValue, JSON(count(kind))) }),
      "azureDepth": JSON(depth()),
      "depth": JSON(depth(of: Set(Kind.allCases))),
      "azureDepthBeforeConnection": depthBeforeConnection().map { JSON($0) } ?? .null,
      "depthBeforeConnection": depthBeforeConnection(of: Set(Kind.allCases)).map { JSON($0) }
        ?? .null,
    ]
  }
}
