import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

@Suite struct EnvironmentCredentialTests {
  @Test("the three variables are sent as one form to the tenant's token endpoint")
  func request() async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    let token = try await fixture.chain().token(for: .arm)

    #expect(token.secret.exposedText == "abc")
    #expect(token.expiresOn == testNow.addingTimeInterval(3599))
    #expect(token.source == "EnvironmentCredential")
    #expect(token.account == testClient)
    #expect(token.tenant == tenantA)
    let sent = fixture.login.requests.first
    #expect(
      form(of: sent) == [
        "grant_type": "client_credentials", "client_id": testClient,
        "client_secret": "s3cr+t &=%ü",
        "scope": "https://management.core.windows.net//.default",
        "claims": #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
      ])
    let body = String(decoding: sent?.body ?? [], as: UTF8.self)
    #expect(body.contains("client_secret=s3cr%2Bt%20%26%3D%25%C3%BC"))
    #expect(sent?.bodyLimit == 1 << 20)
    fixture.login.verify()
  }

  @Test("the presence of AZURE_IDENTITY_DISABLE_CP1, even empty, takes the capability away")
  func noCapability() async throws {
    var variables = secretVariables
    variables["AZURE_IDENTITY_DISABLE_CP1"] = ""
    let fixture = ChainFixture(variables)
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    _ = try await fixture.chain().token(for: .arm)
    #expect(form(of: fixture.login.requests.first)["claims"] == nil)
  }

  @Test("the tenant that a request names is the one asked")
  func otherTenant() async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(tokenURL(tenantB), tokenBody("abc"))
    let request = TokenRequest(scope: Cloud.azureCloud.tokenScope, tenant: tenantB)
    #expect(try await fixture.chain().token(for: request).tenant == tenantB)
    fixture.login.verify()
  }

  @Test(
    "a refusal stops the chain, with the credential's name, plain words and what to do",
    arguments: [
      (7_000_215, "is wrong", "AZURE_CLIENT_SECRET", Failure.Code.signInRefused),
      (7_000_222, "has expired", "az ad app credential reset", .signInRefused),
      (700_016, "unknown or disabled", "AZURE_CLIENT_ID", .signInRefused),
      (90_002, "no tenant", "AZURE_TENANT_ID", .signInRefused),
      (999_999, "AADSTS999999", "EnvironmentCredential", .signInRefused),
    ])
  func refused(code: Int, words: String, next: String, kind: Failure.Code) async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(
      tokenURL(tenantA), status: 401,
      """
      {"error":"invalid_client","error_description":"AADSTS\(code): Something s3cr+t &=%ü is \
      wrong. Trace ID: aaaa Correlation ID: bbbb\\r\\nTimestamp: x","error_codes":[\(code)],\
      "correlation_id":"c0ffee","timestamp":"2026-09-21 10:00:00Z"}
      """)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == kind)
    #expect(failure?.what.contains("EnvironmentCredential") == true)
    #expect(failure?.what.contains(tenantA) == true)
    #expect(failure?.why?.contains(words) == true)
    #expect(failure?.why?.contains("correlation id c0ffee") == true)
    #expect(failure?.why?.contains("Trace ID") == false)
    #expect(failure?.why?.contains("s3cr") == false)
    #expect(failure?.next?.contains(next) == true)
    #expect(
      failure?.cause
        == .http(status: 401, serviceCode: "AADSTS\(code)", correlationID: "c0ffee"))
    fixture.login.verify()
  }

  @Test(
    "trouble that passes is tried again, at most three times in all",
    arguments: [429, 500, 503])
  func passing(status: Int) async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(
      tokenURL(tenantA), status: status, headers: [("Retry-After", "2")], "")
    fixture.login.expect(.post, tokenURL(tenantA)) { _ in
      .failure(HTTPError(.connectFailed, "refused"))
    }
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc", expiresIn: "\"3599\""))
    #expect(try await fixture.chain().token(for: .arm).secret.exposedText == "abc")
    fixture.login.verify()
  }

  @Test("a wait longer than half a minute is told, not made")
  func longWait() async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(tokenURL(tenantA), status: 429, headers: [("Retry-After", "600")], "")
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .azureThrottled)
    #expect(failure?.next == "try again in 600 seconds")
    fixture.login.verify()
  }

  @Test(
    "an answer without a usable token is an error",
    arguments: [
      (200, #"{"token_type":"Bearer","expires_in":3599}"#),
      (200, #"{"access_token":"a\r\nb","expires_in":3599}"#),
      (200, #"{"access_token":"","expires_in":3599}"#),
      (200, #"{"access_token":"abc","expires_in":3599,"token_type":"pop"}"#),
      (200, #"{"access_token":"abc","expires_in":0}"#),
      (200, #"{"access_token":"abc","expires_in":"soon"}"#),
      (200, #"{"access_token":"abc"}"#), (200, #"{"access_tok"#), (200, "<html>"), (200, ""),
      (302, ""), (403, "<html>"),
    ])
  func unusable(status: Int, body: String) async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(tokenURL(tenantA), status: status, body)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .azureAnswerInvalid)
    fixture.login.verify()
  }

  @Test("an answer that does not say when its token ends is not blamed on the clock")
  func endless() async throws {
    let fixture = ChainFixture(secretVariables)
    fixture.login.expectToken(tokenURL(tenantA), status: 200, #"{"access_token":"abc"}"#)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.why?.contains("expires_in") == true)
    #expect(failure?.next?.contains("clock") == false)
  }

  @Test("an application without its secret is half set up, and that is said")
  func noSecret() async throws {
    var variables = secretVariables
    variables["AZURE_CLIENT_SECRET"] = nil
    let fixture = ChainFixture(variables)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why?.contains("neither AZURE_CLIENT_SECRET nor") == true)
    #expect(failure?.why?.contains("no application") == false)
  }

  @Test("an application is told to renew its secret, not to log in")
  func renewal() {
    let token = AccessToken(
      secret: SecretBytes([]), expiresOn: testNow, tenant: tenantA,
      source: EnvironmentCredential.name, account: testClient)
    #expect(token.renewal.hasPrefix("give the application"))
    #expect(token.renewal.contains("AZURE_CLIENT_SECRET"))
  }

  @Test(
    "a tenant that is none is refused before anything is sent", arguments: ["a/b", "..", "x y"])
  func badTenant(tenant: String) async throws {
    var variables = secretVariables
    variables["AZURE_TENANT_ID"] = tenant
    let fixture = ChainFixture(variables)
    let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
    #expect(failure?.code == .settingInvalid)
  }
}
