import FoundationEssentials
import Platform
import Testing

@testable import Azure

@Suite struct ActivityLogTests {
  private static let policy = ResourceID(
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Security/locations/westeurope"
      + "/jitNetworkAccessPolicies/default")

  private func event(
    _ time: String, correlation: String, status: String, properties: String = "{}",
    operation: String = "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"
  ) throws -> JSONTree {
    try JSONTree(
      parsing: Array(
        """
        {"operationName":{"value":"\(operation)"},"eventTimestamp":"\(time)","caller":"ann@x",
         "status":{"value":"\(status)"},"correlationId":"\(correlation)",
         "httpRequest":{"clientIpAddress":"203.0.113.7"},"properties":\(properties),
         "resourceId":"/subscriptions/s/x"}
        """.utf8))
  }

  @Test("the entries of one request are one; other operations and what is no entry are left out")
  func folded() throws {
    let details = #"{"eventProperties":"{\"Justification\":\"disk\",\"User\":\"ann\"}"}"#
    let events = try ActivityLog.events([
      event("2026-11-24T12:00:03Z", correlation: "a", status: "Succeeded"),
      event("2026-11-24T12:00:00Z", correlation: "a", status: "Started", properties: details),
      event("2026-11-24T13:00:00Z", correlation: "b", status: "Failed"),
      event("2026-11-24T14:00:00Z", correlation: "c", status: "Started", operation: "x/write"),
      JSONTree(parsing: Array("{}".utf8)),
    ])
    #expect(events.map(\.correlationID) == ["b", "a"])
    #expect(events.last?.justification == "disk")
    #expect(events.last?.status == "Succeeded")
    #expect(events.last?.time == Date(iso8601: "2026-11-24T12:00:00Z"))
    #expect(events.last?.clientAddress == "203.0.113.7")
  }

  @Test("the question names the time and the policy, and nothing that Azure refuses")
  func question() async throws {
    let policy = try #require(Self.policy)
    let since = try #require(Date(iso8601: "2026-11-20T00:00:00Z"))
    let world = World()
    world.azure.expect(
      "GET /subscriptions/s/providers/Microsoft.Insights/eventtypes/management/values",
      .json(#"{"value":[]}"#))
    let log = ActivityLog(client: world.client)
    _ = try await log.requests(of: policy, since: since, until: since.addingTimeInterval(60))
    let query = try #require(world.azure.calls.first?.query)
    #expect(query.contains("$filter=eventTimestamp%20ge%20%272026-11-20T00%3A00%3A00Z%27"))
    #expect(query.contains("resourceUri%20eq%20%27%2Fsubscriptions%2Fs"))
  }

  @Test("routes: the longest prefix that is active decides")
  func routes() throws {
    let tree = try JSONTree(
      parsing: Array(
        """
        {"value":[
          {"state":"Active","addressPrefix":["0.0.0.0/0"],"nextHopType":"Internet"},
          {"state":"Invalid","addressPrefix":["203.0.113.0/30"],"nextHopType":"None"},
          {"state":"Active","addressPrefix":["203.0.113.0/24"],"nextHopType":"VirtualAppliance",
           "nextHopIpAddress":["10.0.0.9"]}]}
        """.utf8))
    let routes = EffectiveRoutes(tree: tree)
    let near = try #require(SourcePrefix(parsing: "203.0.113.2"))
    let far = try #require(SourcePrefix(parsing: "198.51.100.1"))
    #expect(routes.route(to: near)?.nextHopAddress == "10.0.0.9")
    #expect(routes.route(to: far)?.nextHopType == "Internet")
  }

  @Test(
    "what covers several addresses is the smallest block; wider than /24 it is each alone",
    arguments: [
      (["203.0.113.7"], "203.0.113.7", ["203.0.113.7"]),
      (["203.0.113.4", "203.0.113.7"], "203.0.113.4/30", ["203.0.113.4/30"]),
      (["203.0.113.0", "203.0.113.255"], "203.0.113.0/24", ["203.0.113.0/24"]),
      (["203.0.113.0", "203.0.112.9"], "203.0.112.0/23", ["203.0.113.0", "203.0.112.9"]),
      (["1.2.3.4", "255.0.0.1"], "0.0.0.0/0", ["1.2.3.4", "255.0.0.1"]),
    ])
  func covering(addresses: [String], block: String, pool: [String]) throws {
    let prefixes = addresses.compactMap { SourcePrefix(parsing: $0) }
    #expect(SourcePrefix.covering(prefixes)?.text == block)
    #expect(SourcePrefix.pool(prefixes).map(\.text) == pool)
  }
}
