import Platform
import Synchronization
import Testing

@testable import SSH

@Suite struct LoginTests {
  @Test(
    "a key file of each kind logs in", arguments: ["ed25519", "ecdsa", "rsa"],
    [nil, "PEM"] as [String?])
  func keyFile(kind: String, format: String?) throws {
    if kind == "ed25519", format != nil { return }
    let server = try SSHServer()
    let key = try server.makeKey(kind, format: format)
    try server.authorize(key)
    let session = try server.login(key)
    let result = try execute("echo hello; exit 3", in: session)
    #expect(result.output == "hello\n")
    #expect(result.ending == .exited(3))
  }

  @Test("a key of each kind in the agent logs in", arguments: ["ed25519", "ecdsa", "rsa"])
  func agentKey(kind: String) throws {
    let server = try SSHServer()
    let key = try server.makeKey(kind)
    try server.authorize(key)
    let agent = try Agent(folder: server.folder)
    try agent.add(key)
    let session = try server.session()
    _ = try session.handshake()
    let plan = AuthenticationPlan(user: server.user, agentSocket: agent.socket)
    try session.authenticate(plan, prompts: .impossible)
    #expect(try execute("exit 0", in: session).ending == .exited(0))
  }

  @Test(
    "an encrypted key asks for its passphrase until it fits",
    arguments: ["ed25519", "ecdsa", "rsa"], [nil, "PEM"] as [String?])
  func encryptedKey(kind: String, format: String?) throws {
    if kind == "ed25519", format != nil { return }
    let server = try SSHServer()
    let key = try server.makeKey(kind, passphrase: "open sesame", format: format)
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["wrong", "open sesame"])
    try session.authenticate(server.plan(key), prompts: asked.prompts)
    #expect(asked.questions == Array(repeating: "Enter passphrase for key '\(key)': ", count: 2))
    #expect(try execute("exit 0", in: session).ending == .exited(0))
  }

  @Test("nobody is asked for the passphrase of a key that the server does not want")
  func unwantedKey() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["secret"])
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(server.plan(key), prompts: asked.prompts)
    }
    #expect(asked.questions.isEmpty)
    #expect(failure?.code == .authenticationFailed)
    #expect(failure?.what == "\(server.user)@testhost: Permission denied (publickey)")
    #expect(failure?.why?.contains(key) == true)
  }

  @Test("three wrong passphrases are enough")
  func wrongPassphrase() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["a", "b", "c", "d"])
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(server.plan(key), prompts: asked.prompts)
    }
    #expect(asked.questions.count == 3)
    #expect(failure?.code == .authenticationFailed)
  }

  @Test("BatchMode asks nothing")
  func batch() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519", passphrase: "secret")
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["secret"])
    var plan = server.plan(key)
    plan.isBatch = true
    #expect(throws: Failure.self) { try session.authenticate(plan, prompts: asked.prompts) }
    #expect(asked.questions.isEmpty)
  }

  @Test("a key that others can read is passed over with ssh's warning")
  func openKey() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    try runProgram("chmod", ["644", key])
    let notes = Mutex<[String]>([])
    let session = try server.session(
      log: SSHLog(note: { line in notes.withLock { $0.append(line) } }))
    _ = try session.handshake()
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(server.plan(key), prompts: .impossible)
    }
    #expect(notes.withLock { $0 }.contains("Permissions 0644 for '\(key)' are too open."))
    #expect(failure?.why?.contains("chmod 600") == true)
  }

  @Test(
    "a certificate logs in, by file and by agent", arguments: ["ed25519", "ecdsa", "rsa"],
    [false, true])
  func certificate(kind: String, byAgent: Bool) throws {
    let server = try SSHServer(settings: ["TrustedUserCAKeys %FOLDER%/ca.pub"])
    let key = try server.makeKey(kind)
    try server.sign(key)
    let agent = try Agent(folder: server.folder)
    let session = try server.session()
    _ = try session.handshake()
    var plan = server.plan(key)
    if byAgent {
      try agent.add(key)
      plan = AuthenticationPlan(user: server.user, agentSocket: agent.socket)
    }
    try session.authenticate(plan, prompts: .impossible)
    #expect(try execute("exit 0", in: session).ending == .exited(0))
  }

  @Test("a certificate file serves for a key that only the agent holds")
  func certificateFileForAgentKey() throws {
    let server = try SSHServer(settings: ["TrustedUserCAKeys %FOLDER%/ca.pub"])
    let key = try server.makeKey("rsa")
    try server.sign(key)
    let agent = try Agent(folder: server.folder)
    try runProgram("mv", ["\(key)-cert.pub", "\(server.folder)/apart.pub"])
    try agent.add(key)
    let session = try server.session()
    _ = try session.handshake()
    let plan = AuthenticationPlan(
      user: server.user, certificates: ["\(server.folder)/apart.pub"], agentSocket: agent.socket)
    try session.authenticate(plan, prompts: .impossible)
  }

  @Test("a key held by the caller logs in through its closure")
  func callerKey() throws {
    let server = try SSHServer()
    let key = try server.makeKey("rsa")
    try server.authorize(key)
    let agent = try Agent(folder: server.folder)
    try agent.add(key)
    let blob = try #require(PublicKeyLine(file: key + ".pub")).blob
    let socket = agent.socket
    let signer = SigningIdentity(name: "minted", blob: blob) { data, algorithm throws(Failure) in
      #expect(algorithm == "rsa-sha2-512")
      do {
        return try AgentClient(path: socket).sign(data, with: blob, algorithm: algorithm)
      } catch {
        throw Failure(.keyUnusable, what: "\(error)")
      }
    }
    let session = try server.session()
    _ = try session.handshake()
    try session.authenticate(
      AuthenticationPlan(user: server.user, signers: [signer]), prompts: .impossible)
  }

  @Test("IdentitiesOnly keeps the agent's other keys back")
  func identitiesOnly() throws {
    let server = try SSHServer()
    let wanted = try server.makeKey("ed25519", "wanted")
    let other = try server.makeKey("ed25519", "other")
    try server.authorize(other)
    let agent = try Agent(folder: server.folder)
    try agent.add(other)
    let session = try server.session()
    _ = try session.handshake()
    var plan = server.plan(wanted)
    plan.agentSocket = agent.socket
    plan.identitiesOnly = true
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(plan, prompts: .impossible)
    }
    #expect(failure?.why == "tried \(wanted)")
  }

  @Test("two keys in a row, where the server wants two factors")
  func twoFactors() throws {
    let server = try SSHServer(settings: ["AuthenticationMethods publickey,publickey"])
    let first = try server.makeKey("ed25519", "first")
    let second = try server.makeKey("ecdsa", "second")
    try server.authorize(first)
    try server.authorize(second)
    let session = try server.session()
    _ = try session.handshake()
    try session.authenticate(server.plan(first, second), prompts: .impossible)
    #expect(try execute("exit 4", in: session).ending == .exited(4))
  }

  @Test("a server whose patience ends is a clear failure that lists what was tried")
  func tooManyTries() throws {
    let server = try SSHServer(settings: ["MaxAuthTries 2"])
    let keys = try (0..<4).map { try server.makeKey("ed25519", "key\($0)") }
    let session = try server.session()
    _ = try session.handshake()
    let plan = AuthenticationPlan(
      user: server.user, identities: keys.map { .init(path: $0, isExplicit: true) })
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(plan, prompts: .impossible)
    }
    #expect(failure?.code == .authenticationFailed)
    #expect(failure?.what.contains("Too many authentication failures") == true)
    #expect(failure?.why?.contains("key1") == true)
  }

  @Test("the right key is the last of the server's six tries, as with ssh")
  func lastTry() throws {
    let server = try SSHServer(settings: ["MaxAuthTries 6"])
    let agent = try Agent(folder: server.folder)
    for count in 0..<5 { try agent.add(try server.makeKey("ed25519", "wrong\(count)")) }
    let right = try server.makeKey("ecdsa", "right")
    try server.authorize(right)
    try agent.add(right)
    let session = try server.session()
    _ = try session.handshake()
    try session.authenticate(
      AuthenticationPlan(user: server.user, agentSocket: agent.socket), prompts: .impossible)
    // Three factors, each of which a list of methods asked for anew would have cost a try.
    let strict = try SSHServer(
      settings: ["AuthenticationMethods publickey,publickey,publickey", "MaxAuthTries 1"])
    let keys = try ["a", "b", "c"].map { name in
      let key = try strict.makeKey("ed25519", name)
      try strict.authorize(key)
      return key
    }
    let factors = try strict.session()
    _ = try factors.handshake()
    try factors.authenticate(strict.plan(keys[0], keys[1], keys[2]), prompts: .impossible)
  }

  @Test("an agent that does not answer, or is not there, only costs its keys")
  func deadAgent() throws {
    let server = try SSHServer()
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    var plan = server.plan(key)
    plan.agentSocket = "\(server.folder)/nothing"
    try session.authenticate(plan, prompts: .impossible)
  }
}

/// Answers in order, and what was asked.
final class Asked: Sendable {
  private let answers: Mutex<[String]>
  private let heard = Mutex<[String]>([])

  init(_ answers: [String]) { self.answers = Mutex(answers) }

  var questions: [String] { heard.withLock { $0 } }

  private func answer(_ question: String) -> String? {
    heard.withLock { $0.append(question) }
    return answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }

  var prompts: Prompts {
    Prompts(
      line: { self.answer($0) },
      secret: { self.answer($0).map { SecretBytes(Array($0.utf8)) } })
  }
}
