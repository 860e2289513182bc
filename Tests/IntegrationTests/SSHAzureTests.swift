import AzureSimulator
import Platform
import Testing

@Suite("What ssh's own settings mean for an Azure VM", .limited)
struct SSHAzureTests {
  /// Names who wanted to log in, by being refused.
  private func whoLogsIn(
    administrator: String?, config: String = "", _ arguments: [String]
  ) async throws -> String {
    let stage = try await Stage.ssh { $0.machines[0].adminUsername = administrator ?? "" }
    try stage.write("home/.ssh/config", config)
    let run = try await stage.run(stage.options() + arguments + ["true"])
    #expect(run.status == 255)
    let name = run.error.split(separator: "\n").compactMap { line -> Substring? in
      guard line.contains("Permission denied") else { return nil }
      return line.split(separator: "@").first?.split(separator: " ").last
    }
    return name.first.map(String.init) ?? run.error
  }

  @Test("user@ and -l come before User in a file, that before the machine's administrator")
  func user() async throws {
    let file = "Host web1\n  User of-the-file\n"
    let asked: [(arguments: [String], config: String, expected: String)] = [
      (["of-the-target@web1"], file, "of-the-target"), (["-l", "of-l", "web1"], file, "of-l"),
      (["-l", "of-l", "of-the-target@web1"], file, "of-l"),
      (["of-the-target@web1", "-l", "of-l"], file, "of-the-target"),
      (["-o", "User=of-o", "web1"], file, "of-o"), (["web1"], file, "of-the-file"),
      (["web1"], "", "of-the-machine"),
    ]
    for (arguments, config, expected) in asked {
      let name = try await whoLogsIn(
        administrator: "of-the-machine", config: config, arguments)
      #expect(name == expected, "\(arguments)")
    }
  }

  @Test("HostName in a file is only the address; the VM is the name that was typed")
  func hostName() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    // Nobody listens there: the gate stands on another address of loopback.
    try stage.write("home/.ssh/config", "Host web1\n  HostName 127.0.0.1\n")
    let run = try await stage.run([
      "-p", String(stage.port()), "-i", server.key, "-oStrictHostKeyChecking=accept-new",
      "--wait", "1", "web1", "echo hello",
    ])
    #expect(stage.requests.count == 1)
    #expect(run.code == "window-timeout", "\(run.error)")
    #expect(run.error.contains("127.0.0.1"))
  }

  @Test("UserKnownHostsFile and HostKeyAlias of the user are where and how the key is kept")
  func knownHosts() async throws {
    let stage = try await Stage.ssh()
    let file = "\(stage.folder)/work/mine"
    let run = try await stage.connect("web1", ["-oUserKnownHostsFile=\(file)"])
    #expect(run.text == "hello\n")
    #expect(stage.read("work/mine")?.hasPrefix("azure.") == true)
    #expect(stage.read("state/jitconnect/known_hosts") == nil)
    let named = try await stage.connect("web1", ["-oHostKeyAlias=machine"])
    #expect(named.text == "hello\n", "\(named.error)")
    #expect(stage.read("state/jitconnect/known_hosts")?.hasPrefix("machine ") == true)
  }

  @Test("a key revoked in ~/.ssh/known_hosts is refused for a VM too")
  func revoked() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let key = String(decoding: try Files.read(server.folder + "/host_key.pub"), as: UTF8.self)
    try stage.write("home/.ssh/known_hosts", "@revoked * \(key)")
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "host-key-revoked", "\(run.error)")
  }

  @Test("a question about a VM's key names the VM, on the terminal")
  func question() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let terminal = try stage.terminal([
      "-p", String(stage.port()), "-i", server.key, "web1", "echo hello",
    ])
    try await terminal.wait(for: "The authenticity of host 'azure.")
    try await terminal.wait(for: "(yes/no/[fingerprint])? ")
    try terminal.type("yes\n")
    try await terminal.wait(for: "hello\n")
    #expect(try await terminal.end() == .exited(0))
  }

  @Test("scp, rsync and git reach a VM through the whole flow")
  func clients() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    try stage.write(
      "home/.ssh/config",
      "Host web1\n  Port \(stage.port())\n  IdentityFile \(server.key)\n"
        + "  StrictHostKeyChecking accept-new\n")
    try stage.write("work/file", "some bytes\n")
    let work = stage.folder + "/work"
    let script = """
      scp -q -S \(Binary.path) file web1:\(work)/there
      cmp file there
      tar cf - file | \(Binary.path) web1 "mkdir \(work)/far; tar xf - -C \(work)/far"
      cmp file far/file
      """
    let run = try await Running(
      ["-ec", script], of: "/bin/sh", environment: stage.environment, directory: work
    ).finish()
    #expect(run.status == 0, "\(run.text)\(run.error)")
    // The second one used the first one's window.
    #expect(stage.requests.count == 1)
  }
}
