import Testing

@testable import AzureSimulator

/// The login server's checks of what people and machines send.
@Suite struct PersonSignInTests {
  private static let client = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
  private static let scope =
    "https://management.core.windows.net//.default offline_access openid profile"
  private static let verifier = "0123456789-0123456789-0123456789-0123456789"

  private func azure(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> TestAzure {
    var configuration = SimulatorConfiguration()
    configuration.identities.append(
      SimulatedIdentity(person: "ada@contoso.example", refreshToken: "0.refresh"))
    change(&configuration)
    return try TestAzure(configuration)
  }

  private func query(_ changes: [String: String?] = [:]) -> String {
    var fields: [String: String] = [
      "client_id": Self.client, "response_type": "code", "redirect_uri": "http://localhost:8400",
      "scope": Self.scope, "state": "state-0123456789-0123456789",
      "code_challenge": base64URL(CertificateCheck.sha256(Array(Self.verifier.utf8))),
      "code_challenge_method": "S256", "nonce": "nonce-0123456789-0123456789",
      "response_mode": "form_post", "client_info": "1", "prompt": "select_account",
    ]
    for (name, value) in changes { fields[name] = value }
    return fields.sorted { $0.key < $1.key }
      .map { "\($0.key)=\(percentEncoded($0.value))" }.joined(separator: "&")
  }

  private func page(
    _ azure: TestAzure, _ changes: [String: String?] = [:], tenant: String = "organizations"
  ) throws -> Answer {
    try azure.send(
      "GET", azure.simulator.loginURL, "/\(tenant)/oauth2/v2.0/authorize?" + query(changes))
  }

  private func value(_ name: String, in page: Answer) -> String? {
    guard let start = page.text.firstRange(of: "name=\"\(name)\" value=\"") else { return nil }
    return String(page.text[start.upperBound...].prefix { $0 != "\"" })
  }

  private func redeem(_ code: String, _ changes: [String: String?] = [:]) -> [(String, String)] {
    var fields: [String: String] = [
      "grant_type": "authorization_code", "client_id": Self.client, "code": code,
      "redirect_uri": "http://localhost:8400", "code_verifier": Self.verifier,
      "scope": Self.scope,
    ]
    for (name, value) in changes { fields[name] = value }
    return fields.map { ($0.key, $0.value) }
  }

  @Test("a code is good once, at its tenant, for its application, redirect and verifier")
  func code() throws {
    let azure = try azure()
    for (changes, tenant, code) in [
      (["code_verifier": "another-0123456789-0123456789-0123456789-01"], "organizations", 501_481),
      (["redirect_uri": "http://localhost:8401"], "organizations", 50_011),
      ([:], SimulatedTenant().id, 700_005), (["client_secret": "x"], "organizations", 900_144),
      (["client_id": "11111111-2222-3333-4444-555555555555"], "organizations", 700_016),
      (["code": "nonsense"], "organizations", 70_000),
      (["scope": "https://nowhere.example/.default"], "organizations", 500_011),
    ] as [([String: String?], String, Int)] {
      let text = try #require(value("code", in: page(azure)))
      let answer = try azure.signIn(redeem(text, changes), tenant: tenant)
      #expect(answer.json["error_codes"]?.elements == [JSON(code)], "\(answer.text)")
    }
    let text = try #require(value("code", in: page(azure)))
    let good = try azure.signIn(redeem(text), tenant: "organizations")
    #expect(good.status == 200, "\(good.text)")
    #expect(good.json["refresh_token"] != nil)
    let replayed = try azure.signIn(redeem(text), tenant: "organizations")
    #expect(replayed.text.contains("AADSTS54005"))
    azure.simulator.change { $0.codeLifetime = .zero }
    let late = try #require(value("code", in: page(azure)))
    #expect(
      try azure.signIn(redeem(late), tenant: "organizations").text.contains("AADSTS70008"))
  }

  @Test(
    "a sign-in page whose question is not whole gives no code",
    arguments: [
      ("response_type", "token"), ("response_mode", "query"), ("code_challenge", nil),
      ("code_challenge_method", "plain"), ("state", nil), ("nonce", "short"),
      ("scope", "https://management.core.windows.net//.default"),
      ("scope", "https://nowhere.example/.default offline_access openid profile"),
      ("claims", "{"), ("surprise", "1"),
    ] as [(String, String?)])
  func question(name: String, text: String?) throws {
    let page = try page(azure(), [name: text])
    #expect(page.status == 200)
    #expect(value("code", in: page) == nil)
    #expect(value("error", in: page) != nil)
  }

