import Platform
import Testing

@testable import SSH

@Suite(
  .enabled(
    if: SSHServer.canHavePasswords,
    "a password of the test's own needs root and leave to make a mount namespace"))
struct PasswordTests {
  private static let password = "right horse"

  private func server(_ settings: String...) throws -> SSHServer {
    try SSHServer(settings: ["UsePAM yes"] + settings, password: Self.password)
  }

  private func plan(_ server: SSHServer) -> AuthenticationPlan {
    AuthenticationPlan(user: server.user)
  }

  @Test("a password logs in, the second time it is right")
  func password() throws {
    let server = try server("PasswordAuthentication yes")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["wrong", Self.password])
    try session.authenticate(plan(server), prompts: asked.prompts)
    #expect(asked.questions == Array(repeating: "\(server.user)@testhost's password: ", count: 2))
    #expect(try execute("exit 5", in: session).ending == .exited(5))
  }

  @Test("a key offered to a server that takes passwords only is out of the way")
  func unwantedKey() throws {
    let server = try server("PasswordAuthentication yes", "PubkeyAuthentication no")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked([Self.password])
    let key = try server.makeKey("ed25519")
    try session.authenticate(server.plan(key), prompts: asked.prompts)
    #expect(asked.questions.count == 1)
    #expect(try execute("exit 5", in: session).ending == .exited(5))
  }

  @Test("NumberOfPasswordPrompts wrong passwords are refused as ssh words it")
  func wrongPassword() throws {
    let server = try server("PasswordAuthentication yes")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["1", "2", "3", "4"])
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(plan(server), prompts: asked.prompts)
    }
    #expect(asked.questions.count == 3)
    #expect(failure?.code == .authenticationFailed)
    // After the third sshd offers passwords no more, and ssh says that.
    #expect(failure?.what == "\(server.user)@testhost: Permission denied (publickey)")
  }

  @Test(
    "the last of the server's tries counts, as with ssh",
    arguments: ["PasswordAuthentication", "KbdInteractiveAuthentication"])
  func lastTry(method: String) throws {
    let server = try server("\(method) yes", "MaxAuthTries 3")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["wrong", "wrong", Self.password])
    try session.authenticate(plan(server), prompts: asked.prompts)
    #expect(asked.questions.count == 3)
  }

  @Test("keyboard-interactive logs in, headed with who asks")
  func interactive() throws {
    let server = try server("KbdInteractiveAuthentication yes")
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked(["wrong", Self.password])
    try session.authenticate(plan(server), prompts: asked.prompts)
    #expect(asked.questions == Array(repeating: "(\(server.user)@testhost) Password: ", count: 2))
    #expect(try execute("exit 6", in: session).ending == .exited(6))
  }

  @Test("a key and then keyboard-interactive, where the server wants both")
  func keyThenInteractive() throws {
    let server = try server(
      "KbdInteractiveAuthentication yes",
      "AuthenticationMethods publickey,keyboard-interactive")
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked([Self.password])
    try session.authenticate(server.plan(key), prompts: asked.prompts)
    #expect(asked.questions.count == 1)
  }

  @Test("a password and then a key, where the server wants both")
  func passwordThenKey() throws {
    let server = try server(
      "PasswordAuthentication yes", "AuthenticationMethods password,publickey")
    let key = try server.makeKey("ed25519")
    try server.authorize(key)
    let session = try server.session()
    _ = try session.handshake()
    let asked = Asked([Self.password])
    try session.authenticate(server.plan(key), prompts: asked.prompts)
    #expect(asked.questions.count == 1)
  }

  @Test("no prompt is possible: nothing is tried")
  func noPrompt() throws {
    let server = try server("PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
    let session = try server.session()
    _ = try session.handshake()
    let failure = #expect(throws: Failure.self) {
      try session.authenticate(plan(server), prompts: .impossible)
    }
    #expect(failure?.code == .authenticationFailed)
  }
}
