import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Options about host keys, through the built program and beside ssh", .limited)
struct SSHTrustOptionTests {
  private static let clients: [Client] = [.jitconnect, .openSSH]

  private func hostKey(_ server: SSHServer) throws -> String {
    let line = String(
      decoding: try Files.read(server.server.folder + "/host_key.pub"), as: UTF8.self)
    return line.split(separator: " ").prefix(2).joined(separator: " ")
  }

  // MARK: RevokedHostKeys

  @Test("a key in the revoked keys file is refused, known or not", arguments: clients)
  func revoked(_ client: Client) async throws {
    let server = try SSHServer(config: ["RevokedHostKeys %FOLDER%/revoked"])
    try server.write("# none\n\n", "revoked")
    #expect(try await server.run(["box", "true"], as: client).status == 0)
    try server.write("# stolen\n\(try hostKey(server)) comment\n", "revoked")
    for more in [[], ["-oStrictHostKeyChecking=no"]] {
      let run = try await server.run(more + ["box", "true"], as: client)
      #expect(run.status == 255)
      #expect(run.error.contains("revoked by file \(server.folder)/revoked"), "\(run.error)")
    }
  }

  @Test(
    "a key revocation list of each kind", arguments: clients, ["key", "sha1", "sha256", "other"])
  func revocationList(_ client: Client, _ kind: String) async throws {
    let server = try SSHServer(config: ["RevokedHostKeys %FOLDER%/krl"])
    let line =
      switch kind {
      case "key": try hostKey(server)
      case "other": "serial: 7"
      default: "\(kind): \(try hostKey(server))"
      }
    try server.write(line + "\n", "spec")
    let made = try await server.shell(
      "ssh-keygen -q -k -f $FOLDER/krl -s $SERVER/host_key.pub $FOLDER/spec")
    #expect(made.status == 0, "\(made.error)")
    let run = try await server.run(["box", "true"], as: client)
    #expect(run.status == (kind == "other" ? 0 : 255), "\(run.error)")
  }

  @Test("a revoked keys file that cannot be read or understood refuses all", arguments: clients)
  func unreadableList(_ client: Client) async throws {
    let server = try SSHServer(config: ["RevokedHostKeys %FOLDER%/revoked"])
    #expect(try await server.run(["box", "true"], as: client).status == 255)
    let list = Array("SSHKRL\n\0".utf8) + [0, 0, 0, 1, 0, 0]
    try Files.replace(server.folder + "/revoked", with: list)
    #expect(try await server.run(["box", "true"], as: client).status == 255)
  }

  // MARK: KnownHostsCommand

  @Test("KnownHostsCommand tells the key, and gets ssh's tokens", arguments: clients)
  func command(_ client: Client) async throws {
    let server = try SSHServer(
      config: [
        "UserKnownHostsFile none",
        "KnownHostsCommand %FOLDER%/tell %I \"%H\" %t %f %K ${JIT_WORD}",
      ])
    try server.writeProgram(
      """
      #!/bin/sh
      echo "$@" >>\(server.folder)/asked
      echo '\(server.knownName) \(try hostKey(server))'
      """, "tell")
    let run = try await server.run(
      ["box", "echo in"], as: client, environment: ["JIT_WORD": "word"])
    #expect(run.text == "in\n", "\(run.error)")
    let asked = try server.read("asked").split(separator: "\n").map(String.init)
    #expect(asked.first == "ORDER 127.0.0.1 NONE NONE NONE word")
    let words = try hostKey(server).split(separator: " ")
    let told = try #require(asked.first { $0.hasPrefix("HOSTNAME") }).split(separator: " ")
    #expect(told[1] == server.knownName)
    #expect(told[3].hasPrefix("SHA256:"))
    #expect(told[4] == words[1])
    #expect(told[2] == (client == .openSSH ? told[2] : "ssh-ed25519"))
  }

  @Test("KnownHostsCommand has the whole environment, as ssh's has, but for Azure's secrets")
  func commandEnvironment() async throws {
    let server = try SSHServer(
      config: ["UserKnownHostsFile none", "KnownHostsCommand %FOLDER%/tell %I"])
    try server.writeProgram(
      """
      #!/bin/sh
      env >"\(server.folder)/variables.$1"; pwd >>"\(server.folder)/variables.$1"
      test -t 0 || head -c 1 | wc -c >>"\(server.folder)/variables.$1"
      echo '\(server.knownName) \(try hostKey(server))'
      """, "tell")
    let variables = [
      "JIT_WORD": "two words", "LC_ALL": "C", "SSH_AUTH_SOCK": "/nowhere",
      "AZURE_CLIENT_SECRET": "never", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "never",
    ]
    var seen: [[String]] = []
    for client in [Client.openSSH, .jitconnect] {
      let run = try await server.run(
        ["box", "echo in"], as: client, input: Array("x".utf8), environment: variables)
      #expect(run.text == "in\n", "\(run.error)")
      let lines = try ["ORDER", "HOSTNAME"].map { try server.read("variables.\($0)") }
      #expect(lines[0] == lines[1])
      seen.append(lines[0].split(separator: "\n").map(String.init).sorted())
    }
    let secrets = seen[0].filter { $0.hasSuffix("=never") }
    #expect(secrets.count == 2)
    #expect(seen[1] == seen[0].filter { !secrets.contains($0) })
  }

