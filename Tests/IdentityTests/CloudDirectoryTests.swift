import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

@Suite struct CloudDirectoryTests {
  private static let url = "https://127.0.0.1:9/metadata/endpoints?api-version=2019-05-01"

  private func directory(
    _ variables: [String: String] = [:], login: FakeLogin = FakeLogin(), home: String? = nil,
    clock: WallClock = testClock, warnings: Warnings = Warnings()
  ) -> CloudDirectory {
    CloudDirectory(
      environment: Environment(variables: variables, home: home, userID: testUserID),
      transport: login, clock: clock, sleep: { _ in }, warn: { warnings.add($0) })
  }

  private func entry(
    _ name: String, login: String = "https://login.example/",
    manager: String = "https://arm.example/", audiences: String = #"["https://aud.example/"]"#
  ) -> String {
    """
    {"name":"\(name)","portal":"https://portal.example/","resourceManager":"\(manager)",
     "authentication":{"loginEndpoint":"\(login)","audiences":\(audiences),"tenant":"common",
     "identityProvider":"AAD"},"suffixes":{"storage":"x"},"media":null}
    """
  }

  private func resolve(
    document: String, named: String? = nil, variables: [String: String] = [:]
  ) async throws -> Cloud {
    let login = FakeLogin()
    login.expect(.get, Self.url) { _ in
      .success(HTTPResponse(status: 200, body: Array(document.utf8)))
    }
    defer { login.verify() }
    return try await directory(
      variables.merging(["ARM_CLOUD_METADATA_URL": Self.url]) { $1 }, login: login
    ).resolve(named)
  }

  // MARK: Without a document

  @Test(
    "the scope is the first audience as spelled, plus /.default",
    arguments: [
      ("AzureCloud", "https://management.core.windows.net//.default"),
      ("azureusgovernment", "https://management.core.usgovcloudapi.net//.default"),
      ("AzureChinaCloud", "https://management.core.chinacloudapi.cn//.default"),
    ])
  func builtIn(name: String, scope: String) async throws {
    #expect(try await directory().resolve(name).tokenScope == scope)
  }

  @Test("without any word it is AzureCloud")
  func standard() async throws {
    #expect(try await directory().resolve() == .azureCloud)
  }

  @Test("az's selected cloud is used, from its variable or its file")
  func selectedByAz() async throws {
    let az = try AzureCLIFixture(profile: false)
    try az.folder.write("config", "[core]\noutput = table\n[cloud]\nname = AzureChinaCloud\n")
    #expect(try await directory(az.variables).resolve().name == "AzureChinaCloud")
    let variables = az.variables.merging(["AZURE_CLOUD_NAME": "AzureUSGovernment"]) { $1 }
    #expect(try await directory(variables).resolve().name == "AzureUSGovernment")
    #expect(try await directory(variables).resolve("AzureCloud").name == "AzureCloud")
  }

  @Test("a cloud that az was taught is known with its own addresses")
  func custom() async throws {
    let az = try AzureCLIFixture(profile: false)
    try az.folder.write("config", "[cloud]\nname = Stack\n")
    try az.folder.write(
      "clouds.config",
      """
      [AzureCloud]
      subscription = x

      [Stack]
      profile = 2020-09-01-hybrid
      endpoint_resource_manager = https://arm.stack.example/
      endpoint_active_directory = https://login.stack.example
      endpoint_active_directory_resource_id = https://management.stack.example/guid
      """)
    let cloud = try await directory(az.variables).resolve()
    #expect(cloud.name == "Stack")
    #expect(cloud.loginEndpoint == "https://login.stack.example")
    #expect(cloud.resourceManager == "https://arm.stack.example")
    #expect(cloud.tokenScope == "https://management.stack.example/guid/.default")
    #expect(try await directory(az.variables).resolve("AzureCloud").name == "AzureCloud")
  }

  @Test("an unknown name is an error that lists the known ones")
  func unknownName() async throws {
    let failure = await failure { _ = try await directory().resolve("AzureGermanCloud") }
    #expect(failure?.code == .cloudUnknown)
    #expect(failure?.why?.contains("AzureUSGovernment") == true)
  }

  // MARK: The document

