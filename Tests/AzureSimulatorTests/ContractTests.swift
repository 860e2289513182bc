import Testing

@testable import AzureSimulator

/// The refusals of the contract, in its words.
@Suite struct ContractTests {
  private func azure(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) throws
    -> TestAzure
  {
    var configuration = SimulatorConfiguration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2")],
      policies: [
        SimulatedPolicy(
          machine: "web1", ports: .init(22, sources: ["203.0.113.0/24"], maximum: "PT1H"))
      ])
    change(&configuration)
    return try TestAzure(configuration)
  }

  private func initiate(_ azure: TestAzure, port: JSON, policy: String? = nil) throws -> Answer {
    try azure.call(
      "POST", (policy ?? azure.policyPath) + "/initiate",
      body: [
        "virtualMachines": [["id": .string(azure.machineID("web1")), "ports": [port]]],
        "justification": "test",
      ])
  }

  @Test("initiate: 401, then 403, then the body, then the policy, then its limits")
  func order() throws {
    let azure = try azure()
    let elsewhere = azure.policyPath.replacing("/default", with: "/other")
    let bad: JSON = ["number": 22]
    let good: JSON = [
      "number": 22, "allowedSourceAddressPrefix": "203.0.113.7", "duration": "PT5M",
    ]
    let wide: JSON = ["number": 22, "allowedSourceAddressPrefix": "*", "duration": "PT5M"]

    let unknown = try azure.call("POST", elsewhere + "/initiate", body: bad, token: "nobody")
    #expect(unknown.code == "InvalidAuthenticationToken")
    #expect(unknown.headers["www-authenticate"]?.contains("authorization_uri=") == true)

    let neither = try initiate(azure, port: bad, policy: elsewhere)
    #expect(neither.code == "InvalidInitiateInput")
    #expect(neither.message == "Only one of fields 'EndTimeUtc' and 'Duration' can be set.")
    #expect(try initiate(azure, port: good, policy: elsewhere).code == "PolicyNotFound")
    #expect(try initiate(azure, port: wide).message?.contains("is not a subset of policy") == true)
    #expect(try initiate(azure, port: good).status == 202)

    let reader = try self.azure {
      $0.identities[0].grants = [.init(actions: ["*/read"])]
    }
    let forbidden = try initiate(reader, port: bad, policy: elsewhere)
    #expect(forbidden.status == 403)
    #expect(forbidden.message?.contains("jitNetworkAccessPolicies/initiate/action") == true)
  }

  @Test(
    "initiate refuses what is outside the policy or malformed",
    arguments: [
      (#"{"number":23,"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT5M"}"#, "subset"),
      (#"{"number":22,"allowedSourceAddressPrefix":"198.51.100.7","duration":"PT5M"}"#, "subset"),
      (#"{"number":22,"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT3H"}"#, "subset"),
      (#"{"number":22,"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT4M"}"#, "duration"),
      (#"{"number":22,"allowedSourceAddressPrefix":"2001:db8::1","duration":"PT5M"}"#, "IPv6"),
      (#"{"number":22,"allowedSourceAddressPrefix":"x","duration":"PT5M"}"#, "not a valid"),
      (
        #"{"number":22,"allowedSourceAddressPrefix":"203.0.113.7","allowedSourceAddressPrefixes":["203.0.113.8"],"duration":"PT5M"}"#,
        "Only one"
      ),
      (
        #"{"number":22,"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT5M","endTimeUtc":"2030-01-01T00:00:00Z"}"#,
        "Only one"
      ),
      (#"{"number":"22","allowedSourceAddressPrefix":"203.0.113.7","duration":"PT5M"}"#, "port"),
      (
        #"{"number":22,"source":"203.0.113.7","duration":"PT5M"}"#, "Could not find member 'source'"
      ),
      (#"{"allowedSourceAddressPrefix":"203.0.113.7","duration":"PT5M"}"#, "'number'"),
    ])
  func refusedPorts(port: String, words: String) throws {
    let azure = try azure()
    let answer = try initiate(azure, port: JSON(parsing: Array(port.utf8)))
    #expect(answer.status == 400)
    #expect(answer.message?.contains(words) == true, "\(answer.text)")
  }

  @Test("switches: a lone address, a longer minimum, the plan")
  func switches() throws {
    let azure = try azure()
    let port: JSON = [
      "number": 22, "allowedSourceAddressPrefix": "203.0.113.7", "duration": "PT5M",
    ]
    azure.simulator.change { $0.loneAddressInBlockIsAllowed = false }
    #expect(try initiate(azure, port: port).message?.contains("subset") == true)
    azure.simulator.change {
      $0.loneAddressInBlockIsAllowed = true
      $0.minimumDuration = .seconds(1800)
    }
    #expect(try initiate(azure, port: port).message?.contains("between 30 minutes") == true)
    let free = try self.azure { $0.subscriptions[0].plan = .free }
    #expect(
      try initiate(free, port: port).message
        == "'default' is not onboarded to Defender For Servers offering.")
  }

  @Test("PUT replaces, says Updating with no requests, then Succeeded")
  func put() throws {
    let azure = try azure { $0.behaviour.policyDelay = .seconds(100) }
    _ = try initiate(
      azure,
      port: ["number": 22, "allowedSourceAddressPrefix": "203.0.113.7", "duration": "PT5M"])
    let body = try JSON(
      parsing: Array(
        """
        {"kind":"Basic","properties":{"virtualMachines":[{"id":"\(azure.machineID("WEB2"))","ports":[
        {"number":22,"protocol":"*","allowedSourceAddressPrefix":"*","maxRequestAccessDuration":"PT3H"}]}]}}
        """.utf8))
    let answer = try azure.call("PUT", azure.policyPath, body: body)
    #expect(answer.status == 200)
    #expect(answer.json["properties"]?["provisioningState"] == "Updating")
    #expect(answer.json["properties"]?["requests"] == [])
    #expect(answer.json["properties"]?["appendMode"] == false)
    azure.simulator.advance(by: .seconds(101))
    let policy = try azure.call("GET", azure.policyPath).json["properties"]
    #expect(policy?["provisioningState"] == "Succeeded")
    #expect(policy?["requests"]?.elements?.count == 1)
    #expect(policy?["virtualMachines"]?.elements?.count == 1)
    // web1 was dropped by the PUT, and its deny rule with it.
    #expect(azure.simulator.rules(of: "web1-nsg").allSatisfy { $0.allows })
    #expect(azure.simulator.rules(of: "web2-nsg").contains { !$0.allows })

    #expect(try azure.call("DELETE", azure.policyPath).status == 200)
    #expect(try azure.call("DELETE", azure.policyPath).status == 204)
    #expect(try azure.call("GET", azure.policyPath).code == "PolicyNotFound")
  }

  @Test(
    "PUT refuses what Azure refuses",
    arguments: [
      ("{}", 400), (#"{"properties":{}}"#, 400), (#"{"properties":{"virtualMachines":1}}"#, 400),
      (#"{"properties":{"virtualMachines":[]},"extra":1}"#, 400),
      (#"{"properties":{"virtualMachines":[],"surprise":1}}"#, 400),
      (
        #"{"properties":{"virtualMachines":[{"id":"ID","ports":[{"number":22,"protocol":""#
          + #"","maxRequestAccessDuration":"PT3H"}]}]}}"#, 500
      ),
      (
        #"{"properties":{"virtualMachines":[{"id":"ID","ports":[{"number":22,"protocol":"*"}]}]}}"#,
        400
      ),
      (
        #"{"properties":{"virtualMachines":[{"id":"ID","ports":[{"number":22,"protocol":"*","#
          + #""maxRequestAccessDuration":"P2D"}]}]}}"#, 400
      ),
      (
        #"{"properties":{"virtualMachines":[{"id":"/subscriptions//subscriptions/x","ports":[1]}]}}"#,
        403
      ),
      (
        #"{"properties":{"virtualMachines":[{"id":"IDx","ports":[{"number":22,"protocol":"*","#
          + #""maxRequestAccessDuration":"PT3H"}]}]}}"#, 404
      ),
      (
        #"{"properties":{"virtualMachines":[{"id":"ID","ports":[{"number":"22","protocol":"*","#
          + #""maxRequestAccessDuration":"PT3H"}]}]}}"#, 200
      ),
    ])
  func refusedPolicies(body: String, status: Int) throws {
    let azure = try azure()
    let text = body.replacing("ID", with: azure.machineID("web1"))
    let answer = try azure.call("PUT", azure.policyPath, body: JSON(parsing: Array(text.utf8)))
    #expect(answer.status == status, "\(answer.text)")
  }

  @Test("policies: lists at four scopes, two for one machine, ids in upper case, unknown members")
  func policies() throws {
    let azure = try azure {
      var second = SimulatedPolicy("vm-policy", machine: "web1", ports: .init(22))
      second.location = "northeurope"
      second.spelling = .upper
      second.unknownMembers = [.init("novel", ["a": 1])]
      $0.policies.append(second)
    }
    let provider = "/providers/Microsoft.Security/"
    let subscription = "/subscriptions/\(azure.subscription)"
    for (path, count) in [
      (subscription + provider + "jitNetworkAccessPolicies", 2),
      (subscription + provider + "locations/northeurope/jitNetworkAccessPolicies", 1),
      (azure.group.uppercased() + provider + "jitNetworkAccessPolicies", 2),
      (azure.group + provider + "locations/westeurope/jitNetworkAccessPolicies", 1),
    ] {
      #expect(try azure.call("GET", path).json["value"]?.elements?.count == count, "\(path)")
    }
    let path = azure.policyPath.replacing("westeurope", with: "northeurope")
      .replacing("/default", with: "/vm-policy")
    let policy = try azure.call("GET", path).json["properties"]
    #expect(policy?["novel"]?["a"] == 1)
    let id = policy?["virtualMachines"]?.elements?.first?["id"]?.text
    #expect(id == azure.machineID("web1").uppercased())
  }

  @Test(
    "404s, versions and scopes in Azure's words",
    arguments: [
      (
        "/subscriptions/SUB/resourceGroups/rg-demo/providers/Microsoft.Compute/virtualMachines/x",
        "2024-07-01", "ResourceNotFound"
      ),
      (
        "/subscriptions/SUB/resourceGroups/nope/providers/Microsoft.Compute/virtualMachines/x",
        "2024-07-01", "ResourceGroupNotFound"
      ),
      ("/subscriptions/00000000-0000-0000-0000-000000000000", "2022-12-01", "SubscriptionNotFound"),
      (
        "/subscriptions/SUB/providers/Microsoft.Compute/virtualMachines", "2018-01-01",
        "NoRegisteredProviderFound"
      ),
      (
        "/subscriptions/SUB/providers/Microsoft.Nothing/things", "2018-01-01", "InvalidResourceType"
      ),
      (
        "/subscriptions/SUB/resourceGroups/rg-demo/providers/Microsoft.Security/locations/west-europe/jitNetworkAccessPolicies/default",
        "2020-01-01", "NoRegisteredProviderFound"
      ),
    ])
  func notFound(path: String, version: String, code: String) throws {
    let azure = try azure()
    let answer = try azure.call(
      "GET", path.replacing("SUB", with: azure.subscription), version: version)
    #expect(answer.code == code)
    #expect(answer.headers["x-ms-correlation-request-id"]?.isEmpty == false)
  }

  @Test("a token of another tenant is told the right one")
  func wrongTenant() throws {
    let other = SimulatedTenant("fabrikam")
    let azure = try azure {
      $0.tenants.append(other)
      $0.identities[0].tenants.append(other.id)
    }
    let name = SimulatedIdentity(application: "jitconnect").name
    let token = azure.simulator.issueToken(to: name, tenant: other.id)
    let answer = try azure.call(
      "GET", "/subscriptions/\(azure.subscription)", version: "2022-12-01", token: token)
    #expect(answer.code == "InvalidAuthenticationTokenTenant")
    #expect(answer.message?.contains(SimulatedTenant().id) == true)
    let wrong = azure.simulator.issueToken(to: name, audience: "https://vault.azure.net")
    #expect(
      try azure.call("GET", "/subscriptions", version: "2022-12-01", token: wrong).status == 401)
    let late = azure.simulator.issueToken(to: name, lifetime: .seconds(-5))
    #expect(
      try azure.call("GET", "/subscriptions", version: "2022-12-01", token: late).code
        == "ExpiredAuthenticationToken")
  }

  @Test("an unregistered provider is told, and can be registered")
  func registration() throws {
    let azure = try azure { $0.subscriptions[0].securityRegistered = false }
    let path = "/subscriptions/\(azure.subscription)/providers/Microsoft.Security/"
    let list = path + "jitNetworkAccessPolicies"
    #expect(try azure.call("GET", list).code == "MissingSubscriptionRegistration")
    #expect(try azure.call("POST", path + "register", version: "2021-04-01").status == 200)
    #expect(try azure.call("GET", list).status == 200)
  }

  @Test("a machine behind a firewall: its address and the mapped port")
  func firewall() throws {
    let azure = try azure {
      var entry = SimulatedPolicy.Entry("web2", ports: [.init(22)])
      entry.firewallAddress = "127.0.0.1"
      entry.mappedPorts = [22: 40022]
      $0.policies.append(SimulatedPolicy("behind", entries: [entry]))
    }
    let path = azure.policyPath.replacing("/default", with: "/behind")
    let answer = try azure.call(
      "POST", path + "/initiate",
      body: [
        "virtualMachines": [
          [
            "id": .string(azure.machineID("web2")),
            "ports": [
              [
                "number": 22, "allowedSourceAddressPrefixes": ["203.0.113.7", "203.0.113.8"],
                "duration": "PT5M",
              ]
            ],
          ]
        ]
      ])
    #expect(answer.text.contains("\"mappedPort\":40022"))
    #expect(answer.text.contains("\"allowedSourceAddressPrefixes\""))
    #expect(try azure.call("GET", path).text.contains("\"publicIpAddress\":\"127.0.0.1\""))
  }

  @Test("lists page by nextLink, followed as it is")
  func paging() throws {
    let azure = try azure { $0.behaviour.pageSize = 1 }
    let first = try azure.call(
      "GET", "/subscriptions/\(azure.subscription)/providers/Microsoft.Compute/virtualMachines",
      version: "2024-07-01")
    #expect(first.json["value"]?.elements?.count == 1)
    let link = first.json["nextLink"]?.text ?? ""
    let second = try azure.call(
      "GET", String(link.dropFirst(azure.simulator.baseURL.count)), version: nil)
    #expect(second.json["value"]?.elements?.first?["name"] == "web2")
    #expect(second.json["nextLink"] == nil)
  }

  @Test("the plan, the network's resources and the activity log have their shapes")
  func shapes() throws {
    let azure = try azure()
    let network = azure.group + "/providers/Microsoft.Network/"
    let interface = try azure.call(
      "GET", network + "networkInterfaces/web1-nic", version: "2024-05-01")
    #expect(interface.json["properties"]?["virtualMachine"]?["id"]?.text == azure.machineID("web1"))
    #expect(
      try azure.call("GET", network + "publicIPAddresses/web1-ip", version: "2024-05-01").json[
        "properties"]?["ipAddress"]?.text?.hasPrefix("127.128.") == true)
    #expect(
      try azure.call(
        "GET", network + "virtualNetworks/rg-demo-vnet/subnets/default", version: "2024-05-01"
      ).status == 200)
    let group = try azure.call(
      "GET", network + "networkSecurityGroups/web1-nsg", version: "2024-05-01")
    #expect(group.json["properties"]?["defaultSecurityRules"]?.elements?.count == 3)
    let pricing = try azure.call(
      "GET",
      "/subscriptions/\(azure.subscription)/providers/Microsoft.Security/pricings/VirtualMachines",
      version: "2024-01-01")
    #expect(pricing.json["properties"]?["subPlan"] == "P2")
    let permissions = try azure.call(
      "GET", azure.machineID("web1") + "/providers/Microsoft.Authorization/permissions",
      version: "2022-04-01")
    #expect(permissions.json["value"]?.elements?.first?["actions"] == ["*"])

    let watchers = try azure.call(
      "GET", "/subscriptions/\(azure.subscription)/providers/Microsoft.Network/networkWatchers",
      version: "2024-05-01")
    let watcher = watchers.json["value"]?.elements?.first?["id"]?.text ?? ""
    let flow = try azure.call(
      "POST", watcher + "/ipFlowVerify", version: "2024-05-01",
      body: [
        "targetResourceId": .string(azure.machineID("web1")), "direction": "Inbound",
        "protocol": "TCP", "localPort": "22", "remotePort": "*", "localIPAddress": "10.0.0.4",
        "remoteIPAddress": "203.0.113.7",
      ])
    #expect(flow.json["access"] == "Deny")
    #expect(flow.json["ruleName"]?.text?.contains("-JITRule_") == true)
    #expect(flow.headers["location"] != nil)
    let effective = try azure.call(
      "POST", network + "networkInterfaces/web1-nic/effectiveNetworkSecurityGroups",
      version: "2024-05-01")
    #expect(effective.status == 202)
    azure.simulator.advance(by: .seconds(5))
    let location = effective.headers["location"] ?? ""
    let rules = try azure.call(
      "GET", String(location.dropFirst(azure.simulator.baseURL.count)), version: nil)
    #expect(rules.text.contains("\"22-22\""))

    _ = try initiate(
      azure,
      port: ["number": 22, "allowedSourceAddressPrefix": "203.0.113.7", "duration": "PT5M"])
    let log =
      "/subscriptions/\(azure.subscription)/providers/Microsoft.Insights/eventtypes/management/values"
    let from = azure.simulator.now + .seconds(-3600)
    let events = try azure.call(
      "GET", log + "?$filter=" + percentEncoded("eventTimestamp ge '\(from.text)'"),
      version: "2015-04-01")
    #expect(events.json["value"]?.elements?.count == 2)
    let old = azure.simulator.now + .seconds(-91 * 86_400)
    let refused = try azure.call(
      "GET", log + "?$filter=" + percentEncoded("eventTimestamp ge '\(old.text)'"),
      version: "2015-04-01")
    #expect(refused.json["Message"] == "The start time cannot be more than 90 days in the past.")
  }
}
