/// Microsoft.Security: policies, plans, locations.
extension World {
  mutating func security(
    _ request: ARMRequest, _ caller: Caller, _ subscription: SimulatedSubscription
  ) throws(AzureError) -> HTTPServerResponse {
    if request.method == "POST", request.lowerPath == ["register"] {
      try caller.require("Microsoft.Security/register/action", on: request.scope)
      registered.insert(subscription.id)
      return HTTPServerResponse(
        200,
        [
          "id": .string(request.scope + "/providers/Microsoft.Security"),
          "namespace": "Microsoft.Security", "registrationState": "Registering",
        ])
    }
    guard subscription.securityRegistered || registered.contains(subscription.id) else {
      throw AzureError(
        409, "MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.Security'. "
          + "See https://aka.ms/rps-not-found for how to register subscriptions.")
    }
    let path = request.lowerPath
    if path.first == "pricings" { return try pricings(request, caller, subscription) }
    if path == ["locations"] {
      try caller.require("Microsoft.Security/locations/read", on: request.scope)
      let id = "\(request.scope)/providers/Microsoft.Security/locations/\(subscription.homeRegion)"
      return list(
        [
          [
            "id": .string(id), "name": .string(subscription.homeRegion),
            "type": "Microsoft.Security/locations",
            "properties": ["homeRegionName": .string(subscription.homeRegion)],
          ]
        ], request)
    }
    let isLocated = path.first == "locations"
    if path.count == (isLocated ? 3 : 1), path.last == "jitnetworkaccesspolicies" {
      guard request.method == "GET" else { throw notFound(request) }
      return try listPolicies(request, caller, location: isLocated ? path[1] : nil)
    }
    guard isLocated, path.count >= 4, path[2] == "jitnetworkaccesspolicies",
      let group = request.group
    else { throw notFound(request) }
    try checkRegion(path[1], request)
    let id =
      request.scope + "/providers/Microsoft.Security/locations/\(request.path[1])"
      + "/jitNetworkAccessPolicies/\(request.path[3])"
    let action = "Microsoft.Security/locations/jitNetworkAccessPolicies/"
    var response: HTTPServerResponse
    switch (request.method, path.count == 4 ? "" : path[4]) {
    case ("GET", ""):
      try caller.require(action + "read", on: id)
      guard let policy = policies[id.lowercased()] else { throw policyNotFound(path[3]) }
      response = HTTPServerResponse(200, policy.json())
    case ("PUT", ""):
      try caller.require(action + "write", on: id)
      guard hasGroup(group, in: subscription.id) else { throw .groupNotFound(group) }
      response = try putPolicy(id, request, caller, subscription)
        .adding("x-ms-ratelimit-remaining-subscription-writes", "1199")
    case ("DELETE", ""):
      try caller.require(action + "delete", on: id)
      response = deletePolicy(id)
        .adding("x-ms-ratelimit-remaining-subscription-deletes", "14999")
    case ("POST", "initiate") where path.count == 5:
      try caller.require(action + "initiate/action", on: id)
      response = try initiate(id, request, caller, subscription)
        .adding("x-ms-ratelimit-remaining-subscription-writes", "1199")
    default: throw notFound(request)
    }
    return response.adding("x-ms-request-id", "")
  }

  func policyNotFound(_ name: String) -> AzureError {
    AzureError(404, "PolicyNotFound", "The policy '\(name)' was not found.")
  }

  private func checkRegion(_ location: String, _ request: ARMRequest) throws(AzureError) {
    let looksRight = location.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard looksRight, behaviour.securityRegions?.contains(location) ?? true else {
      throw AzureError(
        400, "NoRegisteredProviderFound",
        "No registered resource provider found for location '\(location)' and API version "
          + "'\(request.http.parameter("api-version") ?? "")' for type 'jitNetworkAccessPolicies'. "
          + "The supported api-versions are '2015-06-01-preview, 2020-01-01'.")
    }
  }

  private func listPolicies(
    _ request: ARMRequest, _ caller: Caller, location: String?
  ) throws(AzureError) -> HTTPServerResponse {
    try caller.require(
      "Microsoft.Security/\(location == nil ? "" : "locations/")jitNetworkAccessPolicies/read",
      on: request.scope)
    let prefix = request.scope.lowercased() + "/"
    let found = policyOrder.filter { $0.hasPrefix(prefix) }.compactMap { policies[$0] }
      .filter { location == nil || $0.location.lowercased() == location }
    return list(found.map { $0.json() }, request)
      .adding("x-ms-request-id", "")
      .adding("x-ms-ratelimit-remaining-subscription-resource-requests", "749")
  }

  private func plan(of scope: String, _ subscription: SimulatedSubscription)
    -> SimulatedSubscription.Plan
  {
    machines[scope.lowercased()]?.made.plan ?? subscription.plan
  }

  private func pricings(
    _ request: ARMRequest, _ caller: Caller, _ subscription: SimulatedSubscription
  ) throws(AzureError) -> HTTPServerResponse {
    guard request.method == "GET", request.path.count <= 2 else { throw notFound(request) }
    try caller.require("Microsoft.Security/pricings/read", on: request.scope)
    if request.path.count == 2, request.lowerPath[1] != "virtualmachines" {
      throw AzureError(404, "NotFound", "The pricing '\(request.path[1])' was not found.")
    }
    let plan = plan(of: request.scope, subscription)
    let isMachine = machines[request.scope.lowercased()] != nil
    var properties: JSON = ["pricingTier": plan == .free ? "Free" : "Standard"]
    if plan == .p1 || plan == .p2 { properties["subPlan"] = plan == .p1 ? "P1" : "P2" }
    properties["freeTrialRemainingTime"] = "PT0S"
    if isMachine {
      let inherited = machines[request.scope.lowercased()]?.made.plan == nil
      properties["inherited"] = inherited ? "True" : "False"
      if inherited {
        properties["inheritedFrom"] = .string("/subscriptions/\(subscription.id)")
      }
    } else {
      properties["enforce"] = "False"
      properties["resourcesCoverageStatus"] = plan == .free ? "NotCovered" : "FullyCovered"
    }
    properties["extensions"] = [["name": "MdeDesignatedSubscription", "isEnabled": "False"]]
    let json: JSON = [
      "id": .string("\(request.scope)/providers/Microsoft.Security/pricings/VirtualMachines"),
      "name": "VirtualMachines", "type": "Microsoft.Security/pricings", "properties": properties,
    ]
    return HTTPServerResponse(200, request.path.count == 2 ? json : ["value": [json]])
      .adding("x-ms-ratelimit-remaining-subscription-resource-requests", "748")
  }

  /// Refuses where the plan that JIT is part of is not on.
  func checkPlan(
    _ policyName: String, machines keys: [String], _ subscription: SimulatedSubscription
  ) throws(AzureError) {
    for key in keys where [.free, .p1].contains(plan(of: key, subscription)) {
      throw .badRequest("'\(policyName)' is not onboarded to Defender For Servers offering.")
    }
  }

  private mutating func deletePolicy(_ id: String) -> HTTPServerResponse {
    let key = id.lowercased()
    guard let policy = policies[key] else { return HTTPServerResponse(status: 204) }
    let named = policy.entries.compactMap { $0["id"]?.text?.lowercased() }
    for request in policy.requests {
      changePorts(of: request.number, in: key) { $0.status = "Revoked" }
      removeAllowRules(policy: key, request: request.number)
    }
    policies[key] = nil
    policyOrder.removeAll { $0 == key }
    renewDenyRules(of: key, alsoFor: named)
    return HTTPServerResponse(status: 200)
  }
}