  @Test("KnownHostsCommand that fails, lies or is not there", arguments: clients)
  func badCommand(_ client: Client) async throws {
    let server = try SSHServer(config: ["UserKnownHostsFile none"])
    try server.writeProgram("#!/bin/sh\nexit 3\n", "fails")
    try server.writeProgram("#!/bin/sh\necho '* ssh-ed25519 AAAA'\n", "lies")
    for command in ["/fails", "/lies", "/missing"] {
      let run = try await server.run(
        ["-oKnownHostsCommand=\(server.folder)\(command)", "box", "true"], as: client)
      #expect(run.status == 255, "\(command): \(run.error)")
    }
  }

  // MARK: IdentityAgent

  @Test("the agent that IdentityAgent leaves is the one that is forwarded, and none is none")
  func forwardedAgent() async throws {
    let server = try SSHServer()
    let key = try server.makeKey("ecdsa")
    let folder = server.folder + "/other"
    try Files.makeDirectory(folder)
    let (agent, other) = (try KeyAgent(server.folder), try KeyAgent(folder))
    try agent.add(server.server.key)
    try other.add(key)
    let variables = ["SSH_AUTH_SOCK": agent.socket]
    let command = "ssh-add -L 2>/dev/null | cut -d' ' -f1; echo end"
    var seen: [String] = []
    for choice in ["none", "SSH_AUTH_SOCK", other.socket, "/nowhere"] {
      let words = ["-A", "-oIdentityAgent=\(choice)", "box", command]
      try await server.compare(words, environment: variables)
      seen.append(try await server.run(words, environment: variables).text)
    }
    #expect(seen == ["end\n", "ssh-ed25519\nend\n", "ecdsa-sha2-nistp256\nend\n", "end\n"])
  }

  @Test("LocalCommand sees that agent too", arguments: clients)
  func agentOfLocalCommand(_ client: Client) async throws {
    let server = try SSHServer()
    for (choice, wanted) in [("none", "-"), ("SSH_AUTH_SOCK", "/one"), ("/other", "/other")] {
      let run = try await server.run(
        [
          "-oPermitLocalCommand=yes", "-oLocalCommand=echo ${SSH_AUTH_SOCK:--}",
          "-oIdentityAgent=\(choice)", "box", "true",
        ], as: client, environment: ["SSH_AUTH_SOCK": "/one"])
      #expect(run.text == wanted + "\n", "\(run.error)")
    }
  }

  // MARK: Host certificates

  @Test("with an authority and a plain known key, the plain key serves")
  func authorityAndKey() async throws {
    let server = try SSHServer()
    let authority = try server.makeKey("ecdsa")
    let line = String(decoding: try Files.read(authority + ".pub"), as: UTF8.self)
    let key = try server.read("known_hosts")
    for text in ["@cert-authority * \(line)\(key)", "\(key)@cert-authority * \(line)"] {
      try server.write(text, "known_hosts")
      try await server.compare(["box", "echo in"])
    }
  }

  @Test("with an authority alone, the refusal says what is missing")
  func authorityAlone() async throws {
    let server = try SSHServer()
    let authority = try server.makeKey("ecdsa")
    let line = String(decoding: try Files.read(authority + ".pub"), as: UTF8.self)
    try server.write("@cert-authority * \(line)", "known_hosts")
    let run = try await server.run(["box", "true"])
    #expect(run.status == 255)
    #expect(run.code == "host-key-unknown")
    #expect(run.error.contains("host certificates are not built in"), "\(run.error)")
    #expect(run.error.contains("--client openssh"))
  }

  // MARK: Other settings

  @Test("-w: told, and the session goes on; with ExitOnForwardFailure it does not")
  func tunnel() async throws {
    let server = try SSHServer()
    let run = try await server.run(["-w", "any", "box", "echo in"])
    #expect(run.text == "in\n")
    #expect(run.error.contains("Could not request tunnel forwarding."))
    let strict = try await server.run(
      ["-w", "any", "-oExitOnForwardFailure=yes", "box", "echo in"])
    #expect(strict.status == 255)
    #expect(strict.text == "")
  }

