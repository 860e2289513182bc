import Identity
package import Platform

/// A call that would change something, for a dry run: shown and not made.
package struct RESTCall: Sendable, Equatable {
  package var method: String
  package var url: String
  package var body: JSONTree?

  /// The same call as `az` makes it, for a shell.
  package var azLine: String {
    var line = "az rest --method \(method.lowercased()) --url \(Self.quoted(url))"
    if let body { line += " --body \(Self.quoted(body.jsonText))" }
    return line
  }

  private static func quoted(_ text: String) -> String {
    "'" + text.replacing("'", with: "'\\''") + "'"
  }
}

extension ARMClient {
  func described(
    _ method: String, _ path: String, _ version: APIVersion, body: JSONTree? = nil
  ) -> RESTCall {
    RESTCall(
      method: method,
      url: cloud.resourceManager + URLText.path(path) + "?"
        + URLText.query([(name: "api-version", value: version.rawValue)]), body: body)
  }
}

extension JITPolicies {
  /// The call of ``initiate(_:_:)``, not made.
  package func initiateCall(
    _ policy: ResourceID, _ request: AccessRequest
  ) throws(Failure) -> RESTCall {
    client.described("POST", policy.text + "/initiate", .jitPolicies, body: try request.body())
  }
}

extension VirtualMachineDirectory {
  /// The call of ``start(_:deadline:onProgress:)``, not made.
  package func startCall(_ id: ResourceID) -> RESTCall {
    client.described("POST", id.text + "/start", .compute)
  }
}

extension NetworkSecurityGroups {
  /// The call of ``deleteRule(_:)``, not made.
  package func deleteCall(_ id: ResourceID) -> RESTCall {
    client.described("DELETE", id.text, .network)
  }
}
