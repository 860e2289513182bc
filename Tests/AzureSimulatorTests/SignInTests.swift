import Testing

@testable import AzureSimulator

@Suite struct SignInTests {
  private let application = SimulatedIdentity()

  private func form(_ change: [String: String?] = [:]) -> [(String, String)] {
    var fields: [(String, String)] = [
      ("grant_type", "client_credentials"), ("client_id", application.name),
      ("client_secret", application.secret ?? ""),
      ("scope", "https://management.core.windows.net//.default"),
    ]
    for (name, value) in change {
      fields.removeAll { $0.0 == name }
      if let value { fields.append((name, value)) }
    }
    return fields
  }

  @Test("a secret gives a token that Resource Manager takes")
  func secret() throws {
    let azure = try TestAzure()
    let answer = try azure.signIn(form())
    #expect(answer.status == 200)
    #expect(answer.json["expires_in"] == 3599)
    let token = answer.json["access_token"]?.text
    let list = try azure.call("GET", "/subscriptions", version: "2022-12-01", token: token)
    #expect(list.json["value"]?.elements?.count == 1)
    azure.simulator.change { $0.expiresInIsText = true }
    #expect(try azure.signIn(form()).json["expires_in"] == "3599")
    azure.simulator.expireTokens()
    #expect(
      try azure.call("GET", "/subscriptions", version: "2022-12-01", token: token).status == 401)
  }

  @Test(
    "each wrong field has its code",
    arguments: [
      ("grant_type", nil, 900_144), ("grant_type", "password", 70_003),
      ("client_id", "00000000-0000-0000-0000-000000000000", 700_016),
      ("client_secret", "wrong", 7_000_215), ("client_secret", nil, 7_000_216),
      ("scope", nil, 900_144), ("scope", "https://management.core.windows.net/", 70_011),
      ("scope", "https://nowhere.example/.default", 500_011), ("surprise", "1", 900_144),
    ] as [(String, String?, Int)])
  func refusals(field: String, value: String?, code: Int) throws {
    let answer = try TestAzure().signIn(form([field: value]))
    #expect(answer.status >= 400)
    #expect(answer.json["error_codes"]?.elements == [JSON(code)], "\(answer.text)")
    #expect(answer.json["error_description"]?.text?.hasPrefix("AADSTS\(code): ") == true)
  }

  @Test("an unknown tenant, an expired secret, a tenant that is none")
  func tenants() throws {
    let azure = try TestAzure()
    #expect(try azure.signIn(form(), tenant: "nope").text.contains("AADSTS90002"))
    #expect(try azure.signIn(form(), tenant: "organizations").status == 400)
    #expect(try azure.signIn(form(), tenant: "contoso.example").status == 200)
    var configuration = SimulatorConfiguration()
    configuration.identities[0].secretExpired = true
    #expect(try TestAzure(configuration).signIn(form()).text.contains("AADSTS7000222"))
  }

  @Test("a person's refresh token, for the client that got it")
  func refresh() throws {
    var configuration = SimulatorConfiguration()
    configuration.identities.append(
      SimulatedIdentity(person: "ada@contoso.example", refreshToken: "0.refresh"))
    let azure = try TestAzure(configuration)
    let fields = [
      ("grant_type", "refresh_token"), ("client_id", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
      ("refresh_token", "0.refresh"),
      ("scope", "https://management.core.windows.net//.default offline_access openid profile"),
      ("client_info", "1"),
    ]
    let answer = try azure.signIn(fields, tenant: "organizations")
    #expect(answer.status == 200, "\(answer.text)")
    #expect(answer.json["refresh_token"]?.text?.hasPrefix("0.refresh.next") == true)
    #expect(answer.json["client_info"] != nil)
    var other = fields
    other[1].1 = "1950a258-227b-4e31-a9cf-717495945fc2"
    #expect(try azure.signIn(other).json["error"] == "invalid_grant")
  }

  @Test(
    "revoked tokens get a challenge until one is asked for with its claims",
    arguments: [false, true])
  func challenge(generic: Bool) throws {
    let azure = try TestAzure()
    let capability = #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#
    let asked = #"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#
    let both =
      #"{"access_token":{"xms_cc":{"values":["CP1"]},"nbf":{"essential":true,"value":"1700000000"}}}"#
    func token(_ claims: String) throws -> String? {
      try azure.signIn(form(["claims": claims])).json["access_token"]?.text
    }
    func list(_ token: String?) throws -> Answer {
      try azure.call("GET", "/subscriptions", version: "2022-12-01", token: token)
    }
    let first = try token(capability)
    #expect(try list(first).status == 200)
    azure.simulator.revokeTokens(claims: asked, generic: generic)
    let challenge = try list(first).headers["www-authenticate"] ?? ""
    #expect(challenge.contains("claims=\"" + base64(Array(asked.utf8)) + "\""))
    #expect(challenge.contains(generic ? "insufficient_claims" : "invalid_token"))
    #expect(try list(token(capability)).status == 401)
    #expect(try list(token(both)).status == 200)
  }

  @Test("metadata as an object, as an array, with a byte order mark")
  func metadata() throws {
    let azure = try TestAzure()
    func get(_ version: String) throws -> Answer {
      try azure.send(
        "GET", azure.simulator.baseURL, "/metadata/endpoints?api-version=" + version)
    }
    let object = try get("2022-09-01").json
    #expect(object["resourceManager"]?.text == azure.simulator.baseURL + "/")
    #expect(
      object["authentication"]?["loginEndpoint"]?.text == azure.simulator.loginURL + "/")
    #expect(try get("2019-05-01").json.elements?.first?["name"] == "AzureSimulator")
    #expect(try get("2015-01-01").status == 400)
    azure.simulator.change { $0.metadataStartsWithBOM = true }
    #expect(try get("2022-09-01").body.starts(with: [0xEF, 0xBB, 0xBF]))
    #expect(Set(azure.simulator.environment.keys).count == 5)
  }

  @Test("address services answer what they were told")
  func addresses() throws {
    let azure = try TestAzure()
    func get(_ name: String) throws -> Answer {
      try azure.send("GET", azure.simulator.baseURL, "/ip/" + name)
    }
    #expect(try get("a").text == "203.0.113.7\n")
    azure.simulator.answerAddress("b", with: .trace(nil))
    #expect(try get("b").text.contains("ip=203.0.113.7\n"))
    azure.simulator.answerAddress("c", with: .reset)
    #expect((try? get("c").status) ?? 0 == 0)
    #expect(try get("d").status == 404)
  }
}