  @Test("ProxyUseFdpass is refused by its name, and means nothing without a command")
  func passedSocket() async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-oProxyUseFdpass=yes", "-oProxyCommand=false", "box", "true"])
    #expect(run.code == "not-built-in")
    #expect(run.error.contains("ProxyUseFdpass"))
    try await server.compare(["-oProxyUseFdpass=yes", "box", "echo in"])
  }

  // MARK: AddKeysToAgent

  @Test(
    "AddKeysToAgent leaves the agent as ssh leaves it",
    arguments: ["yes", "no", "confirm", "10m", "confirm 10m", "ask"])
  func addedKeys(_ setting: String) async throws {
    let server = try SSHServer()
    let key = try server.makeKey("ecdsa", more: ["-C", "my comment"])
    var lists: [String] = []
    for client in Self.clients {
      let folder = server.folder + "/" + client.rawValue
      try Files.makeDirectory(folder)
      let agent = try KeyAgent(folder)
      let run = try await server.run(
        [
          "-oAddKeysToAgent=\(setting)", "-oIdentityAgent=SSH_AUTH_SOCK", "-oIdentitiesOnly=yes",
          "-i", key, "box", "true",
        ], as: client, environment: ["SSH_AUTH_SOCK": agent.socket])
      #expect(run.status == 0, "\(run.error)")
      let list = try await server.shell(
        "ssh-add -L || true", environment: ["SSH_AUTH_SOCK": agent.socket])
      lists.append(list.text)
      if list.text.contains("no ident"), setting != "no", setting != "ask" {
        print(setting, client, run.error)
      }
    }
    #expect(lists[0] == lists[1])
    #expect(lists[0].contains("my comment") == !["no", "ask"].contains(setting))
  }

  @Test(
    "AddKeysToAgent ask: the program that asks is told that it is a yes or no",
    arguments: clients, [0, 1] as [Int32])
  func addedWithLeave(_ client: Client, _ status: Int32) async throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    let agent = try KeyAgent(server.folder)
    try server.writeProgram(
      "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT: $1\" >>\(server.folder)/asked\nexit \(status)\n",
      "askpass")
    let run = try await server.run(
      ["-oAddKeysToAgent=ask", "-oIdentityAgent=SSH_AUTH_SOCK", "-i", key, "box", "true"],
      as: client,
      environment: [
        "SSH_AUTH_SOCK": agent.socket, "SSH_ASKPASS": server.folder + "/askpass",
        "SSH_ASKPASS_REQUIRE": "force",
      ])
    #expect(run.status == 0, "\(run.error)")
    #expect(try server.read("asked").hasPrefix("confirm: Add key \(key) ("))
    let list = try await server.shell(
      "ssh-add -l || true", environment: ["SSH_AUTH_SOCK": agent.socket])
    #expect(list.text.contains("SHA256:") == (status == 0), "\(list.text)")
  }

  @Test(
    "of several keys that would do the first in the configuration is used, as with ssh",
    arguments: [["id_ecdsa", "id_ed25519"], ["id_ed25519", "id_ecdsa"]])
  func keyOrder(_ order: [String]) async throws {
    let server = try SSHServer()
    for (kind, passphrase) in [("ecdsa", "secret"), ("ed25519", "")] {
      let key = "\(server.folder)/id_\(kind)"
      try LoopbackServer.makeKey(key, kind: kind, passphrase: passphrase)
      try server.authorize(key, options: "command=\"echo \(kind)\" ")
    }
    try server.writeProgram("#!/bin/sh\necho secret\n", "askpass")
    try await server.compare(
      order.flatMap { ["-i", "\(server.folder)/\($0)"] } + ["box", "true"],
      environment: [
        "SSH_ASKPASS": server.folder + "/askpass", "SSH_ASKPASS_REQUIRE": "force",
      ])
  }

  @Test(
    "a signal ends the program that asks, and then us", arguments: [SIGTERM, SIGINT], clients)
  func signalAtAskpass(_ signal: Int32, _ client: Client) async throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    try server.writeProgram(
      "#!/bin/sh\necho $$ >\(server.folder)/asking\nexec sleep 60\n", "askpass")
    let running = try server.start(
      ["-oIdentitiesOnly=yes", "-i", key, "box", "true"], as: client,
      environment: [
        "SSH_ASKPASS": server.folder + "/askpass", "SSH_ASKPASS_REQUIRE": "force",
      ])
    try await running.wait(for: "the question") {
      (try? server.read("asking"))?.hasSuffix("\n") == true
    }
    running.signal(signal)
    try await running.waitForProcess(timeout: .seconds(20))
    // ssh leaves the program behind, which holds our pipes.
    let asking = try #require(Int32(try server.read("asking").filter(\.isNumber)))
    if client == .openSSH { kill(asking, SIGKILL) }
    #expect(try await running.finish().ending == .signalled(signal))
  }

  // MARK: The end of a session

  @Test("a channel that is closed without a status is 255", arguments: clients)
  func noStatus(_ client: Client) async throws {
    let server = try SSHServer(settings: ["ChannelTimeout session:command=1s"])
    let run = try await server.run(["box", "echo in; exec sleep 60"], as: client)
    #expect(run.status == 255)
    #expect(run.text == "in\n")
  }
}
