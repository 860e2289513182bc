import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// `login`, `logout` and `whoami`.
@Suite(.limited) struct SignInVerbTests {
  // MARK: The browser

  @Test("the browser signs in, whoami tells, and a machine is reached with it")
  func browser() async throws {
    let stage = try await Stage.people()
    let run = try await stage.login(["--json"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.isEmpty, "\(run.error)")
    #expect(run.json["account"]?.text == Stage.ada)
    #expect(stage.fileProblems.filter { !$0.hasPrefix("work/") } == [])
    #expect(stage.simulator.count(ofGrant: "authorization_code") == 1)

    stage.simulator.resetReport()
    let who = try await stage.whoami()
    #expect(who.status == 0, "\(who.error)")
    #expect(who.json["account"]?.text == Stage.ada)
    #expect(who.json["tenant"]?.text == SimulatedTenant().id)
    #expect(who.json["cloud"] == "AzureSimulator")
    #expect(who.json["source"] == "InteractiveBrowserCredential")
    #expect((who.json["secondsLeft"]?.integer ?? 0) > 3000)
    #expect(stage.simulator.report.calls.isEmpty, "\(stage.simulator.report.text)")
    let text = try await stage.run(["whoami"], environment: FlowSignInTests.noPrincipal)
    #expect(text.text.hasPrefix("account\t\(Stage.ada)\n"), "\(text.text)")
    #expect(text.text.contains("(jitconnect login)"))

    let status = try await stage.run(
      ["status", "--json", "web1"], environment: FlowSignInTests.noPrincipal)
    #expect(status.status == 0, "\(status.error)")
    #expect(
      stage.simulator.report.calls.filter { $0.kind == .arm }
        .allSatisfy { $0.identity == Stage.ada })
    #expect(stage.simulator.report.count(.login) == 0)
  }

  @Test("an answer with another state is turned away, and the right one still counts")
  func wrongState() async throws {
    let stage = try await Stage.people()
    let browser = try FakeBrowser(stage)
    let running = try stage.start(["login"], environment: browser.environment)
    let address = try await browser.address(of: running)
    let page = try await Blocking.run { try FakeBrowser.exchange("GET", address) }
    let refused = try await Blocking.run {
      try FakeBrowser.submit(page, changing: ["state": "another", "code": "evil"])
    }
    #expect(refused.hasPrefix("HTTP/1.1 400"))
    let taken = try await Blocking.run { try FakeBrowser.submit(page) }
    #expect(taken.contains("Go on in the terminal"))
    #expect(try await running.finish().status == 0)
  }

  @Test("a code that was redeemed already, or is not ours, signs nobody in")
  func foreignCode() async throws {
    let stage = try await Stage.people { $0.behaviour.codeLifetime = .zero }
    let expired = try await stage.login()
    #expect(expired.status == 4)
    #expect(expired.error.contains("AADSTS70008"), "\(expired.error)")
    stage.simulator.change { $0.codeLifetime = .seconds(600) }

    let browser = try FakeBrowser(stage)
    let first = try stage.start(["login"], environment: browser.environment)
    let firstAddress = try await browser.address(of: first)
    let second = try stage.start(["login"], environment: browser.environment)
    let secondAddress = try await browser.address(of: second)
    // The code of the first sign-in, with the state of the second: PKCE tells them apart.
    let (code, page) = try await Blocking.run {
      let page = try FakeBrowser.exchange("GET", firstAddress)
      let start = try #require(page.firstRange(of: "name=\"code\" value=\""))
      return (
        String(page[start.upperBound...].prefix { $0 != "\"" }),
        try FakeBrowser.exchange("GET", secondAddress)
      )
    }
    _ = try await Blocking.run { try FakeBrowser.submit(page, changing: ["code": code]) }
    let run = try await second.finish()
    #expect(run.status == 4)
    // Its redirect address differs already; its verifier would too.
    #expect(run.error.contains("AADSTS50011"), "\(run.error)")
    first.signal(15)
    _ = try await first.finish()
    #expect(stage.writtenFiles.allSatisfy { !$0.hasSuffix("accounts.json") })
  }

