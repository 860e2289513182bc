import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Logins through the built program", .limited)
struct SSHLoginTests {
  static let kinds = ["rsa", "ecdsa", "ed25519"]

  /// Only the key that the test names counts.
  private func server(_ settings: String..., config: [String] = []) throws -> SSHServer {
    let server = try SSHServer(settings: settings, config: ["IdentityFile none"] + config)
    try Files.replace(server.server.folder + "/authorized_keys", with: [UInt8]())
    return server
  }

  @Test("each kind of key logs in by its file", arguments: kinds)
  func keyFile(_ kind: String) async throws {
    let server = try server()
    let key = try server.makeKey(kind)
    let run = try await server.run(["-i", key, "box", "echo in"])
    #expect(run.text == "in\n")
    #expect(run.error == "")
  }

  @Test("each kind of key logs in by the agent", arguments: kinds)
  func agent(_ kind: String) async throws {
    let server = try server(config: ["IdentityAgent SSH_AUTH_SOCK"])
    let key = try server.makeKey(kind)
    let agent = try KeyAgent(server.folder)
    try agent.add(key)
    try FileManager.default.removeItem(atPath: key)
    let variables = ["SSH_AUTH_SOCK": agent.socket]
    try await server.compare(["box", "echo in"], environment: variables)
    let run = try await server.run(["box", "echo in"], environment: variables)
    #expect(run.text == "in\n")
    // The public half alone chooses among the agent's keys.
    try await server.compare(
      ["-oIdentitiesOnly=yes", "-i", key + ".pub", "box", "echo in"], environment: variables)
    // IdentitiesOnly leaves the agent's other keys alone.
    let only = try await server.run(
      ["-oIdentitiesOnly=yes", "box", "echo in"], environment: variables)
    #expect(only.status == 255)
    #expect(only.code == "authentication-failed")
  }

  @Test("a certificate logs in, by file and by agent", arguments: kinds)
  func certificate(_ kind: String) async throws {
    let server = try server(
      "TrustedUserCAKeys %FOLDER%/id_test.pub",
      config: [
        "IdentityAgent SSH_AUTH_SOCK"
      ])
    let key = "\(server.folder)/id_\(kind)"
    try LoopbackServer.makeKey(key, kind: kind)
    let signed = try await server.shell(
      "ssh-keygen -q -s $SERVER/id_test -I test -n \(server.user) \(key).pub")
    #expect(signed.status == 0, "\(signed.error)")
    try await server.compare(["-i", key, "box", "echo file"])
    #expect(try await server.run(["-i", key, "box", "echo file"]).text == "file\n")
    let agent = try KeyAgent(server.folder)
    try agent.add(key)
    let run = try await server.run(
      ["box", "echo agent"], environment: ["SSH_AUTH_SOCK": agent.socket])
    #expect(run.text == "agent\n", "\(run.error)")
  }

  @Test("CertificateFile names a certificate that lies elsewhere")
  func certificateFile() async throws {
    let server = try server("TrustedUserCAKeys %FOLDER%/id_test.pub")
    let key = "\(server.folder)/id_ed25519"
    try LoopbackServer.makeKey(key)
    let signed = try await server.shell(
      "ssh-keygen -q -s $SERVER/id_test -I test -n \(server.user) \(key).pub "
        + "&& mv \(key)-cert.pub $FOLDER/elsewhere")
    #expect(signed.status == 0)
    #expect(try await server.run(["-i", key, "box", "true"]).status == 255)
    let run = try await server.run(
      ["-i", key, "-oCertificateFile=\(server.folder)/elsewhere", "box", "echo in"])
    #expect(run.text == "in\n", "\(run.error)")
  }

