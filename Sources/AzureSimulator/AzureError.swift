/// A refusal as Azure words it.
struct AzureError: Error {
  var status: Int
  var code: String
  var message: String
  var headers: [(name: String, value: String)] = []
  var details: [JSON] = []

  init(_ status: Int, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  var response: HTTPServerResponse {
    var error: JSON = ["code": .string(code), "message": .string(message)]
    if !details.isEmpty { error["details"] = .array(details) }
    var response = HTTPServerResponse(status, ["error": error])
    response.headers += headers
    return response
  }

  /// The error came from the gateway, not from the provider behind it.
  var fromGateway: AzureError {
    var copy = self
    copy.headers.append(("x-ms-failure-cause", "gateway"))
    return copy
  }

  static func resourceNotFound(type: String, name: String, group: String) -> AzureError {
    AzureError(
      404, "ResourceNotFound",
      "The Resource '\(type)/\(name)' under resource group '\(group)' was not found. "
        + "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    ).fromGateway
  }

  static func groupNotFound(_ name: String) -> AzureError {
    AzureError(404, "ResourceGroupNotFound", "Resource group '\(name)' could not be found.")
      .fromGateway
  }

  static func subscriptionNotFound(_ id: String) -> AzureError {
    AzureError(404, "SubscriptionNotFound", "The subscription '\(id)' could not be found.")
  }

  static func forbidden(_ identity: SimulatedIdentity, _ action: String, _ scope: String)
    -> AzureError
  {
    AzureError(
      403, "AuthorizationFailed",
      "The client '\(identity.name)' with object id '\(identity.objectID)' does not have "
        + "authorization to perform action '\(action)' over scope '\(scope)' or the scope is "
        + "invalid. If access was recently granted, please refresh your credentials.")
  }

  static func badRequest(_ message: String) -> AzureError {
    AzureError(400, "BadRequest", message)
  }

  static func unknownMember(_ name: String) -> AzureError {
    AzureError(
      400, "InvalidRequestContent",
      "The request content was invalid and could not be deserialized: 'Could not find member "
        + "'\(name)' on object of type'.")
  }

  static func missingMember(_ name: String) -> AzureError {
    AzureError(
      400, "InvalidRequestContent",
      "The request content was invalid and could not be deserialized: 'Required property "
        + "'\(name)' not found in JSON.'.")
  }
}