  @Test("nothing is sent to an address that is not registered, or for an unknown application")
  func redirect() throws {
    let azure = try azure()
    for changes in [
      ["redirect_uri": "http://127.0.0.1:1"], ["redirect_uri": "http://localhost:1/path"],
      ["redirect_uri": "https://evil.example"], ["client_id": "x"],
    ] {
      #expect(try page(azure, changes).status == 400)
    }
  }

  @Test("a device code is pending, then good once, for its application and tenant")
  func device() throws {
    let azure = try azure {
      $0.behaviour.deviceCodeAnswers = ["authorization_pending", "slow_down"]
    }
    let begun = try azure.send(
      "POST", azure.simulator.loginURL, "/organizations/oauth2/v2.0/devicecode",
      headers: ["Content-Type: application/x-www-form-urlencoded"],
      body: Array("client_id=\(Self.client)&scope=\(percentEncoded(Self.scope))".utf8))
    let code = try #require(begun.json["device_code"]?.text)
    let fields = [
      ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
      ("client_id", Self.client), ("device_code", code),
    ]
    for error in ["authorization_pending", "slow_down"] {
      let answer = try azure.signIn(fields, tenant: "organizations")
      #expect(answer.json["error"]?.text == error)
    }
    #expect(try azure.signIn(fields).json["error"] == "bad_verification_code")
    #expect(try azure.signIn(fields, tenant: "organizations").status == 200)
    let again = try azure.signIn(fields, tenant: "organizations")
    #expect(again.json["error"] == "bad_verification_code")
  }

  @Test("an SSH certificate is only given for a key that is described as it must be")
  func certificate() throws {
    let azure = try azure { configuration in
      configuration.sshCertificate = { wish in "cert-for-\(wish.identity)-\(wish.tenant)" }
    }
    let id = CertificateCheck.hexadecimal(CertificateCheck.sha256(Array("nnnAQAB".utf8)))
    let key = #"{"kty":"RSA","n":"nnn","e":"AQAB","kid":"\#(id)"}"#
    func ask(_ changes: [String: String?]) throws -> Answer {
      var fields: [String: String] = [
        "grant_type": "refresh_token", "client_id": Self.client, "refresh_token": "0.refresh",
        "scope": World.sshScope + " offline_access openid profile", "token_type": "ssh-cert",
        "req_cnf": key, "key_id": id,
      ]
      for (name, value) in changes { fields[name] = value }
      return try azure.signIn(fields.map { ($0.key, $0.value) })
    }
    let good = try ask([:])
    #expect(good.json["token_type"] == "ssh-cert")
    #expect(
      good.json["access_token"]?.text
        == "cert-for-ada@contoso.example-\(SimulatedTenant().id)")
    for changes in [
      ["token_type": nil], ["req_cnf": nil], ["req_cnf": "e30="], ["key_id": "x"],
      ["req_cnf": key.replacing("nnn", with: "mmm")],
    ] as [[String: String?]] {
      #expect(try ask(changes).status == 400)
    }
    #expect(try self.azure().signIn([]).status == 400)
  }

  @Test("a machine's endpoints refuse what does not come from the machine as it should")
  func machines() throws {
    let azure = try azure { configuration in
      var managed = SimulatedIdentity(application: "managed", secret: nil)
      managed.isManaged = true
      configuration.identities.append(managed)
    }
    let resource = "resource=https%3A%2F%2Fmanagement.core.windows.net%2F"
    func get(_ path: String, _ headers: [String] = []) throws -> Answer {
      try azure.send("GET", azure.simulator.loginURL, path, headers: headers)
    }
    let imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&"
    #expect(try get(imds + resource).status == 400)
    #expect(try get(imds + resource, ["Metadata: True"]).status == 400)
    let good = try get(imds + resource, ["Metadata: true"])
    #expect(good.status == 200)
    #expect(good.json["expires_in"]?.text == "3599")
    #expect(
      try get(imds + resource, ["Metadata: true", "X-Forwarded-For: 1.2.3.4"]).status == 400)
    #expect(try get(imds + resource + "&client_id=x", ["Metadata: true"]).status == 400)
    #expect(try get(imds + "resource=https%3A%2F%2Fx%2F", ["Metadata: true"]).status == 400)
    let app = "/appservice/token?api-version=2019-08-01&" + resource
    #expect(try get(app).status == 401)
    let answer = try get(app, ["X-IDENTITY-HEADER: \(MachineIdentitySecrets.header)"])
    #expect(answer.json["expires_on"]?.text != nil)
    #expect(answer.json["expires_in"] == nil)
    #expect(try get("/pipelines/oidc").status == 302)
    #expect(try get("/pipelines/oidc", ["X-TFS-FedAuthRedirect: Suppress"]).status == 401)
  }
}
