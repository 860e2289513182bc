import Platform
import Testing

@Suite("Started under the name ssh, and asked what ssh is asked", .limited)
struct SSHNameTests {
  @Test("usage and refusals of a command line are ssh's own text, with status 255")
  func usage() async throws {
    let server = try SSHServer()
    let lines: [[String]] = [
      [], ["-z", "box"], ["-p"], ["-1", "box"], ["-p", "x", "box"], ["-o", "Port=x", "box"],
      ["-oNoSuchKeyword=1", "box"], ["-F", "/nonexistent/config", "box"], ["--", "-box"],
      ["-box"], ["a b"], ["a;b"], ["-l", "-x", "box"], ["-l", "a;b", "box"], ["-Q", "nothing"],
      ["-c", "rot13", "box"], ["-m", "crc32", "box"], ["-e", "ab", "box"], ["-N", "-s", "box"],
      ["-J", "a", "-J", "b", "box"], ["-W", "x", "box"], ["-L", "x", "box"], ["-O", "x", "box"],
      ["-oStrictHostKeyChecking=perhaps", "box"], ["-oConnectTimeout=-5", "box"],
    ]
    for arguments in lines {
      let ssh = try await bare(server, SSHServer.openSSH, arguments)
      let own = try await bare(server, server.program(.namedSSH), arguments)
      #expect(own.ending == ssh.ending, "\(arguments)")
      #expect(own.output == ssh.output, "\(arguments)")
      #expect(
        own.error == ssh.error.filter { $0 != "\r" }.replacing("\r\n", with: "\n"), "\(arguments)")
    }
  }

  @Test("hosts that cannot be found or reached are told once, in ssh's words")
  func unreachable() async throws {
    let server = try SSHServer()
    for arguments in [["-p", "1", "box", "true"], ["nowhere.invalid", "true"]] {
      let errors = try await server.compare(arguments)
      let words = errors.ssh.dropFirst("ssh: ".count).split(separator: "\n").first ?? "?"
      #expect(errors.own.contains(words))
      #expect(errors.own.split(separator: "\n").count == 1)
    }
  }

  @Test("a verb is a host", arguments: ["list", "login", "request", "rdp", "ssh"])
  func noVerbs(_ word: String) async throws {
    let server = try SSHServer()
    let config = try server.read("config")
    try server.write(config.replacing("Host box", with: "Host \(word)"), "config")
    let run = try await server.run([word, "echo there"], as: .namedSSH)
    #expect(run.text == "there\n")
    let bare = try await bare(
      server, server.program(.namedSSH), [word, "-F", "\(server.folder)/config", "echo there"])
    #expect(bare.text == "there\n")
  }

  @Test("the verb ssh, and --, reach a host that is named like a verb")
  func likeVerbs() async throws {
    let server = try SSHServer()
    let config = try server.read("config")
    try server.write(config.replacing("Host box", with: "Host list"), "config")
    let file = ["-F", "\(server.folder)/config"]
    for words in [["ssh"] + file + ["list"], file + ["--", "list"], file + ["list"]] {
      let run = try await bare(server, Binary.path, words + ["echo there"])
      #expect(run.text == "there\n", "\(words): \(run.error)")
    }
  }

  @Test("-V names a version that programs recognise, on stderr")
  func version() async throws {
    let server = try SSHServer()
    let run = try await bare(server, Binary.path, ["-V"])
    #expect(run.status == 0)
    #expect(run.text == "")
    #expect(run.error.hasPrefix("OpenSSH_"))
  }

  @Test("-G resolves without a connection or a key, as ssh does")
  func configuration() async throws {
    let server = try SSHServer()
    let ssh = try await server.run(["-G", "-p", "2200", "someone@box"], as: .openSSH)
    let own = try await server.run(["-G", "-p", "2200", "someone@box"])
    #expect(own.status == 0)
    let known = Dictionary(own.text.split(separator: "\n").map(pair)) { first, _ in first }
    let wanted = ["user", "hostname", "port", "host", "userknownhostsfile", "identityagent"]
    for (key, value) in ssh.text.split(separator: "\n").map(pair) where wanted.contains(key) {
      #expect(known[key] == value, "\(key)")
    }
    #expect(!server.server.log.contains("Accepted"))
  }

  @Test(
    "-Q answers with names that ssh knows too",
    arguments: ["cipher", "cipher-auth", "mac", "kex", "key", "key-cert", "key-plain", "key-sig"])
  func query(_ query: String) async throws {
    let server = try SSHServer()
    let ssh = try await bare(server, SSHServer.openSSH, ["-Q", query])
    let own = try await bare(server, Binary.path, ["-Q", query])
    #expect(own.status == 0)
    let names = own.text.split(separator: "\n")
    #expect(!names.isEmpty)
    #expect(Set(names).isSubset(of: ssh.text.split(separator: "\n")), "\(own.text)")
  }

  /// Without a configuration file in front.
  private func bare(
    _ server: SSHServer, _ program: String, _ arguments: [String]
  ) async throws -> Run {
    try await Running(
      arguments, of: program, environment: server.environment, directory: server.folder + "/work"
    ).finish()
  }

  private func pair(_ line: Substring) -> (String, String) {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    return (parts.first ?? "", parts.count > 1 ? parts[1] : "")
  }
}
