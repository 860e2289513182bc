import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("Whom to trust, and with what: the rules beside ssh's", .limited)
struct SSHTrustRuleTests {
  private static let other =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqdTvOlKpFRXDdxVK2tjkFOpwFXxrFvLcUOQ5pGgF3Z"

  private func hostKey(_ server: SSHServer) throws -> String {
    let line = String(
      decoding: try Files.read(server.server.folder + "/host_key.pub"), as: UTF8.self)
    return line.split(separator: " ").prefix(2).joined(separator: " ")
  }

  // MARK: Nowhere to keep a key

  @Test(
    "without a known_hosts file no setting trusts an unknown key",
    arguments: ["no", "accept-new", "yes", "ask"])
  func noFile(_ checking: String) async throws {
    let server = try SSHServer(
      config: ["UserKnownHostsFile none", "StrictHostKeyChecking \(checking)"])
    let errors = try await server.compare(["box", "echo in"])
    #expect(errors.own.contains("Host key verification failed"))
    #expect(try await server.run(["box", "echo in"]).status == 255)
  }

  @Test(
    "/dev/null is a file, and a key that a global file knows is known", arguments: ["no", "yes"])
  func otherFiles(_ checking: String) async throws {
    let server = try SSHServer(config: [
      "UserKnownHostsFile none", "GlobalKnownHostsFile %FOLDER%/known_hosts",
      "StrictHostKeyChecking \(checking)",
    ])
    try await server.compare(["box", "echo in"])
    #expect(try await server.run(["box", "echo in"]).text == "in\n")
    try await server.compare([
      "-oUserKnownHostsFile=/dev/null", "-oGlobalKnownHostsFile=none", "box", "echo in",
    ])
  }

  @Test(
    "where nothing can be kept nothing is asked either", arguments: [Client.openSSH, .jitconnect])
  func noQuestion(_ client: Client) async throws {
    let server = try SSHServer(config: ["UserKnownHostsFile none", "StrictHostKeyChecking ask"])
    let terminal = try server.terminal(["box", "echo in"], as: client)
    #expect(try terminal.end() == .exited(255))
    #expect(!terminal.screen.contains("yes/no"))
  }

  // MARK: A changed key

