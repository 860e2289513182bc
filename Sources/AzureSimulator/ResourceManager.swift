/// Resource Manager: who may ask, and which provider answers.
extension World {
  /// Answers a call; the caller is told where a token named one.
  mutating func resourceManager(
    _ http: HTTPServerRequest
  ) -> (response: HTTPServerResponse, identity: String?) {
    var identity: String?
    do {
      let caller = try authenticate(http)
      identity = caller.identity.name
      return (try route(ARMRequest(http), caller), identity)
    } catch {
      return (error.response, identity)
    }
  }

  private mutating func route(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    if request.subscription == nil {
      switch (request.method, request.http.segments.map { $0.lowercased() }) {
      case ("GET", ["subscriptions"]):
        try APIVersions.check(request, type: "subscriptions", location: "global")
        return listSubscriptions(request, caller)
      case ("GET", ["tenants"]):
        try APIVersions.check(request, type: "tenants", location: "global")
        return listTenants(request, caller)
      case ("POST", ["providers", "microsoft.resourcegraph", "resources"]):
        try APIVersions.check(
          request, type: "microsoft.resourcegraph/resources", location: "global")
        return try resourceGraph(request, caller)
      default: throw notFound(request)
      }
    }
    let subscription = try checkedSubscription(of: request, caller)
    try APIVersions.check(request, type: request.type, location: subscription.homeRegion)
    guard let namespace = request.namespace else {
      guard request.method == "GET", request.path.isEmpty else { throw notFound(request) }
      try caller.require("Microsoft.Resources/subscriptions/read", on: request.scope)
      guard let group = request.group else {
        return HTTPServerResponse(200, subscriptionJSON(subscription))
      }
      guard hasGroup(group, in: subscription.id) else { throw .groupNotFound(group) }
      return HTTPServerResponse(
        200,
        [
          "id": .string("/subscriptions/\(subscription.id)/resourceGroups/\(group)"),
          "name": .string(group), "type": "Microsoft.Resources/resourceGroups",
          "location": .string(subscription.homeRegion),
          "properties": ["provisioningState": "Succeeded"],
        ])
    }
    switch namespace {
    case "microsoft.compute": return try compute(request, caller)
    case "microsoft.network": return try network(request, caller)
    case "microsoft.security": return try security(request, caller, subscription)
    case "microsoft.authorization": return try permissions(request, caller)
    case "microsoft.insights": return try activityLog(request, caller)
    default: throw notFound(request)
    }
  }

  private func checkedSubscription(
    of request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> SimulatedSubscription {
    let id = request.subscription ?? ""
    guard let subscription = subscription(id) else { throw .subscriptionNotFound(id) }
    guard subscription.tenant == caller.tenant else {
      throw challenge(
        AzureError(
          401, "InvalidAuthenticationTokenTenant",
          "The access token is from the wrong issuer 'https://sts.windows.net/\(caller.tenant)/'. "
            + "It must match the tenant 'https://sts.windows.net/\(subscription.tenant)/' associated "
            + "with this subscription. Please use the authority (URL) "
            + "'https://login.windows.net/\(subscription.tenant)' to get the token. Note, if the "
            + "subscription is transferred to another tenant there is no impact to the services, but "
            + "information about new tenant could take time to propagate (up to an hour)."),
        tenant: subscription.tenant)
    }
    return subscription
  }

  func notFound(_ request: ARMRequest) -> AzureError {
    AzureError(
      404, "InvalidResourceType",
      "The resource type could not be found in the namespace '\(request.namespace ?? "")' for api "
        + "version '\(request.http.parameter("api-version") ?? "")'.")
  }

  // Lists

  /// A page of a list; the skip token is the index of the first item.
  func list(_ items: [JSON], _ request: ARMRequest) -> HTTPServerResponse {
    guard let size = behaviour.pageSize else {
      return HTTPServerResponse(200, ["value": .array(items)])
    }
    let first = min(max(Int(request.http.parameter("$skiptoken") ?? "0") ?? 0, 0), items.count)
    let last = min(first + max(size, 1), items.count)
    var body: JSON = ["value": .array(Array(items[first..<last]))]
    if last < items.count {
      let query = request.http.query.filter { $0.name.lowercased() != "$skiptoken" }
        .map { "\($0.name)=\(percentEncoded($0.value))" }
      let link =
        String(armURL.dropLast()) + request.http.rawPath + "?"
        + (query + ["%24skiptoken=\(last)"]).joined(separator: "&")
      body["nextLink"] = .string(link)
    }
    return HTTPServerResponse(200, body)
  }

  private func listSubscriptions(_ request: ARMRequest, _ caller: Caller) -> HTTPServerResponse {
    let readable = configuration.subscriptions.filter { subscription in
      let id = "/subscriptions/\(subscription.id)"
      // A right anywhere inside shows the subscription.
      return subscription.tenant == caller.tenant
        && caller.identity.grants.contains { grant in
          let scope = grant.scope.lowercased()
          return scope == "/" || scope == id || scope.hasPrefix(id + "/")
        }
    }
    return list(readable.map(subscriptionJSON), request)
  }

  private func subscriptionJSON(_ subscription: SimulatedSubscription) -> JSON {
    [
      "id": .string("/subscriptions/\(subscription.id)"), "authorizationSource": "RoleBased",
      "managedByTenants": [], "subscriptionId": .string(subscription.id),
      "tenantId": .string(subscription.tenant), "displayName": .string(subscription.displayName),
      "state": .string(subscription.state),
      "subscriptionPolicies": [
        "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01",
        "spendingLimit": "Off",
      ],
    ]
  }

  private func listTenants(_ request: ARMRequest, _ caller: Caller) -> HTTPServerResponse {
    let tenants = configuration.tenants.filter { caller.identity.tenants.contains($0.id) }
    return list(
      tenants.map { tenant in
        [
          "id": .string("/tenants/\(tenant.id)"), "tenantId": .string(tenant.id),
          "countryCode": "NL", "displayName": .string(tenant.displayName),
          "domains": [.string(tenant.domain)], "tenantCategory": "Home",
          "defaultDomain": .string(tenant.domain), "tenantType": "AAD",
        ]
      }, request)
  }

  private func permissions(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    guard request.method == "GET", request.lowerPath == ["permissions"] else {
      throw notFound(request)
    }
    try caller.require("Microsoft.Authorization/permissions/read", on: request.scope)
    let scope = request.scope.lowercased()
    let grants = caller.identity.grants.filter { grant in
      let granted = grant.scope.lowercased()
      return granted == "/" || scope == granted || scope.hasPrefix(granted + "/")
    }
    return list(
      grants.map { grant in
        [
          "actions": .array(grant.actions.map(JSON.string)),
          "notActions": .array(grant.notActions.map(JSON.string)), "dataActions": [],
          "notDataActions": [],
        ]
      }, request)
  }
}

/// Percent-encodes all but unreserved characters.
func percentEncoded(_ text: String) -> String {
  let hex = Array("0123456789ABCDEF")
  return text.utf8.map { byte -> String in
    let scalar = Unicode.Scalar(byte)
    let isPlain =
      scalar.isASCII
      && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte)
        || "-._~".unicodeScalars.contains(scalar))
    return isPlain ? String(scalar) : "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
  }.joined()
}
