import HTTP
package import Platform

extension ARMClient {
  /// Waits for the operation that a call has started.
  ///
  /// - Parameters:
  ///   - answer: of the call; anything but a 202, or a 200/201 with `Azure-AsyncOperation`, is the
  ///     end already (some calls answer 200 with a needless `Location`).
  ///   - deadline: from now on.
  ///   - onProgress: told the state at each look.
  /// - Returns: the last answer.
  package func wait(
    for answer: ARMAnswer, deadline: Duration, onProgress: (String) -> Void = { _ in }
  ) async throws(Failure) -> ARMAnswer {
    let operation = answer.headers["Azure-AsyncOperation"].flatMap { $0.isEmpty ? nil : $0 }
    let location = answer.headers["Location"].flatMap { $0.isEmpty ? nil : $0 }
    guard let url = operation ?? (answer.status == 202 ? location : nil) else { return answer }
    let begun = pacing.elapsed()
    var last = answer
    var round = 0
    while true {
      try await pacing.pause(pollPause(last, round: round))
      round += 1
      last = try await get(url: url, purpose: answer.purpose)
      if operation == nil {
        if last.status != 202 { return last }
      } else {
        let body = try last.json()
        let status = body["status"]?.text ?? "unknown"
        onProgress(printable(status, limit: 40))
        switch status.lowercased() {
        case "succeeded": return last
        case "failed", "canceled", "cancelled":
          throw Failure(operation: ServiceError(tree: body), status: status, in: last)
        default: break
        }
      }
      guard pacing.elapsed() - begun < deadline else {
        throw Failure(
          .azureUnavailable, what: "cannot \(answer.purpose)",
          why: "it is not done after \(Int(deadline.inSeconds)) seconds",
          next: "Azure goes on with it; try again in a minute",
          cause: .http(status: last.status, serviceCode: nil, correlationID: last.correlationID))
      }
    }
  }

  /// `Retry-After` where it is given (bounded), else 2 s rising to 5 s.
  private func pollPause(_ answer: ARMAnswer, round: Int) -> Duration {
    if let asked = RetryPlan.askedWait(answer.headers, now: pacing.clock.now()) {
      return min(asked, RetryPlan.longestWait)
    }
    return .milliseconds(min(2000 + round * 500, 5000))
  }
}

extension Failure {
  /// An operation that was accepted and then went wrong.
  fileprivate init(operation error: ServiceError, status: String, in answer: ARMAnswer) {
    let id = answer.correlationID.map { ", correlation id \($0)" } ?? ""
    let code = printable(error.code ?? status, limit: 100)
    self.init(
      .azureRefused, what: "cannot \(answer.purpose)",
      why: (error.text ?? "the operation ended as \(printable(status, limit: 40))")
        + " (\(code)\(id))",
      cause: .http(status: answer.status, serviceCode: code, correlationID: answer.correlationID))
  }
}
