/// A Resource Manager path, taken apart.
struct ARMRequest: Sendable {
  var http: HTTPServerRequest
  /// As written, and lower-cased; nil outside a subscription.
  var subscription: String?
  var group: String?
  /// The resource that an extension (permissions, pricings) is asked of, without the provider.
  var scope: String
  /// `microsoft.compute`, lower-cased; nil for paths without a provider.
  var namespace: String?
  /// What follows the namespace, as written.
  var path: [String]

  var method: String { http.method }

  /// The path in lower case, names included: for matching only.
  var lowerPath: [String] { path.map { $0.lowercased() } }

  /// `microsoft.compute/virtualmachines`: which api-versions count.
  var type: String {
    guard let namespace else { return group == nil ? "subscriptions" : "resourcegroups" }
    var kinds: [String] = []
    // Types and names alternate.
    for index in stride(from: 0, to: path.count, by: 2) { kinds.append(path[index].lowercased()) }
    if namespace == "microsoft.security", kinds.first == "locations", kinds.count > 1 {
      return "microsoft.security/locations/jitnetworkaccesspolicies"
    }
    return namespace + "/" + (kinds.first ?? "")
  }

  init(_ http: HTTPServerRequest) {
    self.http = http
    let segments = http.segments
    let lower = segments.map { $0.lowercased() }
    if lower.count >= 2, lower[0] == "subscriptions" {
      subscription = lower[1]
      if lower.count >= 4, lower[2] == "resourcegroups" { group = segments[3] }
    }
    if let provider = lower.lastIndex(of: "providers"), provider + 1 < lower.count {
      namespace = lower[provider + 1]
      path = Array(segments[(provider + 2)...])
      scope = "/" + segments[..<provider].joined(separator: "/")
    } else {
      path = Array(segments.dropFirst(group != nil ? 4 : 2))
      scope = http.rawPath
    }
  }

  /// The body as JSON.
  func body() throws(AzureError) -> JSON {
    guard http.header("content-type")?.lowercased().hasPrefix("application/json") == true else {
      throw AzureError(
        415, "UnsupportedMediaType",
        "The content media type '\(http.header("content-type") ?? "<null>")' is not supported. "
          + "Only 'application/json' is supported.")
    }
    do {
      return try JSON(parsing: http.body)
    } catch {
      throw AzureError(
        400, "InvalidRequestContent",
        "The request content was invalid and could not be deserialized: position "
          + "\(error.position).")
    }
  }
}

/// The api-versions that the simulated providers know, by resource type.
enum APIVersions {
  private static let compute = [
    "2021-07-01", "2022-03-01", "2023-03-01", "2024-03-01", "2024-07-01",
  ]
  private static let network = ["2021-05-01", "2022-07-01", "2023-09-01", "2024-05-01"]
  private static let resources = ["2020-01-01", "2021-01-01", "2022-12-01"]

  private static let known: [String: [String]] = [
    "subscriptions": resources, "tenants": resources, "resourcegroups": resources + ["2021-04-01"],
    "microsoft.compute/virtualmachines": compute, "microsoft.compute/locations": compute,
    "microsoft.network/networkinterfaces": network, "microsoft.network/publicipaddresses": network,
    "microsoft.network/networksecuritygroups": network,
    "microsoft.network/virtualnetworks": network,
    "microsoft.network/locations": network, "microsoft.network/azurefirewalls": network,
    "microsoft.network/networkwatchers": network,
    "microsoft.security/jitnetworkaccesspolicies": ["2015-06-01-preview", "2020-01-01"],
    "microsoft.security/locations/jitnetworkaccesspolicies": ["2015-06-01-preview", "2020-01-01"],
    "microsoft.security/pricings": ["2018-06-01", "2022-03-01", "2023-01-01", "2024-01-01"],
    "microsoft.security/locations": ["2015-06-01-preview"],
    "microsoft.resourcegraph/resources": ["2021-03-01", "2022-10-01", "2024-04-01"],
    "microsoft.authorization/permissions": ["2015-07-01", "2018-07-01", "2022-04-01"],
    "microsoft.insights/eventtypes": ["2015-04-01"],
    "microsoft.security/register": ["2021-04-01"],
  ]

  static func check(_ request: ARMRequest, type: String, location: String) throws(AzureError) {
    guard let version = request.http.parameter("api-version") else {
      throw AzureError(
        400, "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.")
    }
    guard let versions = known[type] else {
      let namespace = type.prefix { $0 != "/" }
      throw AzureError(
        404, "InvalidResourceType",
        "The resource type could not be found in the namespace '\(namespace)' for api version "
          + "'\(version)'.")
    }
    guard versions.contains(version) else {
      throw AzureError(
        400, "NoRegisteredProviderFound",
        "No registered resource provider found for location '\(location)' and API version "
          + "'\(version)' for type '\(lastSegment(type))'. The supported api-versions are "
          + "'\(versions.joined(separator: ", "))'.")
    }
  }
}
