import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// `ProxyCommand` and `-J`, plain and in front of an Azure VM.
@Suite(.limited) struct JumpTests {
  /// A relay in every test's reach: OpenSSH's own `-W` through the server itself.
  static func relay(_ folder: String) -> String {
    "\(SSHServer.openSSH) -F \(folder)/config -W [%h]:%p box"
  }

  // MARK: ProxyCommand

  @Test("ProxyCommand carries the session, as in ssh", arguments: Client.allCases)
  func command(_ client: Client) async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-o", "ProxyCommand=\(Self.relay(server.folder))", "box", "cat; exit 7"], as: client,
      input: Array("through".utf8))
    #expect(run.status == 7, "\(run.error)")
    #expect(run.text == "through")
    #expect(run.error == "")
  }

  @Test("the tokens of ProxyCommand, and the shell that runs it")
  func tokens() async throws {
    let server = try SSHServer()
    let command =
      "sh -c 'echo \"$@\" >$0.$PPID; exec \(Self.relay(server.folder))' "
      + "\(server.folder)/seen %h %n %p %r %%"
    for client in [Client.openSSH, .jitconnect] {
      let run = try await server.run(
        ["-o", "ProxyCommand=\(command)", "box", "true"], as: client)
      #expect(run.status == 0, "\(client): \(run.error)")
    }
    let seen = try FileManager.default.contentsOfDirectory(atPath: server.folder)
      .filter { $0.hasPrefix("seen.") }
    // $PPID is the client itself: the shell has replaced itself by the command.
    #expect(seen.count == 2)
    for name in seen {
      #expect(try server.read(name) == "127.0.0.1 box \(server.port) \(server.user) %\n")
    }
  }

  @Test("ProxyCommand none is no proxy, and beats a later one")
  func none() async throws {
    let server = try SSHServer(config: ["ProxyCommand none", "ProxyCommand /bin/false"])
    try await server.compare(["box", "echo direct"])
  }

  @Test(
    "a ProxyCommand that ends or cannot be run is 255", arguments: ["/bin/false", "/nowhere/x"])
  func broken(command: String) async throws {
    let server = try SSHServer()
    let errors = try await server.compare(["-o", "ProxyCommand=\(command)", "box", "true"])
    #expect(errors.own.contains("UNKNOWN port 65535"), "\(errors.own)")
  }

  @Test("the proxy is hung up when the session has ended")
  func hangUp() async throws {
    let server = try SSHServer()
    // It would stay: its child has another end of the connection.
    let command =
      "sh -c 'exec 3<&0; \(Self.relay(server.folder)) <&3 & "
      + "trap \"echo hup >\(server.folder)/hup; exit\" HUP; while :; do wait; sleep 0.01; done'"
    let run = try await server.run(["-o", "ProxyCommand=\(command)", "box", "echo in"])
    #expect(run.text == "in\n", "\(run.error)")
    let deadline = ContinuousClock.now + .seconds(20)
    while Files.kind(of: server.folder + "/hup") == nil, .now < deadline {
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(try server.read("hup") == "hup\n")
  }

  // MARK: ProxyCommand to an Azure VM

  /// A folder with a configuration that relays through the stage's own server.
  private func relay(_ stage: Stage) throws -> String {
    let server = try #require(stage.server)
    try stage.write(
      "config/config",
      """
      Host box
        HostName 127.0.0.1
        Port \(server.port)
        IdentityFile \(server.key)
        StrictHostKeyChecking no
        UserKnownHostsFile /dev/null
        LogLevel ERROR

      """)
    return Self.relay(stage.folder + "/config")
  }

  @Test("behind ProxyCommand the source must be named; nothing is requested without it")
  func sourceNeeded() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect("web1", ["-o", "ProxyCommand=\(try relay(stage))"])
    #expect(run.status == 255)
    #expect(run.code == "address-unclear", "\(run.error)")
    #expect(run.error.contains("--source"))
    #expect(stage.requests.isEmpty)
  }

  @Test("the window opens for the named source, and the wait goes through the proxy")
  func throughProxy() async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .seconds(2) }
    let log = stage.folder + "/attempts"
    let run = try await stage.connect(
      "web1",
      [
        "--source", "203.0.113.7", "-o",
        "ProxyCommand=sh -c 'echo %h %p >>\(log); exec \(try relay(stage)) 2>/dev/null'",
      ])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(source(stage) == "203.0.113.7")
    // The first attempts found the port closed; each was given the VM's own address.
    let attempts = (stage.read("attempts") ?? "").split(separator: "\n")
    #expect(attempts.count > 1)
    #expect(Set(attempts).count == 1)
    #expect(attempts.first?.hasPrefix("127.") == true)
    // The key is the VM's, whatever carries the connection.
    #expect(stage.read("state/jitconnect/known_hosts")?.hasPrefix("azure.") == true)
  }

  @Test("a host that is no VM is reached through its ProxyCommand with --unknown-host ssh")
  func unknownHost() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let run = try await stage.run([
      "--unknown-host", "ssh", "-i", server.key, "-p", String(server.port), "-o",
      "HostName=127.0.0.1", "-o", "StrictHostKeyChecking=accept-new", "-o",
      "ProxyCommand=\(try relay(stage))", "elsewhere", "echo plain",
    ])
    #expect(run.text == "plain\n", "\(run.error)")
    #expect(stage.requests.isEmpty)
  }

  @Test("a Windows VM's desktop behind a proxy is refused before anything is opened")
  func desktop() async throws {
    let stage = try await Stage.greeting { $0.machines[0].system = .windows }
    let run = try await stage.run([
      "--source", "203.0.113.7", "-p", String(stage.port()), "-o", "ProxyCommand=/bin/false",
      "web1",
    ])
    #expect(run.status == 1)
    #expect(run.code == "not-built-in", "\(run.error)")
    #expect(stage.requests.isEmpty)
  }

  @Test("a desktop behind a proxy is reached through the VM's own SSH server")
  func desktopBehindSSH() async throws {
    var inside = Stage.windows("inside", port: 0)
    inside.publicAddress = .fixed("127.0.0.1")
    inside.rules = [SecurityRule("RDP", priority: 300, allows: true, ports: ["*"])]
    let stage = try await Stage.ssh { [inside] configuration in
      configuration.machines[0].system = .windows
      configuration.machines.append(inside)
    }
    let environment = try stage.provideClient()
    let run = try await stage.run(
      ["--source", "203.0.113.7", "-o", "ProxyCommand=\(try relay(stage))"] + stage.options()
        + ["--open", "--via-ssh=\(stage.port("inside"))", "web1"], environment: environment)
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.clientWords.first?.hasSuffix("/web1.rdp") == true)
    let given = Stage.settings(try Files.read(stage.folder + "/given"))
    #expect(given.first?.hasPrefix("full address:s:127.0.0.1:") == true)
  }

  // MARK: ProxyJump

  /// A second server, known to the configuration of the first as `hop` and `hop2`.
  private func hop(_ server: SSHServer) throws -> SSHServer {
    let hop = try SSHServer()
    let mine = try server.read("config")
    let theirs = try hop.read("config").replacing("Host box", with: "Host hop hop2")
    try server.write(mine + theirs, "config")
    return hop
  }

  @Test("-J goes through each hop in order", arguments: Client.allCases, ["hop", "hop,hop2"])
  func jump(_ client: Client, hops: String) async throws {
    let server = try SSHServer()
    let hop = try hop(server)
    let run = try await server.run(
      ["-J", hops, "box", "cat; exit 3"], as: client, input: Array("through".utf8))
    #expect(run.status == 3, "\(run.error)")
    #expect(run.text == "through")
    #expect(run.error == "")
    #expect(
      hop.server.log.ranges(of: "Accepted publickey").count
        == hops.split(separator: ",").count)
  }

  @Test("user and port of a hop, ProxyJump in a file, and ProxyJump none")
  func jumpForms() async throws {
    let server = try SSHServer()
    let hop = try hop(server)
    let full = "\(hop.user)@hop:\(hop.port)"
    for arguments in [
      ["-J", full, "box"], ["-J", "ssh://\(full)", "box"], ["-o", "ProxyJump=\(full)", "box"],
    ] {
      let before = hop.server.log.ranges(of: "Accepted publickey").count
      let run = try await server.run(arguments + ["echo in"])
      #expect(run.text == "in\n", "\(arguments): \(run.error)")
      #expect(hop.server.log.ranges(of: "Accepted publickey").count == before + 1)
    }
    let run = try await server.run(["-o", "ProxyJump=none", "-o", "ProxyJump=hop", "box", "echo"])
    #expect(run.status == 0)
    #expect(hop.server.log.ranges(of: "Accepted publickey").count == 3)
  }

  @Test("a hop whose key is another one stops the way before anybody logs in")
  func hopKey() async throws {
    let server = try SSHServer()
    let hop = try hop(server)
    let other = String(
      decoding: try Files.read(server.server.folder + "/host_key.pub"), as: UTF8.self)
    try hop.write("\(hop.knownName) \(other)", "known_hosts")
    let run = try await server.run(["-J", "hop", "box", "echo in"])
    #expect(run.status == 255)
    #expect(run.text == "")
    #expect(run.code == "host-key-changed", "\(run.error)")
    #expect(!hop.server.log.contains("Accepted"))
  }

  @Test("a jump host's name is never an option or a command")
  func hostileHop() async throws {
    let server = try SSHServer()
    for name in ["-oProxyCommand=touch${IFS}pwned", "$(touch${IFS}pwned)", "a;touch${IFS}pwned"] {
      try server.write("Host box\n  ProxyJump \(name)\n", "config")
      let run = try await server.run(["box", "true"])
      #expect(run.status == 255, "\(name)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder + "/work").isEmpty)
  }

  // MARK: ProxyJump to an Azure VM

  /// `web1` without a public address, and `jump`, whose private address the gate sees.
  private func jumpStage(
    _ change: @Sendable (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    let stage = try await Stage.ssh { configuration in
      let backend = configuration.machines[0].gates[0].backend
      configuration.machines[0].publicAddress = .none
      configuration.machines[0].privateAddress = "127.0.0.1"
      var jump = Stage.web("jump", backend: backend)
      jump.privateAddress = "10.0.0.5"
      configuration.machines.append(jump)
      configuration.policies.append(SimulatedPolicy("second", machine: "jump", ports: .init(0)))
      // What comes from the jump host, and what comes from us.
      configuration.behaviour.addressBehindGate = "10.0.0.5"
      configuration.behaviour.addresses["127.0.0.8"] = "203.0.113.7"
      change(&configuration)
    }
    let key = try #require(stage.server).key
    try stage.write(
      "home/.ssh/config",
      """
      Host jump
        BindAddress 127.0.0.8
      Host *
        IdentityFile \(key)
        StrictHostKeyChecking accept-new
        LogLevel ERROR

      """)
    return stage
  }

  @Test("each VM on the way gets its window: ours, then the jump host's private address")
  func jumpThroughAzure() async throws {
    let stage = try await jumpStage()
    let run = try await stage.connect("web1", ["-J", "jump:\(stage.port("jump"))"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.requests.count == 2)
    #expect(source(stage, 0) == "10.0.0.5")
    #expect(source(stage, 1) == "203.0.113.7")
  }

  @Test("variables that name the target do not name the hops")
  func jumpVariables() async throws {
    let stage = try await jumpStage()
    let run = try await stage.connect(
      "anything", ["-J", "jump:\(stage.port("jump"))"],
      environment: ["JITCONNECT_VM": "web1", "JITCONNECT_RESOURCE_GROUP": "rg-demo"])
    #expect(run.text == "hello\n", "\(run.error)")
    #expect(stage.requests.count == 2)
  }

  @Test("a jump host that lets nobody in is tried once, not every second of the wait")
  func hopRefuses() async throws {
    let stage = try await jumpStage()
    let server = try #require(stage.server)
    let hop = "nobody-here@127.0.0.1:\(server.port)"
    let run = try await stage.connect("web1", ["--source", "10.0.0.5", "-J", hop])
    #expect(run.status == 255)
    #expect(run.code == "authentication-failed", "\(run.error)")
    #expect(server.log.ranges(of: "Invalid user nobody-here from").count == 1)
  }

  @Test("the words of every hop go where -E says")
  func jumpLog() async throws {
    let server = try SSHServer()
    let hop = try hop(server)
    let log = server.folder + "/log"
    let run = try await server.run(["-v", "-E", log, "-J", "hop,hop2", "box", "echo in"])
    #expect(run.text == "in\n")
    #expect(run.error == "")
    #expect(try server.read("log").ranges(of: "Server host key:").count == 3)
    #expect(hop.server.log.ranges(of: "Accepted publickey").count == 2)
  }

  @Test("behind a jump host that Azure does not know the source must be named")
  func unknownJump() async throws {
    // The port opens late: the first attempts through the jump host are refused.
    let stage = try await jumpStage { $0.behaviour.openingDelay = .seconds(2) }
    let server = try #require(stage.server)
    let jump = ["-J", "127.0.0.1:\(server.port)"]
    let refused = try await stage.connect("web1", jump)
    #expect(refused.status == 255)
    #expect(refused.code == "address-unclear", "\(refused.error)")
    #expect(refused.error.contains("--source"))
    #expect(stage.requests.isEmpty)
    let run = try await stage.connect("web1", jump + ["--source", "10.0.0.5"])
    #expect(run.text == "hello\n", "\(run.error)")
    #expect(source(stage) == "10.0.0.5")
    #expect(stage.requests.count == 1)
    #expect(server.log.ranges(of: "Accepted publickey").count > 2)
  }

  private func source(_ stage: Stage, _ index: Int = 0) -> JSON? {
    guard stage.requests.indices.contains(index) else { return nil }
    return stage.requests[index]["virtualMachines"]?.elements?.first?["ports"]?.elements?.first?[
      "allowedSourceAddressPrefix"]
  }
}
