import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// Tokens of other issuers, exchanged for one of Entra ID's.
@Suite struct FederatedCredentialTests {
  private static let who = ["AZURE_TENANT_ID": tenantA, "AZURE_CLIENT_ID": testClient]

  private func variables(_ more: [String: String]) -> [String: String] {
    Self.who.merging(more) { $1 }
  }

  @Test("the file is read at each run and sent as it is, without blanks around it")
  func file() async throws {
    let folder = try ScratchFolder()
    for text in ["first.token.x", "second.token.y"] {
      let path = try folder.write("token", " \(text)\r\n\n")
      let fixture = ChainFixture(variables(["AZURE_FEDERATED_TOKEN_FILE": path]))
      fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
      let token = try await fixture.chain().token(for: .arm)
      #expect(token.source == "WorkloadIdentityCredential")
      let sent = form(of: fixture.login.requests.first)
      #expect(sent["client_assertion"] == text)
      #expect(
        sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    }
  }

  @Test(
    "a file that is not there or holds no token stops the chain", arguments: ["", " \n", "a\u{1}b"])
  func badFile(content: String) async throws {
    let folder = try ScratchFolder()
    let path = try folder.write("token", content)
    for path in [path, folder.path + "/absent"] {
      let failure = await failure {
        _ = try await ChainFixture(variables(["AZURE_FEDERATED_TOKEN_FILE": path])).chain()
          .token(for: .arm)
      }
      #expect(failure?.code == .signInRefused)
      #expect(failure?.what.hasPrefix("WorkloadIdentityCredential") == true)
    }
  }

  @Test("GitHub is asked with the audience added to the query that is there")
  func gitHub() async throws {
    let fixture = ChainFixture(
      variables([
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://run.example/token?api-version=2",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-x",
      ]))
    let url = "https://run.example/token?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange"
    fixture.login.expect(.get, url) { _ in
      .success(HTTPResponse(status: 200, body: Array(#"{"value":"gh.jwt.z"}"#.utf8)))
    }
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    #expect(try await fixture.chain().token(for: .arm).source == "GitHubActionsCredential")
    let asked = try #require(fixture.login.requests.first)
    #expect(asked.headers.contains { $0 == ("Authorization", "bearer bearer-x") })
    #expect(asked.headers.contains { $0.name == "Accept" && $0.value.contains("api-version=2.0") })
    #expect(form(of: fixture.login.requests.last)["client_assertion"] == "gh.jwt.z")
  }

  @Test("other clouds ask for the audience of their own")
  func audience() async throws {
    for (name, audience) in [
      ("AzureUSGovernment", "api%3A%2F%2FAzureADTokenExchangeUSGov"),
      ("AzureChinaCloud", "api%3A%2F%2FAzureADTokenExchangeChina"),
    ] {
      let cloud = try #require(Cloud.builtIn.first { $0.name == name })
      let fixture = ChainFixture(
        variables([
          "ACTIONS_ID_TOKEN_REQUEST_URL": "https://run.example/token",
          "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b",
        ]), cloud: cloud)
      fixture.login.expect(.get, "https://run.example/token?audience=" + audience) { _ in
        .success(HTTPResponse(status: 200, body: Array(#"{"value":"x.y.z"}"#.utf8)))
      }
      fixture.login.expectToken(tokenURL(tenantA, cloud: cloud), tokenBody("abc"))
      _ = try await fixture.chain().token(for: TokenRequest(scope: cloud.tokenScope))
      fixture.login.verify()
    }
  }

  @Test("Azure Pipelines is asked for its service connection, with the task's own application")
  func pipelines() async throws {
    let fixture = ChainFixture([
      "SYSTEM_OIDCREQUESTURI": "https://dev.example/oidc", "SYSTEM_ACCESSTOKEN": "bearer-y",
      "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "conn 1",
      "AZURESUBSCRIPTION_TENANT_ID": tenantB, "AZURESUBSCRIPTION_CLIENT_ID": testClient,
    ])
    let url = "https://dev.example/oidc?api-version=7.1&serviceConnectionId=conn%201"
    fixture.login.expect(.post, url) { _ in
      .success(HTTPResponse(status: 200, body: Array(#"{"oidcToken":"ado.jwt.z"}"#.utf8)))
    }
    fixture.login.expectToken(tokenURL(tenantB), tokenBody("abc"))
    #expect(try await fixture.chain().token(for: .arm).source == "AzurePipelinesCredential")
    let asked = try #require(fixture.login.requests.first)
    #expect(asked.body?.isEmpty == true)
    #expect(asked.headers.contains { $0 == ("X-TFS-FedAuthRedirect", "Suppress") })
    #expect(asked.headers.contains { $0 == ("Authorization", "Bearer bearer-y") })
  }

  @Test(
    "an issuer that gives no token stops the chain and shows the ids, never the bearer",
    arguments: [(200, "{}"), (200, "<html>"), (302, ""), (401, ""), (400, "bearer-y")])
  func refusedIssuer(status: Int, body: String) async throws {
    let fixture = ChainFixture(
      variables([
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://run.example/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-y",
      ]))
    let url = "https://run.example/token?audience=api%3A%2F%2FAzureADTokenExchange"
    fixture.login.expect(.get, url) { _ in
      .success(
        HTTPResponse(
          status: status, headers: HTTPHeaders([("x-vss-e2eid", "e2e-1")]),
          body: Array(body.utf8)))
    }
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInRefused)
    #expect(failure?.why?.contains("e2e-1") == true)
    #expect("\(failure?.why ?? "")\(failure?.next ?? "")".contains("bearer-y") == false)
  }

  @Test("an issuer that is not https is not asked")
  func plainIssuer() async throws {
    let fixture = ChainFixture(
      variables([
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://run.example/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-y",
      ]))
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .settingInvalid)
    fixture.login.verify()
  }

  @Test(
    "no federated credential matches: the token's three words are told",
    arguments: [70_021, 700_211, 700_213])
  func mismatch(code: Int) async throws {
    let payload = base64URL(
      Array(#"{"iss":"https://i","sub":"repo:a\u001b[2J","aud":["api://x"]}"#.utf8))
    let folder = try ScratchFolder()
    let path = try folder.write("token", "e30.\(payload).c2ln")
    let fixture = ChainFixture(variables(["AZURE_FEDERATED_TOKEN_FILE": path]))
    fixture.login.expectToken(
      tokenURL(tenantA), status: 401,
      #"{"error":"invalid_client","error_description":"AADSTS\#(code): x","error_codes":[\#(code)]}"#
    )
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    let why = failure?.why ?? ""
    #expect(why.contains("issuer https://i, subject repo:a?[2J, audience api://x"), "\(why)")
    #expect(!why.contains(payload))
  }
}
