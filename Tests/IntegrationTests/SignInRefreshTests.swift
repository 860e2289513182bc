import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// What happens to a sign-in later: refreshes, races, challenges, the keyring.
@Suite(.limited) struct SignInRefreshTests {
  @Test("of twenty processes at once one refreshes, and all get a token")
  func race() async throws {
    let stage = try await Stage.people { $0.behaviour.delays[.login] = .milliseconds(300) }
    try await stage.login()
    try stage.dropAccessTokens()
    // The cloud's description is cached, so that nothing else holds them apart.
    let running = try (0..<20).map { _ in
      try stage.start(["whoami", "--json"], environment: FlowSignInTests.noPrincipal)
    }
    for process in running {
      let run = try await process.finish()
      #expect(run.status == 0, "\(run.error)")
      #expect(run.json["account"]?.text == Stage.ada)
    }
    #expect(stage.simulator.count(ofGrant: "refresh_token") == 1)
    #expect(stage.fileProblems.filter { !$0.hasPrefix("work/") } == [])
  }

  @Test("each refresh keeps the next token, and no browser is opened")
  func refreshed() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    for count in 1...3 {
      try stage.dropAccessTokens()
      let run = try await stage.whoami(environment: try FakeBrowser(stage).environment)
      #expect(run.status == 0, "\(run.error)")
      #expect(stage.simulator.count(ofGrant: "refresh_token") == count)
      #expect(stage.read("work/address") == nil)
    }
  }

  @Test(
    "a challenge is answered once with a token for its claims, without a person where that goes")
  func challenge() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    stage.simulator.revokeTokens(claims: #"{"access_token":{"nbf":{"essential":true}}}"#)
    let run = try await stage.run(
      ["status", "--json", "web1"], environment: FlowSignInTests.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.count(ofGrant: "refresh_token") == 1)
  }

  @Test("a challenge that wants the person prints the command, and that command answers it")
  func challengeForPerson() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    let claims = #"{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}"#
    stage.simulator.revokeTokens(claims: claims)
    stage.simulator.change {
      $0.signInRefusal = ("interaction_required", 50_076)
    }
    let refused = try await stage.run(
      ["status", "--json", "web1"], environment: FlowSignInTests.noPrincipal)
    #expect(refused.status == 4, "\(refused.error)")
    let error = try JSON(parsing: refused.errorBytes)["error"]
    let next = try #require(error?["next"]?.text)
    #expect(
      next
        == "jitconnect login --tenant \(SimulatedTenant().id) --claims-challenge "
        + Data(claims.utf8).base64EncodedString())
    stage.simulator.change { $0.signInRefusal = nil }
    try await stage.login(Array(next.split(separator: " ").map(String.init).dropFirst(2)))
    let run = try await stage.run(
      ["status", "--json", "web1"], environment: FlowSignInTests.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
  }

  // MARK: The keyring

  private static let secretTool = #"""
    #!/bin/sh
    PATH=/usr/bin:/bin
    here=$(dirname "$0")
    echo "$@" >> "$here/calls"
    verb=$1
    shift
    case "$1" in --label=*) shift ;; esac
    item="$here/item-$(printf '%s' "$*" | tr -c 'a-z0-9' '-')"
    case "$verb" in
      store) cat > "$item" ;;
      lookup) if [ -e "$item" ]; then cat "$item"; else exit 1; fi ;;
      clear) rm -f "$item"* ;;
    esac
    """#

  private func keyring(_ stage: Stage, _ program: String) throws -> [String: String?] {
    let folder = stage.folder + "/work/tools"
    try Files.replace(folder + "/secret-tool", with: program.utf8, mode: 0o755)
    var environment = try FakeBrowser(stage).environment
    environment["PATH"] = folder + ":/usr/bin:/bin"
    environment["JITCONNECT_TOKEN_STORE"] = "keyring"
    return environment
  }

  @Test("with JitTokenStore keyring no secret is in any file or argument")
  func inKeyring() async throws {
    let stage = try await Stage.people()
    let environment = try keyring(stage, Self.secretTool)
    let login = try await stage.login(environment: environment)
    #expect(login.status == 0, "\(login.error)")
    stage.simulator.resetReport()
    let who = try await stage.whoami(environment: environment)
    #expect(who.json["account"]?.text == Stage.ada, "\(who.error)")
    #expect(stage.simulator.report.count(.login) == 0)
    let secrets = stage.simulator.secrets
    for name in stage.writtenFiles where !name.hasPrefix("work/tools/item-") {
      let text = stage.read(name) ?? ""
      for secret in secrets where secret.utf8.count > 8 {
        #expect(!text.contains(secret), "\(name)")
      }
    }
    let out = try await stage.run(["logout"], environment: environment)
    #expect(out.status == 0, "\(out.error)")
    #expect(stage.writtenFiles.allSatisfy { !$0.hasPrefix("work/tools/item-") })
  }

  @Test("logout without the keyring that has the secrets fails, after the files are gone")
  func logoutWithoutKeyring() async throws {
    let stage = try await Stage.people()
    var environment = try keyring(stage, Self.secretTool)
    let login = try await stage.login(environment: environment)
    #expect(login.status == 0, "\(login.error)")
    environment["PATH"] = "/nonexistent"
    // Not the setting tells it, but the sign-in.
    environment["JITCONNECT_TOKEN_STORE"] = "file"
    let out = try await stage.run(["logout", "--json"], environment: environment)
    #expect(out.status == 1, "\(out.error)")
    #expect(try JSON(parsing: out.errorBytes)["error"]?["code"] == "token-store-unavailable")
    #expect(stage.writtenFiles.allSatisfy { !$0.hasSuffix("accounts.json") })
  }

  @Test(
    "a keyring that is absent, locked or broken is an error, told in about a second",
    arguments: [nil, "#!/bin/sh\nexec sleep 60\n", "#!/bin/sh\necho 'no D-Bus' >&2\nexit 1\n"])
  func noKeyring(program: String?) async throws {
    let stage = try await Stage.people()
    try await stage.login()
    var environment = try keyring(stage, program ?? "")
    if program == nil { environment["PATH"] = "/nonexistent" }
    let run = try await stage.whoami(environment: environment)
    #expect(run.status == 1)
    let error = try JSON(parsing: run.errorBytes)["error"]
    #expect(error?["code"] == "token-store-unavailable")
    #expect(error?["next"]?.text?.contains("JitTokenStore=file") == true)
  }
}
