import Platform
import Testing

@Suite("Options of ssh beside the session", .limited)
struct ExtraOptionTests {
  static let clients: [Client] = [.jitconnect, .openSSH]

  @Test("LocalCommand runs before the session, with the tokens replaced")
  func localCommand() async throws {
    let server = try SSHServer(
      config: [
        "PermitLocalCommand yes", "LocalCommand echo local %n %h %p %r %T; echo err >&2; exit 3",
      ])
    let error = try await server.compare(["box", "sleep 0.3; echo remote"])
    #expect(error.own == error.ssh)
    let run = try await server.run(["box", "sleep 0.3; echo remote"])
    #expect(run.text == "local box 127.0.0.1 \(server.port) \(server.user) NONE\nremote\n")
  }

  @Test("LocalCommand runs only where it is permitted, and not before the login")
  func localCommandForbidden() async throws {
    let server = try SSHServer(config: ["LocalCommand echo local"])
    try await server.compare(["box", "echo remote"])
    try await server.compare([
      "-oPermitLocalCommand=yes", "-oBatchMode=yes",
      "-oPubkeyAuthentication=no", "box", "true",
    ])
  }

  @Test("LocalCommand and Match exec get the environment, without Azure's secrets")
  func withoutSecrets() async throws {
    let seen = "${AZURE_CLIENT_SECRET-none} ${AZURE_CLIENT_ID-none}"
    let server = try SSHServer(
      config: [
        "PermitLocalCommand yes", "LocalCommand echo local \(seen)",
        "Match exec \"echo exec \(seen) >>%FOLDER%/seen\"",
      ])
    let run = try await server.run(
      ["box", "sleep 0.3; echo remote"],
      environment: ["AZURE_CLIENT_SECRET": "geheim", "AZURE_CLIENT_ID": "app"])
    #expect(run.text == "local none app\nremote\n", "\(run.error)")
    #expect(try Set(server.read("seen").split(separator: "\n")) == ["exec none app"])
  }

  @Test("LocalCommand for a VM gets the address that was reached")
  func localCommandAzure() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect(
      "web1", ["-oPermitLocalCommand=yes", "-oLocalCommand=echo at %h %p"],
      command: "sleep 0.3; echo hello")
    // Not the name that was typed: the address of the machine's gate.
    #expect(run.text.hasPrefix("at 127."))
    #expect(run.text.hasSuffix(" \(stage.port())\nhello\n"))
  }

  @Test(
    "what has no effect here changes nothing",
    arguments: [
      ["-X"], ["-Y"], ["-x"], ["-K"], ["-k"], ["-M", "-S", "%FOLDER%/master"],
      ["-oControlMaster=auto", "-oControlPersist=60", "-oControlPath=%FOLDER%/m-%C"], ["-C"],
      ["-oUpdateHostKeys=yes"], ["-oTCPKeepAlive=no"], ["-oConnectionAttempts=3"],
      ["-oAddKeysToAgent=yes"], ["-oPKCS11Provider=none"], ["-b", "127.0.0.1"],
    ])
  func accepted(_ options: [String]) async throws {
    let server = try SSHServer()
    let words = options.map { $0.replacing("%FOLDER%", with: server.folder) }
    // A master in the background would hold ssh's own output open.
    if options.contains(where: { $0.contains("Persist") }) || options.contains("-M") {
      let run = try await server.run(words + ["box", "echo in; exit 4"])
      #expect(run.ending == .exited(4))
      #expect(run.text == "in\n")
      #expect(run.error == "")
    } else {
      let error = try await server.compare(words + ["box", "echo in; exit 4"])
      #expect(error.own == error.ssh)
    }
  }

  @Test("the connection comes from the address that -b names", arguments: clients)
  func bindAddress(_ client: Client) async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-b", "127.0.0.9", "box", "echo ${SSH_CONNECTION%% *}"], as: client)
    #expect(run.text == "127.0.0.9\n")
  }

  @Test("-B takes an address of the interface, and fails without one", arguments: clients)
  func bindInterface(_ client: Client) async throws {
    let server = try SSHServer()
    #if canImport(Glibc)
      let loopback = "lo"
    #else
      let loopback = "lo0"
    #endif
    let run = try await server.run(
      ["-B", loopback, "box", "echo ${SSH_CONNECTION%% *}"], as: client)
    #expect(run.text == "127.0.0.1\n", "\(run.error)")
    let none = try await server.run(["-B", "nowhere0", "box", "true"], as: client)
    #expect(none.status == 255)
  }

  @Test("-O without a master fails in ssh's words", arguments: clients)
  func controlCommand(_ client: Client) async throws {
    let server = try SSHServer()
    let none = try await server.run(["-O", "check", "box"], as: client)
    #expect(none.ending == .exited(255))
    #expect(none.error.contains("No ControlPath specified for \"-O\" command"))
    let path = server.folder + "/master"
    let missing = try await server.run(["-S", path, "-O", "exit", "box"], as: client)
    #expect(missing.ending == .exited(255))
    #expect(missing.error.contains("Control socket connect(\(path)): No such file or directory"))
  }
}
