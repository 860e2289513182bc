import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Azure

@Suite struct JITPoliciesTests {
  static let group = "/subscriptions/s1/resourceGroups/RG"
  static let vm = "\(group)/providers/Microsoft.Compute/virtualMachines/Web1"
  static let policies = "providers/Microsoft.Security/jitNetworkAccessPolicies"
  static let policyID =
    "\(group)/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default"

  /// A policy as Azure gives it.
  static func policy(
    id: String = policyID, location: String = "westeurope", machines: [String] = [vm],
    requests: String = "[]", state: String = "Succeeded"
  ) -> String {
    let entries = machines.map {
      #"{"id":"\#($0)","ports":[{"number":22,"protocol":"*","allowedSourceAddressPrefix":"*","maxRequestAccessDuration":"PT3H"}]}"#
    }.joined(separator: ",")
    return """
      {"kind":"Basic","location":"\(location)","id":"\(id)","name":"x",
       "type":"Microsoft.Security/locations/jitNetworkAccessPolicies",
       "properties":{"virtualMachines":[\(entries)],"requests":\(requests),
       "provisioningState":"\(state)","appendMode":false}}
      """
  }

  static func request(
    port: Int = 22, source: String = "203.0.113.7", status: String = "Initiated",
    start: String = "2026-11-24T12:00:01.1234567Z", end: String = "2026-11-24T12:05:01.1234567Z",
    machine: String = vm
  ) -> String {
    """
    {"virtualMachines":[{"id":"\(machine)","ports":[{"number":\(port),
     "allowedSourceAddressPrefix":"\(source)","endTimeUtc":"\(end)","status":"\(status)",
     "statusReason":"UserRequested"}]}],"startTimeUtc":"\(start)","requestor":""}
    """
  }

  private func machine(_ name: String = "Web1") throws -> VirtualMachine {
    VirtualMachine(id: try id(Self.vm.replacing("Web1", with: name)), location: "West Europe")
  }

  // MARK: Reading

  @Test("policies are found by the machine's id whatever its case, those of its location first")
  func matching() async throws {
    let world = World()
    let old = Self.policyID.replacing("westeurope", with: "northeurope")
    let other = Self.policyID.replacing("default", with: "other")
    world.azure.expect(
      "GET /subscriptions/s1/\(Self.policies)",
      .json(
        """
        {"value":[\(Self.policy(id: old, location: "northeurope")),
        \(Self.policy(machines: [Self.vm.uppercased().replacing("/SUBSCRIPTIONS/S1", with: "/subscriptions/S1")])),
        \(Self.policy(id: other, machines: ["\(Self.vm)2"]))]}
        """))
    let found = try await JITPolicies(client: world.client).policies(of: machine())
    #expect(found.map(\.id.text) == [Self.policyID, old])
    #expect(world.azure.calls.first?.query == "api-version=2020-01-01")
    world.azure.finish()
  }

  @Test(
    "a list that nobody can understand is no list without policies",
    arguments: [
      "{}", #"{"value":null}"#, #"{"value":{}}"#, "[]", #"{"value":[null]}"#,
      #"{"value":[{"id":"x"}]}"#,
    ])
  func unreadable(body: String) async throws {
    let world = World()
    world.azure.expect("GET /subscriptions/s1/\(Self.policies)", .json(body))
    let failure = await failure {
      try await JITPolicies(client: world.client).policies(of: machine())
    }
    #expect(failure?.code == .azureAnswerInvalid)
    #expect(failure?.next != nil)
    world.azure.finish()
  }

