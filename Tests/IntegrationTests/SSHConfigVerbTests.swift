import AzureSimulator
import Platform
import Testing

/// `ssh-config`: the real ssh goes through the blocks that it prints.
@Suite(.limited) struct SSHConfigVerbTests {
  @Test("plain ssh opens the window and connects, and its host key is the pin that we use")
  func plainSSH() async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.run(["ssh-config", "web1"])
    #expect(run.status == 0, "\(run.error)")
    try stage.write("home/.ssh/config", run.text)
    let server = try #require(stage.server)
    let ssh = try await Running(
      [
        "-F", "\(stage.folder)/home/.ssh/config", "-p", String(stage.port()), "-i", server.key,
        "-o", "StrictHostKeyChecking=accept-new", "-o", "HashKnownHosts=no", "web1.jit",
        "echo through",
      ], of: "/usr/bin/ssh", environment: stage.environment, directory: stage.folder + "/work"
    ).finish()
    #expect(ssh.status == 0, "\(ssh.error)")
    #expect(ssh.text == "through\n")
    #expect(stage.requests.count == 1)
    // The key that ssh has kept is the one that we ask for.
    let own = try await stage.run(
      [
        "-p", String(stage.port()), "-i", server.key, "-o", "StrictHostKeyChecking=yes", "web1",
        "echo own",
      ])
    #expect(own.text == "own\n", "\(own.error)")
  }

  @Test("without a name there is a block for every machine, each under a name of its own")
  func fleet() async throws {
    let stage = try await Stage.greeting {
      var twin = Stage.web("WEB1")
      twin.resourceGroup = "rg-other"
      $0.machines += [twin, Stage.web("db")]
    }
    let run = try await stage.run(["ssh-config", "--suffix", ".vm"])
    #expect(run.status == 0, "\(run.error)")
    let hosts = run.text.split(separator: "\n").filter { $0.hasPrefix("Host ") }
    #expect(Set(hosts) == ["Host db.vm", "Host web1.rg-demo.vm", "Host web1.rg-other.vm"])
    let missing = try await stage.run(["ssh-config", "nothing"])
    #expect(missing.status == 3)
    #expect(missing.text == "")
    #expect(try await stage.run(["ssh-config", "--suffix", " x\nHost *"]).status == 64)
  }

  @Test("nothing that Azure says of a machine adds a line, a pattern or a second word")
  func hostile() async throws {
    let stage = try await Stage.greeting {
      $0.machines[0].vmID = "x\nProxyCommand touch owned"
      $0.machines[0].adminUsername = "ada -oProxyCommand=x"
      $0.machines.append(Stage.web("*"))
    }
    let run = try await stage.run(["ssh-config", "--suffix", ".vm"])
    #expect(run.status == 0, "\(run.error)")
    let lines = run.text.split(separator: "\n").filter { !$0.contains(" --stdio ") }
    #expect(Set(lines.filter { $0.hasPrefix("Host ") }) == ["Host web1.vm", "Host _.vm"])
    #expect(!lines.contains { $0.contains("ProxyCommand") || $0.contains("ada") }, "\(run.text)")
  }
}
