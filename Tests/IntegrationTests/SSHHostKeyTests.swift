import FoundationEssentials
import Platform
import Testing

@Suite("Host keys through the built program, beside ssh's own words", .limited)
struct SSHHostKeyTests {
  private static let other =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdTvOlKpFRXDdxVK2tjkFOpwFXxrFvLcUOQ5pGgF3Z"

  private func key(_ server: SSHServer) throws -> String {
    let line = String(
      decoding: try Files.read(server.server.folder + "/host_key.pub"), as: UTF8.self)
    return line.split(separator: " ").prefix(2).joined(separator: " ")
  }

  @Test(
    "the question is ssh's, and so are yes, no and the fingerprint",
    arguments: [Client.openSSH, .jitconnect], ["yes", "no", "fingerprint"])
  func question(_ client: Client, _ answer: String) async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking ask"])
    try server.write("", "known_hosts")
    let terminal = try server.terminal(["box", "echo inside"], as: client)
    try terminal.wait(
      for: "The authenticity of host '\(server.knownName) (\(server.knownName))' "
        + "can't be established.\nED25519 key fingerprint is SHA256:")
    let print = try terminal.wait(for: ".\n").dropLast(2)
    try terminal.wait(
      for: "This key is not known by any other names.\n"
        + "Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
    try terminal.type("perhaps\n")
    try terminal.wait(for: "Please type 'yes', 'no' or the fingerprint: ")
    try terminal.type(answer == "fingerprint" ? "SHA256:\(print)\n" : answer + "\n")
    if answer == "no" {
      try terminal.wait(for: "Host key verification failed")
      #expect(try terminal.end() == .exited(255))
      #expect(try server.read("known_hosts") == "")
    } else {
      try terminal.wait(
        for: "Warning: Permanently added '\(server.knownName)' (ED25519) to the list of known "
          + "hosts.\n")
      try terminal.wait(for: "inside")
      #expect(try terminal.end() == .exited(0))
      #expect(try server.read("known_hosts") == "\(server.knownName) \(try key(server))\n")
    }
  }

  @Test("accept-new writes what ssh writes", arguments: [Client.openSSH, .jitconnect])
  func acceptNew(_ client: Client) async throws {
    let server = try SSHServer(config: [
      "StrictHostKeyChecking accept-new", "UserKnownHostsFile %FOLDER%/first %FOLDER%/second",
    ])
    let run = try await server.run(["box", "true"], as: client)
    #expect(run.status == 0)
    #expect(
      run.error.filter { $0 != "\r" }.replacing("\r\n", with: "\n")
        == "Warning: Permanently added '\(server.knownName)' (ED25519) to the list of known hosts.\n"
    )
    #expect(try server.read("first") == "\(server.knownName) \(try key(server))\n")
    #expect(Files.kind(of: "\(server.folder)/second") == nil)
    #expect(
      try await server.run(["-oStrictHostKeyChecking=yes", "box", "true"], as: client).status == 0)
  }

  @Test("a changed key is refused with ssh's warning, and nothing is asked or written")
  func changed() async throws {
    for checking in ["yes", "ask", "accept-new"] {
      let server = try SSHServer(config: ["StrictHostKeyChecking \(checking)"])
      let line = "\(server.knownName) \(Self.other)\n"
      try server.write(line, "known_hosts")
      let ssh = try await server.run(["box", "true"], as: .openSSH)
      let own = try await server.run(["box", "true"])
      #expect(own.status == 255)
      #expect(own.code == "host-key-changed")
      let wanted = ssh.error.split { $0.isNewline }
      let said = own.error.split { $0.isNewline }
      for line in wanted where !line.hasPrefix("Host key verification failed") {
        #expect(said.contains(line), "\(line)")
      }
      #expect(own.error.contains("Host key verification failed"))
      #expect(try server.read("known_hosts") == line)
    }
  }

  @Test("a changed key under StrictHostKeyChecking=no logs in by key alone, with the warning")
  func changedAndOff() async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking no"])
    try server.write("\(server.knownName) \(Self.other)\n", "known_hosts")
    let errors = try await server.compare(["box", "echo in"])
    #expect(errors.own.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"))
    #expect(errors.own.contains("Password authentication is disabled"))
  }

  @Test("a revoked key is refused, whatever the checking", arguments: ["yes", "no", "accept-new"])
  func revoked(_ checking: String) async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking \(checking)"])
    let key = try key(server)
    try server.write(
      "\(server.knownName) \(key)\n@revoked * \(key)\n", "known_hosts")
    let own = try await server.run(["box", "true"])
    // Stricter than ssh, which goes on with a warning under "no": the key is known as stolen.
    #expect(own.status == 255)
    #expect(own.code == "host-key-revoked")
    #expect(own.error.contains("WARNING: REVOKED HOST KEY DETECTED!"))
  }

  @Test("hashed names are written and found again, by either program")
  func hashed() async throws {
    for (writer, reader) in [(Client.jitconnect, Client.openSSH), (.openSSH, .jitconnect)] {
      let server = try SSHServer(config: [
        "StrictHostKeyChecking accept-new", "HashKnownHosts yes",
      ])
      try server.write("", "known_hosts")
      #expect(try await server.run(["box", "true"], as: writer).status == 0)
      #expect(try server.read("known_hosts").hasPrefix("|1|"))
      let strict = ["-oStrictHostKeyChecking=yes", "box", "true"]
      #expect(try await server.run(strict, as: reader).status == 0)
    }
  }

  @Test("what a known_hosts file says counts as for ssh")
  func patterns() async throws {
    let server = try SSHServer()
    for text in [
      "KEY", "[127.0.0.1]:PORT,other KEY", "[127.0.0.*]:PORT KEY", "*,!127.0.0.1 KEY",
      "![127.0.0.1]:PORT,* KEY", "127.0.0.1 KEY", "alias KEY", "# comment\n\n[127.0.0.1]:* KEY",
      "[127.0.0.1]:PORT OTHER\n[127.0.0.1]:PORT KEY", "[127.0.0.1]:PORT KEY trailing words",
      "[127.0.0.1]:PORT nonsense", "@cert-authority * OTHER\n[127.0.0.1]:PORT KEY",
    ] {
      let lines = text.replacing("PORT", with: "\(server.port)")
        .replacing("KEY", with: try key(server)).replacing("OTHER", with: Self.other)
      try server.write(lines + "\n", "known_hosts")
      try await server.compare(["box", "echo in"])
      try await server.compare(["-oHostKeyAlias=alias", "box", "echo in"])
    }
  }

  @Test("HostKeyAlias names the host in the file", arguments: [Client.openSSH, .jitconnect])
  func alias(_ client: Client) async throws {
    let server = try SSHServer(config: [
      "StrictHostKeyChecking accept-new", "HostKeyAlias machine",
    ])
    try server.write("", "known_hosts")
    #expect(try await server.run(["box", "true"], as: client).status == 0)
    #expect(try server.read("known_hosts") == "machine \(try key(server))\n")
  }

  @Test("with BatchMode an unknown key is refused and nothing asked")
  func batch() async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking ask", "BatchMode yes"])
    try server.write("", "known_hosts")
    let terminal = try server.terminal(["box", "true"])
    #expect(try terminal.end() == .exited(255))
    #expect(!terminal.screen.contains("yes/no"))
    #expect(terminal.screen.contains("Host key verification failed"))
  }
}
