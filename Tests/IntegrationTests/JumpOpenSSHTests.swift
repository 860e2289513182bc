import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// OpenSSH's own client behind a window of ours: `--stdio` and `--client openssh`.
@Suite(.limited) struct JumpOpenSSHTests {
  @Test("--stdio is a ProxyCommand for OpenSSH")
  func stdio() async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .milliseconds(300) }
    let server = try #require(stage.server)
    let payload = [UInt8](repeating: 0x5A, count: 3 << 20) + Array("end".utf8)
    let running = try Running(
      [
        "-F", "none", "-i", server.key, "-p", String(stage.port()), "-o", "BatchMode=yes", "-o",
        "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        "-o", "ProxyCommand=\(Binary.path) --stdio %h %p", "web1", "cat; exit 9",
      ], of: SSHServer.openSSH, environment: stage.environment, directory: stage.folder + "/work")
    try await Blocking.run { try running.send(payload) }
    let run = try await running.finish()
    #expect(run.status == 9, "\(run.error)")
    #expect(run.output == payload)
    #expect(run.error == "")
    #expect(stage.requests.count == 1)
  }

  @Test("--stdio that fails writes nothing to standard output")
  func stdioFails() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.run(["--stdio", "nobody", "22"])
    #expect(run.status == 255)
    #expect(run.code == "vm-not-found")
    #expect(run.output.isEmpty)
  }

  @Test(
    "--client openssh refuses a key that any of the user's files calls revoked, and heeds no more",
    arguments: [false, true])
  func revoked(isRevoked: Bool) async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let key = String(decoding: try Files.read(server.folder + "/host_key.pub"), as: UTF8.self)
    let home = stage.folder + "/home/.ssh"
    try Files.makeDirectory(home)
    let other =
      "web1,127.0.0.1 ssh-ed25519 "
      + "AAAAC3NzaC1lZDI1NTE5AAAAIBqdTvOlKpFRXDdxVK2tjkFOpwFXxrFvLcUOQ5pGgF3Z\n"
    let text = isRevoked ? "\(other)@revoked * \(key)" : other
    // One of the two files that count unasked, and the later one.
    try Files.replace(home + "/known_hosts2", with: text.utf8, mode: 0o600)
    for client in ["openssh", "libssh2"] {
      let running = try Running(
        ["--client", client, "-F", "none"] + stage.options() + ["web1", "echo in"],
        of: Binary.path, environment: stage.environment, directory: stage.folder + "/work")
      let run = try await running.finish()
      #expect(run.status == (isRevoked ? 255 : 0), "\(run.error)")
      #expect(run.error.contains("REVOKED HOST KEY DETECTED") == isRevoked, "\(run.error)")
    }
    #expect(try Files.read(home + "/known_hosts2") == Array(text.utf8))
  }

  @Test("--client openssh opens the window and becomes ssh", arguments: [false, true])
  func openSSH(isNamedSSH: Bool) async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .milliseconds(300) }
    try Files.makeDirectory(stage.folder + "/bin")
    _ = unsafe symlink(Binary.path, stage.folder + "/bin/ssh")
    var variables = stage.environment
    // We come first on PATH, and must not start ourselves.
    variables["PATH"] = "\(stage.folder)/bin:/usr/bin:/bin"
    let running = try Running(
      ["--client", "openssh", "-F", "none", "-o", "JitReason=because", "-o", "LogLevel=ERROR"]
        + stage.options() + ["web1", "echo hello; exit 5"],
      of: isNamedSSH ? stage.folder + "/bin/ssh" : Binary.path, environment: variables,
      directory: stage.folder + "/work")
    let run = try await running.finish()
    #expect(run.status == 5, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(run.error == "")
    #expect(stage.requests.first?["justification"] == "because")
    // The key is pinned where our own sessions pin it.
    #expect(stage.read("state/jitconnect/known_hosts")?.hasPrefix("azure.") == true)
    let own = try await stage.connect("web1", ["-o", "StrictHostKeyChecking=yes"])
    #expect(own.text == "hello\n", "\(own.error)")
  }

  @Test("OpenSSH gets the user's own words and bytes, and none of our options")
  func openSSHWords() async throws {
    let stage = try await Stage.ssh { $0.machines[0].adminUsername = "admin1" }
    try stage.write(
      "bin/ssh", "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\nkill -TERM $$\n")
    #expect(unsafe chmod(stage.folder + "/bin/ssh", 0o700) == 0)
    let port = String(stage.port())
    let variables = ["PATH": "\(stage.folder)/bin:/usr/bin:/bin"]
    let run = try await stage.run(
      [
        "--for=10m", "-vp", port, "--client", "openssh", "-voJitReason=x", "-o", "jitwait 20",
        "-A", "rg-demo/web1", "-N", "--yes", "-oPort=9", "printf", "--for", "-oJitX=1", "a b",
      ], environment: variables)
    #expect(run.ending == .signalled(SIGTERM))
    let words = run.text.split(separator: "\n").map(String.init)
    let address = try #require(words.first { $0.hasPrefix("HostName=") })
    let alias = try #require(words.first { $0.hasPrefix("HostKeyAlias=azure.") })
    let files =
      ["state/jitconnect/known_hosts", "home/.ssh/known_hosts", "home/.ssh/known_hosts2"]
      .map { "\"\(stage.folder)/\($0)\"" }.joined(separator: " ")
    #expect(
      words == [
        "-o", address, "-o", "Port=\(port)", "-o", alias, "-o",
        "UserKnownHostsFile=\(files)", "-l", "admin1",
        "-vp", port, "-v", "-A", "rg-demo/web1", "-N", "-oPort=9", "printf", "--for", "-oJitX=1",
        "a b",
      ])
    let plain = try await stage.run(
      ["--no-jit", "--client=openssh", "-p", "7", "u@box", "cmd"], environment: variables)
    #expect(plain.text == "-p\n7\nu@box\ncmd\n", "\(plain.error)")
  }
}