  @Test("a passphrase is asked for on the terminal and not shown", arguments: kinds)
  func passphrase(_ kind: String) throws {
    let server = try server()
    let key = try server.makeKey(kind, passphrase: "open sesame")
    let terminal = try server.terminal(["-i", key, "box", "echo in"])
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("wrong one\n")
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("open sesame\n")
    try terminal.wait(for: "in\n")
    #expect(try terminal.end() == .exited(0))
    #expect(!terminal.screen.contains("sesame"))
    #expect(!terminal.screen.contains("wrong"))
  }

  @Test("three wrong passphrases are enough", arguments: [Client.openSSH, .jitconnect])
  func wrongPassphrase(_ client: Client) throws {
    let server = try server()
    let key = try server.makeKey("ed25519", passphrase: "open sesame")
    let terminal = try server.terminal(["-i", key, "box", "echo in"], as: client)
    for _ in 0..<3 {
      try terminal.wait(for: "Enter passphrase for key '\(key)': ")
      try terminal.type("no\n")
    }
    try terminal.wait(for: "Permission denied (publickey)")
    #expect(try terminal.end() == .exited(255))
    #expect(terminal.isCooked)
  }

  @Test("Ctrl-C at the passphrase ends the program, with the terminal as it was")
  func interruptedPassphrase() throws {
    let server = try server()
    let key = try server.makeKey("ed25519", passphrase: "open sesame")
    let terminal = try server.terminal(["-i", key, "box", "echo in"])
    try terminal.wait(for: "Enter passphrase for key '\(key)': ")
    try terminal.type("\u{3}")
    let ending = try terminal.end()
    #expect(ending == .exited(255) || ending == .signalled(SIGINT) || ending == .exited(130))
    #expect(!terminal.screen.contains("in\n"))
  }

  @Test("with BatchMode an encrypted key is passed over and nothing asked")
  func batch() throws {
    let server = try server()
    let key = try server.makeKey("ed25519", passphrase: "open sesame")
    let terminal = try server.terminal(["-oBatchMode=yes", "-i", key, "box", "echo in"])
    #expect(try terminal.end() == .exited(255))
    #expect(!terminal.screen.contains("Enter passphrase"))
    #expect(terminal.screen.contains("Permission denied (publickey)"))
  }

  @Test("a key that others can read is refused with ssh's warning")
  func openKey() async throws {
    let server = try server()
    let key = try server.makeKey("ed25519")
    _ = unsafe chmod(key, 0o644)
    let errors = try await server.compare(["-i", key, "box", "echo in"])
    let wanted = errors.ssh.split(separator: "\n").filter { !$0.contains("Permission denied") }
    #expect(wanted.count > 4)
    for line in wanted { #expect(errors.own.split(separator: "\n").contains(line), "\(line)") }
  }

  @Test("nobody else's account is entered, and the words are ssh's")
  func denied() async throws {
    let server = try server()
    let key = "\(server.folder)/id_stranger"
    try LoopbackServer.makeKey(key)
    let errors = try await server.compare(["-i", key, "box", "echo in"])
    let wanted = errors.ssh.split(separator: "\n").last.map { String($0.dropLast()) } ?? "?"
    #expect(wanted.hasSuffix("Permission denied (publickey)"))
    #expect(errors.own.contains(wanted))
  }

  @Test("key after key is tried until one fits, and the server's patience is respected")
  func manyKeys() async throws {
    let server = try server("MaxAuthTries 4")
    var options: [String] = []
    for number in 0..<2 {
      let key = "\(server.folder)/id_\(number)"
      try LoopbackServer.makeKey(key)
      options += ["-i", key]
    }
    let right = try server.makeKey("ed25519")
    try await server.compare(options + ["-i", right, "box", "echo in"])
    for number in 2..<6 {
      let key = "\(server.folder)/id_\(number)"
      try LoopbackServer.makeKey(key)
      options += ["-i", key]
    }
    let errors = try await server.compare(options + ["-i", right, "box", "echo in"])
    #expect(errors.own.contains("Too many authentication failures"))
  }

  @Test("a banner goes to stderr, and -q keeps it away")
  func banner() async throws {
    let server = try SSHServer(settings: ["Banner %FOLDER%/banner"])
    try Files.replace(server.server.folder + "/banner", with: "Keep out\nplease\n".utf8)
    let errors = try await server.compare(["box", "true"])
    #expect(errors.own.contains("Keep out\nplease\n"))
    #expect(try await server.run(["-q", "box", "true"]).error == "")
  }

  @Test("-v goes to stderr, with -E to that file alone; -vv says more")
  func debug() async throws {
    let server = try SSHServer()
    let plain = try await server.run(["-v", "box", "echo in; echo err >&2"])
    #expect(plain.text == "in\n")
    #expect(plain.error.contains("debug1: Authenticated to 127.0.0.1"))
    let log = "\(server.folder)/log"
    let filed = try await server.run(["-E", log, "-vv", "box", "echo in; echo err >&2"])
    #expect(filed.text == "in\n")
    #expect(filed.error == "err\n")
    #expect(try server.read("log").contains("debug1: Authenticated to 127.0.0.1"))
    #expect((Files.kind(of: log)?.mode ?? 0) & 0o077 == 0)
    let refused = try await server.run(["-E", log, "-p", "1", "box", "true"])
    #expect(refused.status == 255)
    #expect(refused.error == "")
    #expect(try server.read("log").contains("connect to host 127.0.0.1 port 1: Connection refused"))
  }
}

@Suite(
  "Passwords through the built program", .limited,
  .enabled(
    if: SSHServer.canHavePasswords,
    "a password of the test's own needs root and leave to make a mount namespace"))
struct SSHPasswordTests {
  private func server(_ settings: String...) throws -> SSHServer {
    try SSHServer(
      settings: ["UsePAM yes"] + settings,
      config: ["IdentityFile none", "PubkeyAuthentication no"],
      password: "right horse")
  }