  @Test("what the browser's page refuses is told in words, and shown there as text")
  func refusedInBrowser() async throws {
    let stage = try await Stage.people()
    stage.simulator.change { $0.authorizeRefusal = ("access_denied", 65_004) }
    let browser = try FakeBrowser(stage)
    let running = try stage.start(["login", "--json"], environment: browser.environment)
    let page = try await browser.signIn(running)
    #expect(page.contains("&lt;b&gt;The simulated refusal"))
    let run = try await running.finish()
    #expect(run.status == 4)
    let error = try JSON(parsing: run.errorBytes)["error"]
    #expect(error?["code"] == "sign-in-needed")
    #expect(error?["why"]?.text?.contains("declined") == true)
    #expect(error?["next"] == "jitconnect login")
  }

  @Test("the tenant, the account and a claims challenge reach the sign-in page")
  func wishes() async throws {
    let other = SimulatedTenant("fabrikam")
    let stage = try await Stage.people { configuration in
      configuration.tenants.append(other)
      configuration.identities[2].tenants.append(other.id)
    }
    let claims = Data(#"{"access_token":{"acrs":{"essential":true}}}"#.utf8)
    let browser = try FakeBrowser(stage)
    let running = try stage.start(
      [
        "login", "--tenant", other.domain, "--identity", Stage.bob, "--claims-challenge",
        claims.base64EncodedString(), "--json",
      ], environment: browser.environment)
    let address = try await browser.address(of: running)
    #expect(address.contains("/fabrikam.example/oauth2/v2.0/authorize?"))
    #expect(address.contains("login_hint=bob%40contoso.example"))
    #expect(address.contains("acrs"))
    _ = try await Blocking.run {
      try FakeBrowser.submit(FakeBrowser.exchange("GET", address))
    }
    let run = try await running.finish()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.json["account"]?.text == Stage.bob)
    #expect(run.json["tenant"]?.text == other.id)
  }

  @Test("Ctrl-C while the browser is open ends the sign-in with 130")
  func interrupted() async throws {
    let stage = try await Stage.people()
    let browser = try FakeBrowser(stage)
    let running = try stage.start(["login"], environment: browser.environment)
    _ = try await browser.address(of: running)
    running.signal(2)
    let run = try await running.finish()
    #expect(run.status == 130 || run.ending == .signalled(2), "\(run.ending) \(run.error)")
  }

  // MARK: The device code

  @Test("without a display a code is shown, in any case, and its sign-in is kept")
  func deviceCode() async throws {
    let stage = try await Stage.people {
      $0.behaviour.deviceCodeAnswers = ["authorization_pending"]
    }
    // Nothing goes on without the code: -q does not hide it.
    let run = try await stage.run(
      ["login", "-q"], environment: FlowSignInTests.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("SIMULATE1"))
    #expect(run.text.isEmpty)
    #expect(try await stage.whoami().json["account"]?.text == Stage.ada)
  }

  @Test("--device-code goes before a browser, and a code that is declined signs nobody in")
  func declined() async throws {
    let stage = try await Stage.people {
      $0.behaviour.deviceCodeAnswers = ["authorization_declined"]
    }
    let browser = try FakeBrowser(stage)
    let run = try await stage.run(
      ["login", "--device-code"], environment: browser.environment)
    #expect(run.status == 4)
    #expect(run.error.contains("AADSTS65004"), "\(run.error)")
    #expect(stage.read("work/address") == nil)
  }

  // MARK: Several accounts, and signing out

  @Test("the last account serves, --identity chooses, and each signs out for itself")
  func accounts() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    stage.simulator.change { $0.personAtBrowser = Stage.bob }
    try await stage.login()
    let both = try await stage.whoami()
    #expect(both.json["account"]?.text == Stage.bob)
    #expect(both.json["accounts"]?.elements?.count == 2)
    for name in [Stage.ada, Stage.bob] {
      #expect(try await stage.whoami(["--identity", name]).json["account"]?.text == name)
    }
    let unknown = try await stage.whoami(["--identity", "eve@contoso.example"])
    #expect(unknown.status == 4)

