import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Other programs that hold a sign-in: `az` and `azd`, written by the test.
@Suite(.limited) struct SignInToolTests {
  private func writeTool(_ stage: Stage, _ name: String, _ script: String) throws {
    try Files.replace(
      "\(stage.folder)/work/bin/\(name)", with: "#!/bin/sh\n\(script)\n".utf8, mode: 0o755)
  }

  private func environment(_ stage: Stage) -> [String: String?] {
    FlowSignInTests.noPrincipal.merging(["PATH": stage.folder + "/work/bin:/usr/bin:/bin"]) { $1 }
  }

  // MARK: azd

  @Test(
    "azd's login serves where it is picked by name, and where nothing goes before it",
    arguments: [[], ["--identity", "AzureDeveloperCLICredential"]])
  func azd(_ choice: [String]) async throws {
    let stage = try await Stage.people()
    let token = try #require(stage.simulator.issueToken(to: Stage.ada))
    try stage.write("work/azd/auth.json", "{}")
    try writeTool(
      stage, "azd",
      """
      echo "$@" >>'\(stage.folder)/work/azd.log'
      env >'\(stage.folder)/work/azd.env'
      echo '{"token":"\(token)","expiresOn":"2099-01-01T00:00:00Z"}'
      """)
    var variables = environment(stage)
    variables["AZD_CONFIG_DIR"] = stage.folder + "/work/azd"
    variables["AZURE_OIDC_REQUEST_TOKEN"] = "never"
    // azd knows Microsoft's clouds alone; of those nobody is asked anything here.
    variables["ARM_CLOUD_METADATA_URL"] = Optional<String?>.some(nil)
    variables["HTTPS_PROXY"] = "http://127.0.0.1:9"
    for _ in 0..<2 {
      let run = try await stage.run(["whoami", "--json"] + choice, environment: variables)
      #expect(run.status == 0, "\(run.error)")
      #expect(run.error.isEmpty)
      #expect(run.json["source"] == "AzureDeveloperCLICredential")
      #expect(run.json["account"]?.text == Stage.ada)
      #expect(run.json["cloud"] == "AzureCloud")
    }
    // The second run had the stored token.
    #expect(
      stage.read("work/azd.log") == "auth token --output json --no-prompt --scope "
        + "https://management.core.windows.net//.default\n")
    #expect(stage.read("work/azd.env")?.contains("never") == false)
    // Another sign-in of azd's is another identity.
    try stage.write("work/azd/auth.json", #"{"other":1}"#)
    let other = try await stage.run(["whoami", "--json"] + choice, environment: variables)
    #expect(other.status == 0)
    #expect(stage.read("work/azd.log")?.split(separator: "\n").count == 2)
  }

  // MARK: A program that is under way when we end

  /// A pipe that az and all that it has started hold open.
  private func pipe(of stage: Stage) throws -> FileDescriptor {
    let path = stage.folder + "/work/alive"
    _ = try valueOrSystemError { unsafe mkfifo(path, 0o600) }
    return FileDescriptor(
      owning: try valueOrSystemError { unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) })
  }

  private static let limit: Int32 = 20_000

  private func begins(_ pipe: Int32) -> Bool {
    var ready = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&ready, 1, Self.limit) == 1 else { return false }
    return (try? readSome(pipe, limit: 64)) == Array("begun\n".utf8)
  }

  private func isLetGo(_ pipe: Int32) -> Bool {
    var ready = pollfd(fd: pipe, events: 0, revents: 0)
    return unsafe poll(&ready, 1, Self.limit) == 1 && ready.revents & Int16(POLLHUP) != 0
  }

  /// Ada's login, with an az that hangs, deaf to what a terminal sends, and its child too.
  private func stageWithHangingTool() async throws -> Stage {
    let stage = try await Stage.people()
    try stage.writeAzureLogin()
    try stage.write("azure/config", "[cloud]\nname = AzureSimulator\n")
    try writeTool(
      stage, "az",
      """
      trap '' INT TERM HUP
      exec 3>'\(stage.folder)/work/alive'
      sleep 1000 &
      echo begun >&3
      wait
      """)
    return stage
  }

  @Test(
    "Ctrl-C while az runs ends az and what it has started",
    arguments: [["whoami"], ["list"], ["web1", "true"]])
  func interrupted(_ words: [String]) async throws {
    let stage = try await stageWithHangingTool()
    let pipe = try pipe(of: stage)
    let number = pipe.number
    let terminal = try stage.terminal(words, environment: environment(stage))
    #expect(try await Blocking.run { begins(number) }, "\(terminal.screen)")
    try terminal.type("\u{3}")
    let ending = try await terminal.end()
    #expect([.exited(130), .signalled(SIGINT)].contains(ending), "\(terminal.screen)")
    #expect(terminal.screen.contains("error[interrupted]"), "\(terminal.screen)")
    #expect(try await Blocking.run { isLetGo(number) })
    _ = consume pipe
  }

  @Test("so do other ends of the program", arguments: [SIGTERM, SIGHUP])
  func ended(_ signal: Int32) async throws {
    let stage = try await stageWithHangingTool()
    let pipe = try pipe(of: stage)
    let number = pipe.number
    let running = try stage.start(["web1", "true"], environment: environment(stage))
    #expect(try await Blocking.run { begins(number) }, "\(running.error)")
    running.signal(signal)
    #expect(try await running.finish().ending == .signalled(signal))
    #expect(try await Blocking.run { isLetGo(number) })
    _ = consume pipe
  }
}