  @Test("a password is asked for as ssh asks", arguments: [Client.openSSH, .jitconnect])
  func password(_ client: Client) throws {
    let server = try server("PasswordAuthentication yes")
    let terminal = try server.terminal(["box", "echo in"], as: client)
    try terminal.wait(for: "\(server.user)@127.0.0.1's password: ")
    try terminal.type("wrong\n")
    try terminal.wait(for: "Permission denied, please try again.\n")
    try terminal.wait(for: "\(server.user)@127.0.0.1's password: ")
    try terminal.type("right horse\n")
    try terminal.wait(for: "in\n")
    #expect(try terminal.end() == .exited(0))
    #expect(!terminal.screen.contains("horse"))
  }

  @Test("three wrong passwords end it", arguments: [Client.openSSH, .jitconnect])
  func wrong(_ client: Client) throws {
    let server = try server("PasswordAuthentication yes")
    let terminal = try server.terminal(["box", "echo in"], as: client)
    for _ in 0..<3 {
      try terminal.wait(for: "\(server.user)@127.0.0.1's password: ")
      try terminal.type("wrong\n")
    }
    try terminal.wait(for: "Permission denied (publickey")
    #expect(try terminal.end() == .exited(255))
  }

  @Test("keyboard-interactive asks as ssh does", arguments: [Client.openSSH, .jitconnect])
  func interactive(_ client: Client) throws {
    let server = try server("KbdInteractiveAuthentication yes")
    let terminal = try server.terminal(["box", "echo in"], as: client)
    try terminal.wait(for: "(\(server.user)@127.0.0.1) Password: ")
    try terminal.type("right horse\n")
    try terminal.wait(for: "in\n")
    #expect(try terminal.end() == .exited(0))
  }

  @Test("with BatchMode nothing is asked")
  func batch() throws {
    let server = try server("PasswordAuthentication yes")
    let terminal = try server.terminal(["-oBatchMode=yes", "box", "true"])
    #expect(try terminal.end() == .exited(255))
    #expect(!terminal.screen.contains("password:"))
  }
}