    let out = try await stage.run(
      ["logout", "--identity", Stage.bob, "--json"], environment: FlowSignInTests.noPrincipal)
    #expect(out.json["signedOut"]?.elements == [.string(Stage.bob)])
    #expect(try await stage.whoami().json["account"]?.text == Stage.ada)
    #expect(try await stage.whoami(["--identity", Stage.bob]).status == 4)
    let again = try await stage.run(["logout", "--identity", Stage.bob])
    #expect(again.status == 3)
  }

  @Test("logout leaves no token of ours, and nobody is signed in")
  func logout() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    #expect(try await stage.run(["whoami"]).status == 0)
    let out = try await stage.run(["logout"], environment: FlowSignInTests.noPrincipal)
    #expect(out.status == 0)
    for name in stage.writtenFiles where name.hasPrefix("state/") {
      let text = stage.read(name) ?? ""
      for secret in stage.simulator.secrets where secret.utf8.count > 8 {
        #expect(!text.contains(secret), "\(name)")
      }
    }
    let who = try await stage.whoami()
    #expect(who.status == 4)
    let error = try JSON(parsing: who.errorBytes)["error"]
    #expect(error?["code"] == "sign-in-needed")
    #expect(error?["next"] == "jitconnect login, or: az login")
  }

  @Test("logout removes stores that are not used, too", arguments: [0o600, 0o644] as [UInt32])
  func logoutOfRefused(mode: UInt32) async throws {
    let stage = try await Stage.people()
    try await stage.login()
    let stores = stage.writtenFiles.filter {
      $0.hasSuffix("/accounts.json") || $0.hasSuffix("/tokens.json")
    }
    #expect(stores.count == 2)
    for name in stores {
      let text = try #require(stage.read(name))
      try Files.replace(
        stage.folder + "/" + name,
        with: text.replacing(#""version":1"#, with: #""version":2"#).utf8, mode: mode)
    }
    let out = try await stage.run(["logout"], environment: FlowSignInTests.noPrincipal)
    #expect(out.status == 0, "\(out.error)")
    #expect(stage.writtenFiles.allSatisfy { !stores.contains($0) })
  }

  @Test("a login that another credential goes before says so")
  func shadowed() async throws {
    let stage = try await Stage.people()
    let browser = try FakeBrowser(stage)
    let running = try stage.start(
      ["login"], environment: ["BROWSER": stage.folder + "/work/browser"])
    try await browser.signIn(running)
    let run = try await running.finish()
    #expect(run.status == 0)
    #expect(run.error.contains("EnvironmentCredential is set up here and goes first"))
    #expect(run.error.contains("--identity \(Stage.ada)"))
    #expect(try await stage.run(["whoami", "--json"]).json["source"] == "EnvironmentCredential")
    let chosen = try await stage.run(["whoami", "--json", "--identity", Stage.ada])
    #expect(chosen.json["source"] == "InteractiveBrowserCredential")
  }

  @Test("a machine is reached as the account that --identity, its setting or its variable names")
  func chosenForMachine() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    for (arguments, environment) in [
      (["--identity", Stage.ada], [:]), (["-o", "JitIdentity=\(Stage.ada)"], [:]),
      ([], ["JITCONNECT_IDENTITY": Stage.ada]),
    ] as [([String], [String: String?])] {
      stage.simulator.resetReport()
      // With the application's variables set, which would go first.
      let run = try await stage.run(
        ["status", "--json"] + arguments + ["web1"], environment: environment)
      #expect(run.status == 0, "\(run.error)")
      let calls = stage.simulator.report.calls.filter { $0.identity != nil }
      #expect(!calls.isEmpty)
      #expect(calls.allSatisfy { $0.identity == Stage.ada })
    }
  }

  @Test("what is wrong with the command line is told before anything is asked")
  func usage() async throws {
    let stage = try await Stage.people()
    for (arguments, status) in [
      (["login", "--identity", "AzureCLICredential"], 64), (["login", "--tenant", "a/b"], 64),
      (["login", "--claims-challenge", "###"], 64), (["whoami", "--identity", "nobody"], 64),
      (["login", "--surprise"], 64), (["whoami", "--tenant", "../x"], 64),
    ] as [([String], Int32)] {
      let run = try await stage.run(arguments, environment: FlowSignInTests.noPrincipal)
      #expect(run.status == status, "\(arguments) \(run.error)")
    }
    #expect(stage.simulator.report.count(.login) == 0)
  }
}