  @Test("nothing is forwarded over a server whose key has changed, -W neither")
  func changedKey() async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking no"])
    try server.write("\(server.knownName) \(Self.other)\n", "known_hosts")
    let agent = try KeyAgent(server.folder)
    let strict = "-oExitOnForwardFailure=yes"
    let lines: [[String]] = [
      ["-W", "127.0.0.1:\(server.port)", "box"], ["-A", strict, "box", "echo in"],
      ["-w", "any", strict, "box", "echo in"], ["-L", "1:127.0.0.1:1", strict, "box", "echo in"],
      ["-J", "box", "far", "echo in"],
    ]
    let config = try server.read("config")
    let far = config.replacing("Host box", with: "Host far")
      .replacing("known_hosts", with: "known_far")
    try server.write("\(server.knownName) \(try hostKey(server))\n", "known_far")
    try server.write(config + far, "config")
    for line in lines {
      let errors = try await server.compare(
        ["-oIdentityAgent=SSH_AUTH_SOCK"] + line, environment: ["SSH_AUTH_SOCK": agent.socket])
      for text in [errors.own, errors.ssh] {
        #expect(
          text.contains("Error: forwarding disabled due to host key check failure"), "\(line)")
      }
      for warning in errors.ssh.split(separator: "\n")
      where warning.hasSuffix("to avoid man-in-the-middle attacks.") {
        #expect(errors.own.contains(warning), "\(line)")
      }
    }
  }

  // MARK: Strength and algorithms

  @Test("RequiredRSASize: a shorter host key is refused", arguments: [Client.openSSH, .jitconnect])
  func shortHostKey(_ client: Client) async throws {
    let server = try SSHServer(
      config: ["StrictHostKeyChecking no", "UserKnownHostsFile %FOLDER%/new"], rsaHostKey: 2048)
    #expect(try await server.run(["box", "echo in"], as: client).text == "in\n")
    let run = try await server.run(["-oRequiredRSASize=3072", "box", "echo in"], as: client)
    #expect(run.status == 255)
    #expect(run.error.contains("Bad server host key: Invalid key length"), "\(run.error)")
  }

  @Test(
    "RequiredRSASize: a shorter user key is not offered",
    arguments: ["file", "agent", "PEM", "encrypted PEM"])
  func shortUserKey(_ holder: String) async throws {
    let server = try SSHServer(config: ["IdentitiesOnly yes", "PasswordAuthentication no"])
    let secret = holder == "encrypted PEM" ? "secret" : ""
    let key = try server.makeKey(
      "rsa", passphrase: secret,
      more: ["-b", "2048"] + (holder.hasSuffix("PEM") ? ["-m", "PEM"] : []))
    try server.write(
      server.read("config").replacing(
        "IdentityFile \(server.server.key)", with: "IdentityFile \(key)"),
      "config")
    if holder.hasSuffix("PEM") { try FileManager.default.removeItem(atPath: key + ".pub") }
    let agent = try KeyAgent(server.folder)
    if holder == "agent" { try agent.add(key) }
    try server.writeProgram("#!/bin/sh\necho secret\n", "askpass")
    let variables = [
      "SSH_AUTH_SOCK": agent.socket, "SSH_ASKPASS": server.folder + "/askpass",
      "SSH_ASKPASS_REQUIRE": "force",
    ]
    let words = ["-oIdentityAgent=SSH_AUTH_SOCK", "box", "echo in"]
    for size in ["2048", "2049"] {
      try await server.compare(["-oRequiredRSASize=\(size)"] + words, environment: variables)
    }
    let run = try await server.run(
      ["-oRequiredRSASize=2049"] + words, environment: variables)
    #expect(run.error.contains("RequiredRSASize"), "\(run.error)")
  }

  @Test(
    "PubkeyAcceptedAlgorithms: what is not in the list is not offered and not signed with",
    arguments: [
      "rsa-sha2-256", "rsa-sha2-512", "-rsa-sha2-*", "ssh-ed25519", "-ssh-ed25519", "ssh-rsa",
      "^rsa-sha2-256", "ecdsa-*", "rsa-sha2-256,ssh-ed25519",
    ])
  func acceptedAlgorithms(_ list: String) async throws {
    let server = try SSHServer(settings: ["LogLevel DEBUG2"])
    let key = try server.makeKey("rsa")
    let setting = "-oPubkeyAcceptedAlgorithms=\(list)"
    var signed: [[String]] = []
    for client in [Client.openSSH, .jitconnect] {
      let before = server.server.log.utf8.count
      let run = try await server.run(["-v", "-i", key, setting, "box", "echo in"], as: client)
      let log = String(decoding: Array(server.server.log.utf8).dropFirst(before), as: UTF8.self)
      signed.append(
        ["\(run.ending)"]
          + log.split(separator: "\n").filter { $0.contains("test pkalg ") }
          .compactMap { $0.split(separator: " ").drop { $0 != "pkalg" }.dropFirst().first }
          .map(String.init))
    }
    #expect(signed[0] == signed[1])
    let is256 = ["rsa-sha2-256", "^rsa-sha2-256", "rsa-sha2-256,ssh-ed25519"].contains(list)
    #expect(signed[1].contains("rsa-sha2-256") == is256)
  }

  // MARK: Loopback, and how fingerprints look

  @Test("NoHostAuthenticationForLocalhost: loopback is not checked, unless it has an alias")
  func localhost() async throws {
    let server = try SSHServer(config: ["NoHostAuthenticationForLocalhost yes"])
    for known in ["", "\(server.knownName) \(Self.other)\n"] {
      try server.write(known, "known_hosts")
      try await server.compare(["box", "echo in"])
      #expect(try await server.run(["box", "echo in"]).text == "in\n")
      try await server.compare(["-oHostKeyAlias=other", "box", "echo in"])
      try await server.compare(["-oNoHostAuthenticationForLocalhost=no", "box", "echo in"])
      #expect(try server.read("known_hosts") == known)
    }
  }

  @Test(
    "FingerprintHash: fingerprints are shown and typed by that hash",
    arguments: [Client.openSSH, .jitconnect], ["md5", "sha1", "sha512"])
  func fingerprintHash(_ client: Client, _ hash: String) async throws {
    let server = try SSHServer(
      config: ["StrictHostKeyChecking ask", "FingerprintHash \(hash)", "VisualHostKey yes"])
    try server.write("", "known_hosts")
    let listed = try await server.shell(
      "ssh-keygen -l -E \(hash) -f $SERVER/host_key.pub | cut -d' ' -f2; "
        + "ssh-keygen -lv -E \(hash) -f $SERVER/host_key.pub | tail -n +2")
    let print = try #require(listed.text.split(separator: "\n").first)
    let picture = listed.text.split(separator: "\n").dropFirst().joined(separator: "\n")
    let terminal = try server.terminal(["-v", "box", "echo inside"], as: client)
    try terminal.wait(for: "debug1: Server host key: ssh-ed25519 \(print)\n")
    try terminal.wait(for: "ED25519 key fingerprint is \(print).\n\(picture)\n")
    try terminal.wait(for: "(yes/no/[fingerprint])? ")
    try terminal.type("\(print)\n")
    try terminal.wait(for: "inside")
    #expect(terminal.screen.contains(" \(hash.uppercased()):"))
    #expect(!terminal.screen.contains("SHA256:"))
    #expect(try terminal.end() == .exited(0))
  }

  // MARK: Names

  @Test("an address in another spelling is connected to and kept as ssh spells it")
  func spelling() async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking accept-new"])
    let config = try server.read("config").replacing("Host box", with: "Host *")
      .replacing("  HostName 127.0.0.1\n", with: "")
    try server.write(config, "config")
    for host in ["127.1", "2130706433", "LocalHost"] {
      var kept: [String] = []
      for client in [Client.openSSH, .jitconnect] {
        try server.write("", "known_hosts")
        let run = try await server.run([host, "echo in"], as: client)
        #expect(run.text == "in\n", "\(run.error)")
        kept.append(try server.read("known_hosts"))
      }
      #expect(kept[0] == kept[1])
    }
    // Both are told where nothing listens.
    let errors = try await server.compare(["-p", "1", "0:0:0:0:0:0:0:1", "true"])
    #expect(errors.own.contains("connect to host ::1 port 1: "))
  }

  @Test(
    "CanonicalizeHostname: the canonical name is connected to, and names the key",
    .enabled(if: SSHServer.canHavePasswords, "needs a mount namespace"))
  func canonical() async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking accept-new"])
    let config = try server.read("config").replacing("Host box", with: "Host *")
      .replacing("  HostName 127.0.0.1\n", with: "")
    try server.write("CanonicalizeHostname yes\nCanonicalDomains internal\n" + config, "config")
    // The short name leads nowhere, the canonical one to the server.
    try server.write("127.0.0.9 web\n127.0.0.1 web.internal web.internal.\n", "hosts")
    for program in ["open", "jit"] {
      try server.write("", "known_hosts")
      let run = try await server.shell(
        """
        exec unshare -m --propagation private sh -ec '
          mount --bind "$FOLDER/hosts" /etc/hosts; exec "$FOLDER/bin/\(program)" web echo in'
        """)
      #expect(run.text == "in\n", "\(run.error)")
      #expect(
        try server.read("known_hosts") == "[web.internal]:\(server.port) \(try hostKey(server))\n")
    }
  }

  // MARK: Words

  @Test("-A without a living agent asks for no forwarding, as ssh")
  func deadAgent() async throws {
    let server = try SSHServer()
    let words = [
      "-A", "-oIdentityAgent=SSH_AUTH_SOCK", "box", "echo ${SSH_AUTH_SOCK:+forwarded}.",
    ]
    try await server.compare(words, environment: ["SSH_AUTH_SOCK": server.folder + "/nobody"])
    let other = ["-oForwardAgent=\(server.folder)/nobody"] + words.dropFirst()
    try await server.compare(other, environment: ["SSH_AUTH_SOCK": server.folder + "/nobody"])
    let run = try await server.run(
      words, environment: ["SSH_AUTH_SOCK": server.folder + "/nobody"])
    #expect(run.text == ".\n")
  }

  @Test("-v names the server's software as ssh does, and says which settings have no effect")
  func verbose() async throws {
    let server = try SSHServer()
    let errors = try await server.compare(["-v", "-oUpdateHostKeys=yes", "box", "true"])
    let line = try #require(
      errors.ssh.split(separator: "\n").first { $0.contains("remote software version") })
    #expect(errors.own.contains(line + "\n"))
    #expect(errors.own.contains("updatehostkeys has no effect here"))
  }

  @Test("what is no algorithm is not named as one")
  func pseudoNames() async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-oKexAlgorithms=sntrup761x25519-sha512@openssh.com", "box", "true"])
    #expect(run.error.contains("none of the wanted KexAlgorithms"))
    #expect(!run.error.contains("ext-info-c"))
    #expect(!run.error.contains("kex-strict"))
  }

  @Test("who declines a key is not told to connect from a terminal", arguments: ["no\n", "\u{4}"])
  func declined(_ answer: String) async throws {
    let server = try SSHServer(config: ["StrictHostKeyChecking ask"])
    try server.write("", "known_hosts")
    let terminal = try server.terminal(["box", "true"])
    try terminal.wait(for: "(yes/no/[fingerprint])? ")
    try terminal.type(answer)
    #expect(try terminal.end() == .exited(255))
    #expect(terminal.screen.contains("Host key verification failed"))
    #expect(!terminal.screen.contains("from a terminal"))
  }
}
