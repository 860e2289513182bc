import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A bare `jitconnect winvm`: the .rdp file.
@Suite(.limited) struct FlowDesktopTests {
  private func stage(port: Int = 3389) throws -> Stage { try Stage.desktop(port: port) }

  private func settings(_ bytes: [UInt8]) -> [String] { Stage.settings(bytes) }

  @Test("in a pipe the file goes to stdout, and nothing else")
  func pipe() async throws {
    let stage = try stage()
    let run = try await stage.run(["winvm"])
    #expect(run.status == 0, "\(run.error)")
    let lines = settings(run.output)
    let address = try #require(stage.simulator.gateAddress(of: "winvm"))
    #expect(lines.contains { $0.hasPrefix("full address:s:\(address)") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("username:s:") && $0.contains("ada") }, "\(lines)")
    #expect(run.error.isEmpty)
    #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/") })
    let ports = stage.requests.first?["virtualMachines"]?.elements?.first?["ports"]?.elements
    #expect(ports?.first?["number"] == 3389)
  }

  @Test("named by its resource id it is a Windows VM too, the first time as later")
  func byID() async throws {
    let stage = try stage()
    var windows = SimulatedMachine("winvm")
    windows.system = .windows
    for _ in 0..<2 {
      let run = try await stage.run([windows.id])
      #expect(run.status == 0, "\(run.error)")
      #expect(settings(run.output).contains { $0.hasPrefix("full address:s:") })
    }
  }

  @Test("on a terminal winvm.rdp is in the current folder, 0600, and how to open it is said")
  func terminal() async throws {
    let stage = try stage()
    for _ in 0..<2 {
      let terminal = try stage.terminal(["winvm"])
      try await terminal.wait(for: "wrote winvm.rdp")
      try await terminal.wait(for: "open it with: ")
      #expect(try await terminal.end() == .exited(0))
    }
    let bytes = try Files.read(stage.folder + "/work/winvm.rdp")
    #expect(settings(bytes).contains { $0.hasPrefix("full address:s:") })
    #expect(Files.kind(of: stage.folder + "/work/winvm.rdp")?.mode == 0o600)
  }

  @Test(
    "a file of that name that is not ours is left alone", arguments: ["text", "folder", "link"])
  func foreignFile(kind: String) async throws {
    let stage = try stage()
    let path = stage.folder + "/work/winvm.rdp"
    switch kind {
    case "folder": try Files.makeDirectory(path)
    case "link":
      try stage.write("work/precious", "full address:s:mine\n")
      #expect(unsafe symlink("precious", path) == 0)
    default: try stage.write("work/winvm.rdp", "my notes\n")
    }
    let terminal = try stage.terminal(["winvm"])
    try await terminal.wait(for: "error[file-unwritable]")
    #expect(try await terminal.end() == .exited(1))
    if kind == "text" { #expect(stage.read("work/winvm.rdp") == "my notes\n") }
    if kind == "link" { #expect(stage.read("work/precious") == "full address:s:mine\n") }
  }

  @Test(
    "a remote command, -N, -t or the verb ssh is SSH on its port",
    arguments: [
      ["winvm", "whoami"], ["-N", "winvm"], ["-t", "winvm"], ["ssh", "winvm"],
    ])
  func ssh(arguments: [String]) async throws {
    let stage = try stage()
    let run = try await stage.run(arguments)
    #expect(run.status == 255)
    #expect(run.code == "policy-forbids-port", "\(run.error)")
    #expect(run.error.contains("does not allow port 22"))
    #expect(run.output.isEmpty)
  }

  @Test(
    "a Windows VM with an SSH server is a host like any other to the verb ssh and to a command",
    .enabled(if: LoopbackServer.program != nil, "needs package openssh-server"))
  func openSSH() async throws {
    let stage = try await Stage.ssh { $0.machines[0].system = .windows }
    for verb in [["ssh"], []] {
      let run = try await stage.run(verb + stage.options() + ["web1", "echo windows"])
      #expect(run.status == 0, "\(run.error)")
      #expect(run.text == "windows\n")
    }
  }

  @Test("-p and -l are the port and the user of the file")
  func options() async throws {
    let free = Int(try Simulator.freePort())
    let stage = try stage(port: free)
    let run = try await stage.run(["-p", String(free), "-l", "CORP\\grace", "winvm"])
    #expect(run.status == 0, "\(run.error)")
    let lines = settings(run.output)
    #expect(lines.contains { $0.hasPrefix("full address:s:") && $0.hasSuffix(":\(free)") })
    #expect(lines.contains { $0.hasPrefix("username:s:") && $0.hasSuffix("grace") }, "\(lines)")
  }

  @Test("something else on the port is told, not written about")
  func noDesktop() async throws {
    let stage = try Stage.desktop(backend: .banner("SSH-2.0-surprise\r\n"))
    let run = try await stage.run(["--wait", "3s", "winvm"])
    #expect(run.status == 1)
    #expect(run.code == "protocol-failed")
    #expect(run.output.isEmpty)
  }
}