  @Test(
    "both shapes are read, with and without a byte order mark and final slashes",
    arguments: [false, true], [false, true])
  func shapes(isList: Bool, hasMark: Bool) async throws {
    let one = entry("Own")
    let cloud = try await resolve(
      document: (hasMark ? "\u{FEFF}" : "") + (isList ? "[\(one)]" : one))
    #expect(
      cloud
        == Cloud(
          name: "Own", loginEndpoint: "https://login.example",
          resourceManager: "https://arm.example", audiences: ["https://aud.example/"],
          portal: "https://portal.example", metadataURL: Self.url))
  }

  @Test(
    "a member that is not needed does not cost the document, whatever its type",
    arguments: ["7", "null", "[]", "{}", "true"])
  func ornaments(value: String) async throws {
    let odd = entry("Own").replacing(
      #""portal":"https://portal.example/""#, with: #""portal":\#(value)"#)
    for document in [odd, "[\(odd)]"] {
      let cloud = try await resolve(document: document)
      #expect(cloud.resourceManager == "https://arm.example")
      #expect(cloud.portal == nil)
    }
    let unnamed = entry("Own").replacing(#""name":"Own""#, with: #""name":\#(value)"#)
    #expect(try await resolve(document: unnamed).loginEndpoint == "https://login.example")
  }

  @Test("the oldest shape takes the Resource Manager from the address it came from")
  func oldest() async throws {
    let cloud = try await resolve(
      document: """
        {"galleryEndpoint":"","portalEndpoint":"https://portal.example/",
         "authentication":{"loginEndpoint":"https://login.example/","audiences":["https://a/x"]}}
        """)
    #expect(cloud.resourceManager == "https://127.0.0.1:9")
    #expect(cloud.portal == "https://portal.example")
  }

  @Test("of several clouds the named one is taken, else az's, else the first")
  func several() async throws {
    let document = "[\(entry("One")),\(entry("Two")),\(entry("Three"))]"
    #expect(try await resolve(document: document).name == "One")
    #expect(try await resolve(document: document, named: "two").name == "Two")
    let selected = try await resolve(document: document, variables: ["AZURE_CLOUD_NAME": "Three"])
    #expect(selected.name == "Three")
    let failure = await failure { _ = try await resolve(document: document, named: "Four") }
    #expect(failure?.code == .cloudUnknown)
    #expect(failure?.why?.contains("One, Two, Three") == true)
  }

  @Test("--cloud may be a URL itself, and goes before the variable")
  func namedURL() async throws {
    let login = FakeLogin()
    let body = Array(entry("Own").utf8)
    login.expect(.get, "https://other.example/m") { _ in
      .success(HTTPResponse(status: 200, body: body))
    }
    let directory = directory(["ARM_CLOUD_METADATA_URL": Self.url], login: login)
    #expect(try await directory.resolve("https://other.example/m").name == "Own")
    login.verify()
  }

  @Test(
    "a bad document is an error that says what is wrong",
    arguments: [
      ("", "not JSON"), ("<html>", "not JSON"), ("[]", "no cloud"), ("42", "not JSON"),
      ("[42]", "another type"), ("{}", "loginEndpoint is missing"),
      (
        #"{"authentication":{"loginEndpoint":"login.example"},"resourceManager":"https://a"}"#,
        "no address"
      ),
      (
        #"{"authentication":{"loginEndpoint":"http://login.example"},"resourceManager":"https://a"}"#,
        "plain http"
      ),
      (
        #"{"authentication":{"loginEndpoint":"https://login.example"},"resourceManager":"http://a"}"#,
        "plain http"
      ),
      (
        #"{"authentication":{"loginEndpoint":"https://u@login.example"},"resourceManager":"https://a"}"#,
        "no address"
      ),
    ])
  func bad(document: String, words: String) async throws {
    let failure = await failure { _ = try await resolve(document: document) }
    #expect(failure?.code == .cloudUnknown)
    #expect(failure?.why?.contains(words) == true)
  }

  @Test(
    "a real cloud's tokens are never sent to a server that a document invents",
    arguments: [
      "https://login.windows.net/", "https://login.microsoftonline.com:443",
      "https://westus.login.microsoft.com", "https://login.sovcloud-identity.fr",
    ],
    [
      "https://management.azure.com", "https://MANAGEMENT.core.windows.net:443/",
      "797f4846-ba00-4fd7-ba43-dac1f8f63013", "api://797f4846-ba00-4fd7-ba43-dac1f8f63013",
      "https://vault.azure.net", "https://graph.example/", "https://notonmicrosoft.com/x",
    ])
  func foreignManager(login: String, audience: String) async throws {
    let failure = await failure {
      _ = try await resolve(
        document: entry("AzureCloud", login: login, audiences: "[\"\(audience)\"]"))
    }
    #expect(failure?.code == .cloudUnknown)
  }

  @Test(
    "a regional Resource Manager and an Azure Stack with the public login are fine",
    arguments: [
      ("https://westeurope.management.azure.com", "https://management.azure.com/"),
      ("https://management.stack.example", "https://management.contoso.onmicrosoft.com/guid"),
      ("https://management.sovcloud-api.fr", "https://management.sovcloud-api.fr/"),
      ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"),
    ])
  func ownManager(manager: String, audience: String) async throws {
    let cloud = try await resolve(
      document: entry(
        "X", login: "https://login.windows.net/", manager: manager,
        audiences: "[\"\(audience)\"]"))
    #expect(cloud.resourceManager == manager)
    #expect(cloud.audiences == [audience])
  }

  @Test("one audience that is for another server, or another cloud's, spoils the rest")
  func mixedAudiences() async throws {
    for other in ["https://vault.azure.net", "https://management.chinacloudapi.cn/"] {
      let failure = await failure {
        _ = try await resolve(
          document: entry(
            "X", login: "https://login.windows.net/", manager: "https://management.azure.com",
            audiences: "[\"https://management.azure.com/\",\"\(other)\"]"))
      }
      #expect(failure?.code == .cloudUnknown)
    }
  }

  @Test("a command names the cloud, unless it means the same one without")
  func argument() async throws {
    let gov = ["AZURE_CLOUD_NAME": "AzureUSGovernment"]
    #expect(try await directory().resolve().argument == nil)
    #expect(try await directory().resolve("AzureCloud").argument == nil)
    #expect(try await directory().resolve("AzureChinaCloud").argument == "AzureChinaCloud")
    #expect(try await directory(gov).resolve().argument == nil)
    #expect(try await directory(gov).resolve("azureusgovernment").argument == nil)
    #expect(try await directory(gov).resolve("AzureCloud").argument == "AzureCloud")
    #expect(try await resolve(document: entry("Own")).argument == nil)
    #expect(try await resolve(document: entry("Own"), named: "Own").argument == "Own")
    let login = FakeLogin()
    let body = Array(entry("Own").utf8)
    for (query, shown) in [("?api-version=1", "?api-version=1"), ("?a=s3cr3t", "?…")] {
      let url = "https://other.example/m" + query
      login.expect(.get, url) { _ in .success(HTTPResponse(status: 200, body: body)) }
      #expect(
        try await directory(login: login).resolve(url).argument
          == "'https://other.example/m\(shown)'")
    }
  }

  @Test("no message shows what may be secret in a document's address")
  func secretAddress() async throws {
    let login = FakeLogin()
    login.expect(.get, "https://a.example/m?code=s3cr3t") { _ in
      .success(HTTPResponse(status: 200, body: Array("{}".utf8)))
    }
    login.expect(.get, "https://a.example/m?code=s3cr3t") { _ in
      .success(HTTPResponse(status: 404))
    }
    for url in [
      "https://a.example/m?code=s3cr3t", "https://a.example/m?code=s3cr3t",
      "https://u:s3cr3t@a.example/m",
    ] {
      let failure = await failure { _ = try await directory(login: login).resolve(url) }
      #expect(failure?.what.contains("https://a.example/m") == true)
      #expect("\(String(describing: failure))".contains("s3cr3t") == false)
    }
    login.verify()
  }

  @Test("a document that plain http brings from another machine is not even asked for")
  func plainHTTP() async throws {
    for url in [
      "http://arm.example/m", "http://127.0.0.1.example/m", "https://a b", "https://u@h/m",
    ] {
      let failure = await failure { _ = try await directory().resolve(url) }
      #expect(failure?.code == .cloudUnknown)
    }
  }

  @Test("loopback may be plain http, in the address and in the document")
  func loopback() async throws {
    let login = FakeLogin()
    let body = Array(
      entry("Local", login: "http://localhost:1/", manager: "http://127.0.0.1:2/").utf8)
    login.expect(.get, "http://127.0.0.1:2/metadata/endpoints") { request in
      #expect(request.proxy == .none)
      return .success(HTTPResponse(status: 200, body: body))
    }
    let cloud = try await directory(login: login).resolve("http://127.0.0.1:2/metadata/endpoints")
    #expect(cloud.loginEndpoint == "http://localhost:1")
    login.verify()
  }

  // MARK: The cache

  @Test("the second run makes no call, a day later it does, and trouble then is survived")
  func cached() async throws {
    let cache = try ScratchFolder()
    let variables = ["ARM_CLOUD_METADATA_URL": Self.url, "XDG_CACHE_HOME": cache.path]
    let body = Array("[\(entry("One")),\(entry("Two"))]".utf8)
    let login = FakeLogin()
    login.expect(.get, Self.url) { _ in .success(HTTPResponse(status: 200, body: body)) }
    let first = try await directory(variables, login: login).resolve()
    #expect(try await directory(variables, login: login).resolve() == first)
    #expect(try await directory(variables, login: login).resolve("Two").name == "Two")
    login.verify()

    let tomorrow = WallClock(now: { testNow.addingTimeInterval(86_401) })
    let warnings = Warnings()
    login.expect(.get, Self.url) { _ in .failure(HTTPError(.timedOut, "too slow")) }
    let late = directory(variables, login: login, clock: tomorrow, warnings: warnings)
    #expect(try await late.resolve() == first)
    #expect(warnings.all.count == 1)
    login.verify()
  }

  @Test("one address's document never answers for another")
  func keyedByURL() async throws {
    let cache = try ScratchFolder()
    let login = FakeLogin()
    for (url, name) in [("https://a.example/m", "A"), ("https://b.example/m", "B")] {
      let body = Array(entry(name).utf8)
      login.expect(.get, url) { _ in .success(HTTPResponse(status: 200, body: body)) }
    }
    let directory = directory(["XDG_CACHE_HOME": cache.path], login: login)
    #expect(try await directory.resolve("https://a.example/m").name == "A")
    #expect(try await directory.resolve("https://b.example/m").name == "B")
    #expect(try await directory.resolve("https://a.example/m").name == "A")
    login.verify()
  }

  // MARK: AZURE_AUTHORITY_HOST

  @Test(
    "a known login server chooses its cloud, and may be an alias",
    arguments: [
      (
        "https://login.microsoftonline.us/", "AzureUSGovernment", "https://login.microsoftonline.us"
      ),
      (
        "login.partner.microsoftonline.cn", "AzureChinaCloud",
        "https://login.partner.microsoftonline.cn"
      ),
      ("https://LOGIN.microsoftonline.com:443", "AzureCloud", "https://login.microsoftonline.com"),
    ])
  func authority(host: String, name: String, login: String) async throws {
    let cloud = try await directory(["AZURE_AUTHORITY_HOST": host]).resolve()
    #expect(cloud.name == name)
    #expect(cloud.loginEndpoint == login)
  }

  @Test(
    "any other login server is an error",
    arguments: [
      "https://login.evil.example", "http://login.microsoftonline.com",
      "https://login.microsoftonline.com@evil.example", "https://login.microsoftonline.com:444",
      "http://127.0.0.1:1", "",
    ])
  func foreignAuthority(host: String) async throws {
    let directory = directory(["AZURE_AUTHORITY_HOST": host])
    if host.isEmpty {
      #expect(try await directory.resolve() == .azureCloud)
      return
    }
    let failure = await failure { _ = try await directory.resolve() }
    #expect(failure?.code == .cloudUnknown)
  }

  @Test("with a cloud that was named, only that cloud's login servers are accepted")
  func authorityOfNamed() async throws {
    let variables = ["AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"]
    let failure = await failure { _ = try await directory(variables).resolve("AzureCloud") }
    #expect(failure?.code == .cloudUnknown)
    let own = try await resolve(
      document: entry("Own"), variables: ["AZURE_AUTHORITY_HOST": "login.example/"])
    #expect(own.loginEndpoint == "https://login.example")
  }
}
