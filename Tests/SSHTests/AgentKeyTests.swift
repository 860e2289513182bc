import Platform
import Synchronization
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("AddKeysToAgent") struct AgentKeyTests {
  private typealias Addition = AuthenticationPlan.AgentAddition

  /// A server, and an agent that holds nothing.
  private func stage() throws -> (SSHServer, Agent) {
    let server = try SSHServer()
    return (server, try Agent(folder: server.folder))
  }

  private func login(
    _ server: SSHServer, _ agent: Agent, _ key: String, _ addition: Addition?,
    prompts: Prompts = .impossible, isBatch: Bool = false
  ) throws {
    let session = try server.session()
    _ = try session.handshake(deadline: .now + .seconds(30))
    var plan = server.plan(key)
    plan.agentSocket = agent.socket
    plan.agentAddition = addition
    plan.isBatch = isBatch
    try session.authenticate(plan, prompts: prompts)
    session.disconnect()
  }

  private func loginByAgent(_ server: SSHServer, _ agent: Agent) throws {
    let session = try server.session()
    _ = try session.handshake(deadline: .now + .seconds(30))
    let plan = AuthenticationPlan(user: server.user, agentSocket: agent.socket)
    try session.authenticate(plan, prompts: .impossible)
    session.disconnect()
  }

  @Test(
    "a key file that logs in is in the agent, and logs in from there",
    arguments: ["ed25519", "ecdsa", "rsa"], [nil, "PEM", "PKCS8"] as [String?])
  func added(kind: String, format: String?) throws {
    if kind == "ed25519", format != nil { return }
    for passphrase in ["", "open sesame"] {
      let (server, agent) = try stage()
      let key = try server.makeKey(kind, passphrase: passphrase, format: format)
      try server.authorize(key)
      try login(server, agent, key, Addition(), prompts: Asked([passphrase]).prompts)
      let line = try #require(PublicKeyLine(file: key + ".pub"))
      let held = try AgentClient(path: agent.socket).identities()
      // PEM has no room for a comment: the file's name serves, as with ssh.
      try #require(held.map(\.blob) == [line.blob])
      #expect(held.first?.comment == (format == nil ? "key \(kind)" : key))
      try loginByAgent(server, agent)
    }
  }

  @Test("each curve and an uncommented key", arguments: ["384", "521"])
  func curves(bits: String) throws {
    let (server, agent) = try stage()
    let key = server.folder + "/id"
    try runProgram(
      "ssh-keygen", ["-q", "-t", "ecdsa", "-b", bits, "-N", "", "-C", "", "-f", key])
    try server.authorize(key)
    try login(server, agent, key, Addition())
    #expect(try AgentClient(path: agent.socket).identities().map(\.comment) == [key])
    try loginByAgent(server, agent)
  }

  @Test("numbers with a zero at either end, as one key in a hundred has")
  func zeros() throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    // Enough keys that most runs meet each kind.
    for count in 0..<400 {
      let path = "\(folder)/\(count)"
      try keygen("ecdsa", to: path)
      var text = try Files.read(path)
      let key = OpenedKey(SecretBytes(taking: &text), passphrase: nil)
      #expect(key?.comment == "key ecdsa", "\(count)")
    }
  }

  @Test("not added: without the option, and a key that the server refuses")
  func notAdded() throws {
    let (server, agent) = try stage()
    let key = try server.makeKey("ed25519")
    #expect(throws: Failure.self) { try login(server, agent, key, Addition()) }
    #expect(try AgentClient(path: agent.socket).identities() == [])
    try server.authorize(key)
    try login(server, agent, key, nil)
    #expect(try AgentClient(path: agent.socket).identities() == [])
  }

  @Test("confirm: the agent does not sign without its user's leave")
  func confirm() throws {
    let (server, agent) = try stage()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    try login(server, agent, key, Addition(lifetime: 1000, confirmsUse: true))
    #expect(try AgentClient(path: agent.socket).identities().count == 1)
    // This agent has no program to ask with.
    #expect(throws: Failure.self) { try loginByAgent(server, agent) }
  }

  @Test("a lifetime ends")
  func lifetime() throws {
    let (server, agent) = try stage()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    try login(server, agent, key, Addition(lifetime: 1))
    let deadline = ContinuousClock.now + .seconds(30)
    while try !AgentClient(path: agent.socket).identities().isEmpty {
      try #require(ContinuousClock.now < deadline, "the key stays")
      _ = poll(nil, 0, 20)
    }
  }

  @Test("ask: added only with leave", arguments: [("yes", 1), ("no", 0), ("", 0)])
  func ask(answer: String, count: Int) throws {
    let (server, agent) = try stage()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let asked = Asked([answer])
    try login(server, agent, key, Addition(asks: true), prompts: asked.prompts)
    #expect(asked.questions == ["Add key \(key) (key ed25519) to agent? (yes/no) "])
    #expect(try AgentClient(path: agent.socket).identities().count == count)
  }

  @Test("ask in BatchMode asks nobody")
  func askBatch() throws {
    let (server, agent) = try stage()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let asked = Asked(["yes"])
    try login(
      server, agent, key, Addition(asks: true), prompts: asked.prompts, isBatch: true)
    #expect(asked.questions.isEmpty)
    #expect(try AgentClient(path: agent.socket).identities() == [])
  }
}
