package import FoundationEssentials
package import HTTP
package import Platform

/// An answer of the Resource Manager with a status of success.
package struct ARMAnswer: Sendable {
  package var method: HTTPRequest.Method
  package var url: String
  package var status: Int
  package var headers: HTTPHeaders
  package var body: [UInt8]
  /// What the call was for, as it stands in errors: "read the virtual machine web1".
  package var purpose: String

  /// The id to give to Azure's support.
  package var correlationID: String? {
    let ids = [headers["x-ms-correlation-request-id"], headers["x-ms-request-id"]]
    return ids.compactMap { $0 }.first { !$0.isEmpty }.map { printable($0, limit: 100) }
  }

  /// The subscription that the call was about, lower-cased.
  var subscription: String? { URLText.subscription(of: url) }

  /// The server's clock when it answered.
  package var serverDate: Date? { headers["Date"].flatMap { Date(httpDate: $0) } }

  /// The body as JSON; an empty one or another text is `azure-answer-invalid`.
  package func json() throws(Failure) -> JSONTree {
    do {
      return try JSONTree(parsing: body)
    } catch {
      throw invalid(body.isEmpty ? "the answer is empty" : "the answer is not JSON: \(error)")
    }
  }

  func invalid(_ reason: String) -> Failure {
    Failure(
      .azureAnswerInvalid, what: "cannot \(purpose)",
      why: reason + (correlationID.map { " (correlation id \($0))" } ?? ""),
      next: Failure.proxyMayHaveAnswered,
      cause: .http(status: status, serviceCode: nil, correlationID: correlationID))
  }
}

/// A call that was made, for the log: no header, no body, no query.
package struct CallRecord: Sendable, CustomStringConvertible {
  package var method: String
  package var path: String
  /// Nil where no answer came.
  package var status: Int?
  package var problem: String?
  package var milliseconds: Int
  package var correlationID: String?

  package var description: String {
    let result = status.map(String.init) ?? "failed"
    var text = "\(method) \(path) \(result) \(milliseconds) ms"
    if let problem { text += " \(problem)" }
    if let correlationID { text += " \(correlationID)" }
    return text
  }
}