  @Test(
    "the group's list is asked where the subscription's is empty or refused",
    arguments: [FakeAzure.Reply.json(#"{"value":[]}"#), .error(403, "AuthorizationFailed")])
  func groupList(first: FakeAzure.Reply) async throws {
    let world = World()
    world.azure.expect("GET /subscriptions/s1/\(Self.policies)", first)
    world.azure.expect(
      "GET \(Self.group)/\(Self.policies)", .json("{\"value\":[\(Self.policy())]}"))
    let found = try await JITPolicies(client: world.client).policies(of: machine())
    #expect(found.count == 1)
    world.azure.finish()
  }

  @Test("what may not be read is never taken for not enabled")
  func notReadable() async throws {
    let world = World()
    let refused = FakeAzure.Reply.error(403, "AuthorizationFailed")
    world.azure.expect("GET /subscriptions/s1/\(Self.policies)", refused)
    world.azure.expect("GET \(Self.group)/\(Self.policies)", refused)
    let target = try machine()
    let failure = await failure {
      try await JITPolicies(client: world.client).policies(of: target)
    }
    #expect(failure?.code == .notPermitted)
  }

  @Test("a group that may not be read is not the others' failure, and theirs is not its success")
  func groupByGroup() async throws {
    let world = World()
    let refused = FakeAzure.Reply.error(403, "AuthorizationFailed")
    world.azure.expect("GET /subscriptions/s1/\(Self.policies)", refused)
    world.azure.expect(
      "GET \(Self.group)/\(Self.policies)", .json("{\"value\":[\(Self.policy())]}"))
    world.azure.expect("GET /subscriptions/s1/resourceGroups/shut/\(Self.policies)", refused)
    let lists = await JITPolicies(client: world.client).lists(
      subscription: "s1", resourceGroups: ["RG", "shut", "rg"])
    #expect(try lists["rg"]?.get().count == 1)
    guard case .failure(let failure)? = lists["shut"] else {
      Issue.record("the group that was refused has policies")
      return
    }
    #expect(failure.code == .notPermitted)
    world.azure.finish()
  }

  @Test("ports, limits and requests are read in every spelling")
  func reading() throws {
    let text = """
      {"id":"\(Self.policyID)","properties":{"virtualMachines":[{"id":"\(Self.vm)",
      "publicIpAddress":"198.51.100.1","ports":[
       {"number":"22","protocol":"tcp","allowedSourceAddressPrefixes":["10.0.0.0/8","1.2.3.4"],
        "allowedSourceAddressPrefix":"","maxRequestAccessDuration":"PT1H"},
       {"number":70000}, {"number":3389,"protocol":"UDP","maxRequestAccessDuration":"soon"}]}],
      "requests":[\(Self.request(status: "Revoked")),
       {"virtualMachines":[{"id":"\(Self.vm)","ports":[{"number":22,"endTimeUtc":"?","status":"New","mappedPort":"5022"}]}],
        "startTimeUtc":"2026-11-24T13:00:00Z","requestor":"eva@contoso.com","justification":"why"}]}}
      """
    let policy = try #require(JITPolicy(tree: try tree(text)))
    let entry = try #require(
      policy.machine(
        try id(Self.vm.lowercased().replacing("/subscriptions", with: "/subscriptions"))))
    #expect(entry.publicIPAddress == "198.51.100.1")
    #expect(entry.ports.map(\.number) == [22, 3389])
    #expect(entry.rule(for: 22)?.allowedSources.map(\.text) == ["10.0.0.0/8", "1.2.3.4"])
    #expect(entry.rule(for: 22)?.maximumDuration == .seconds(3600))
    #expect(entry.rule(for: 22)?.coversTCP == true)
    #expect(entry.rule(for: 3389)?.coversTCP == false)
    #expect(entry.rule(for: 3389)?.maximumDuration == nil)
    #expect(policy.location == "westeurope")
    let windows = policy.windows(of: entry.id)
    #expect(windows.map(\.port.status.rawValue) == ["New", "Revoked"])
    #expect(windows.first?.port.mappedPort == 5022)
    #expect(windows.first?.requestor == "eva@contoso.com")
    #expect(windows.last?.requestor == nil)
    let now = Date(timeIntervalSince1970: 1_795_521_600)
    #expect(windows.map { $0.isLive(at: now) } == [false, false])
    let data = try JSONEncoder().encode(policy)
    #expect(try JSONDecoder().decode(JITPolicy.self, from: data) == policy)
  }

  @Test(
    "a window is live while its status may open the port and its end is to come",
    arguments: [
      ("Initiating", "2026-11-24T12:00:01Z", true), ("initiated", "2026-11-24T12:00:01Z", true),
      ("Initiated", "2026-11-24T12:00:00Z", false), ("Revoked", "2026-11-24T13:00:00Z", false),
      ("Failed", "2026-11-24T13:00:00Z", false), ("Initiated", "", false),
    ])
  func live(status: String, end: String, expected: Bool) throws {
    let request = JITRequest(tree: try tree(Self.request(status: status, end: end)))
    let port = try #require(request.machines.first?.ports.first)
    #expect(port.isLive(at: Date(timeIntervalSince1970: 1_795_521_600)) == expected)
  }

  // MARK: Asking for access

  private func access(
    _ sources: [String] = ["203.0.113.7"], port: Int = 22, duration: Duration = .seconds(300),
    reason: String? = nil
  ) throws -> AccessRequest {
    AccessRequest(
      machines: [
        .init(
          id: try id(Self.vm),
          ports: [
            .init(
              number: port, sources: sources.map { SourcePrefix(wire: $0) }, duration: duration)
          ])
      ], justification: reason)
  }

  private static let initiate = "POST \(policyID)/initiate"

  @Test("one port, one address, a duration and no end: the body of the contract")
  func initiateBody() async throws {
    let world = World()
    world.azure.expect(
      Self.initiate,
      .json(
        Self.request(status: "Initiating"), status: 202,
        [("Date", "Tue, 24 Nov 2026 12:00:01 GMT"), ("x-ms-request-id", "")]))
    let granted = try await JITPolicies(client: world.client).initiate(
      try id(Self.policyID), try access(reason: "a \"b\""))
    let expected =
      #"{"virtualMachines":[{"id":"\#(Self.vm)","ports":[{"number":22,"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT5M"}]}],"justification":"a \"b\""}"#
    #expect(world.azure.calls.first?.json?.jsonText == expected)
    #expect(granted.port(22, of: try id(Self.vm))?.status == .initiating)
    #expect(granted.serverDate == world.time.start.addingTimeInterval(1))
    world.azure.finish()
  }

  @Test("several sources go in the plural member alone, without a reason there is none")
  func severalSources() throws {
    let body = try access(["203.0.113.7", "198.51.100.0/24"]).body()
    let port = try #require(body["virtualMachines"]?.elements.first?["ports"]?.elements.first)
    #expect(port.members.map(\.name) == ["number", "allowedSourceAddressPrefixes", "duration"])
    #expect(body.members.map(\.name) == ["virtualMachines"])
  }

  @Test("a request that Azure would refuse, or read otherwise, is not sent")
  func badRequests() async throws {
    let world = World()
    let policies = JITPolicies(client: world.client)
    let policy = try id(Self.policyID)
    for (request, code) in [
      (try access(["2001:db8::1"]), Failure.Code.addressNotIPv4), (try access([]), .usage),
      (try access(port: 70000), .usage), (AccessRequest(machines: []), .usage),
    ] {
      let failure = await failure { try await policies.initiate(policy, request) }
      #expect(failure?.code == code)
    }
    #expect(world.azure.calls.isEmpty)
  }

  @Test("an answer that spells the machine otherwise is matched by its place")
  func looseAnswer() throws {
    let answer = JITRequest(
      tree: try tree(Self.request(machine: Self.vm.replacing("s1", with: "other"))))
    #expect(answer.port(22, of: try id(Self.vm), at: 0)?.number == 22)
    #expect(answer.port(22, of: try id(Self.vm), at: 1) == nil)
    #expect(answer.port(23, of: try id(Self.vm), at: 0) == nil)
  }

  /// The error catalogue of the contract, as far as a request can meet it.
  static let refusals: [(FakeAzure.Reply, Failure.Code)] = [
    (
      .error(
        400, "InvalidInitiateInput", "Only one of fields 'EndTimeUtc' and 'Duration' can be set."),
      .azureRefused
    ),
    (.error(404, "PolicyNotFound", "?"), .jitNotEnabled),
    (.error(404, "ResourceNotFound", "?"), .jitNotEnabled),
    (.error(404, "SubscriptionNotFound", "?"), .notFound),
    (.error(404, "ResourceGroupNotFound", "?"), .notFound),
    (
      .error(
        400, "BadRequest",
        "The given access request is not a subset of policy '/subscriptions/x'. Please make sure that the access request is within the allowed policy properties."
      ), .policyForbidsRequest
    ),
    (
      .error(
        409, "Whatever", "The given access request is not a subset of policy 'x'. Please make sure"),
      .policyForbidsRequest
    ),
    (
      .error(
        400, "X",
        "The provided access request contains a source IP address in IPv6 format, which is unsupported by Just-In-Time Network Access."
      ), .addressNotIPv4
    ),
    (
      .error(400, "X", "'default' is not onboarded to Defender For Servers offering."),
      .defenderPlanMissing
    ),
    (
      .error(403, "X", "'p' is not onboarded to Defender For Servers offering."),
      .defenderPlanMissing
    ),
    (.error(400, "X", "The duration PT5M is below the minimum."), .policyForbidsDuration),
    (
      .error(409, "MissingSubscriptionRegistration", "The subscription is not registered"),
      .azureRefused
    ),
    (.error(403, "AuthorizationFailed", "perform action 'a' over scope 'b'"), .notPermitted),
    (.error(429, "SubscriptionRequestsThrottled", "slow"), .azureThrottled),
  ]

  @Test("each refusal of the catalogue has its code", arguments: refusals.indices)
  func refused(index: Int) async throws {
    let (reply, code) = Self.refusals[index]
    let world = World()
    world.azure.expect(Self.initiate, reply)
    let policy = try id(Self.policyID)
    let request = try access()
    let failure = await failure {
      try await JITPolicies(client: world.client).initiate(policy, request)
    }
    #expect(failure?.code == code)
    #expect(failure?.why?.contains("correlation id corr-1") == true)
    #expect(
      failure?.next != nil || code == .azureRefused || code == .jitNotEnabled
        || code == .policyForbidsDuration)
    world.azure.finish()
  }

  @Test(
    "an answer that is lost is looked for in the policy, and the request is never made twice",
    arguments: [
      FakeAzure.Reply.broken(.interrupted), .broken(.timedOut), .error(500, "InternalServerError"),
      .json("<html>", status: 202),
    ])
  func lostAnswer(reply: FakeAzure.Reply) async throws {
    let world = World()
    world.azure.expect(Self.initiate, reply)
    world.azure.expect(
      "GET \(Self.policyID)", .json(Self.policy()),
      .json(Self.policy(requests: "[\(Self.request())]")))
    let granted = try await JITPolicies(client: world.client).initiate(
      try id(Self.policyID), try access())
    #expect(granted.port(22, of: try id(Self.vm))?.status == .initiated)
    world.azure.finish()
  }

  @Test("where no connection was made there is nothing to look for")
  func notSent() async throws {
    let world = World()
    let reply = FakeAzure.Reply(error: HTTPError(.connectFailed, "refused", curlCode: 7))
    world.azure.expect(Self.initiate, reply, reply, reply, reply)
    let policy = try id(Self.policyID)
    let asked = try access()
    let failure = await failure {
      try await JITPolicies(client: world.client).initiate(policy, asked)
    }
    #expect(failure?.code == .networkFailed)
    world.azure.finish()
  }

  @Test(
    "a request of another source, port or hour is not taken for a lost one",
    arguments: [
      request(source: "198.51.100.7"), request(port: 23),
      request(start: "2026-11-24T11:00:00Z"), request(status: "Revoked"),
      request(end: "2026-11-24T11:59:59Z"), request(source: "*"),
    ])
  func notOurs(request: String) async throws {
    let world = World()
    world.azure.expect(Self.initiate, .broken(.interrupted))
    let answer = FakeAzure.Reply.json(Self.policy(requests: "[\(request)]"))
    world.azure.expect("GET \(Self.policyID)", answer, answer, answer)
    let policy = try id(Self.policyID)
    let asked = try access()
    let failure = await failure {
      try await JITPolicies(client: world.client).initiate(policy, asked)
    }
    #expect(failure?.code == .networkFailed)
    world.azure.finish()
  }
}
