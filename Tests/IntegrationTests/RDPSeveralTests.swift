import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// `jitconnect rdp vm1 vm2`: each with its own window, file and client.
@Suite(.limited) struct RDPSeveralTests {
  private func stage(_ names: [String]) throws -> Stage {
    try Stage(
      Stage.configuration(
        machines: names.map { Stage.windows($0) },
        policies: [
          SimulatedPolicy(
            "default", entries: names.map { SimulatedPolicy.Entry($0, ports: [.init(3389)]) })
        ]))
  }

  @Test("each gets its window and its file")
  func files() async throws {
    let stage = try stage(["win1", "win2"])
    let run = try await stage.run(["rdp", "--json", "win1", "grace@win2"])
    #expect(run.status == 0, "\(run.error)")
    let desktops = try JSON(parsing: run.output)["desktops"]?.elements ?? []
    #expect(desktops.map { $0["name"]?.text } == ["win1", "win2"])
    for (name, user) in [("win1", "ada"), ("win2", "grace")] {
      let lines = Stage.settings(try Files.read("\(stage.folder)/work/\(name).rdp"))
      let address = try #require(stage.simulator.gateAddress(of: name))
      #expect(lines.first == "full address:s:\(address):3389")
      #expect(lines.contains("username:s:\(user)"))
    }
    #expect(stage.requests.count == 2)
  }

  @Test("one machine by two names is opened once, and the second name is told")
  func twice() async throws {
    let stage = try stage(["win1"])
    let group = SimulatedMachine("win1").resourceGroup
    let run = try await stage.run(["rdp", "--output", "all/", "win1", "\(group)/win1"])
    #expect(run.code == "usage", "\(run.error)")
    #expect(run.error.contains("win1 is named twice"))
    #expect(stage.requests.count == 1)
    #expect(stage.writtenFiles.contains("work/all/win1.rdp"))
  }

  @Test("what to type next for one of several machines of a name keeps the verb and its options")
  func ambiguous() async throws {
    var other = Stage.windows("win1")
    other.resourceGroup = "other"
    let stage = try Stage(Stage.configuration(machines: [Stage.windows("win1"), other]))
    let run = try await stage.run(
      ["rdp", "--for", "1h", "--no-clipboard", "--drives", "-o", "JitWait=5m", "grace@win1"])
    #expect(run.code == "vm-ambiguous", "\(run.error)")
    let group = SimulatedMachine("win1").resourceGroup
    let words = "rdp -o JitWait=5m --for 1h --no-clipboard --drives"
    #expect(
      run.error.contains("next: jitconnect \(words) grace@\(group)/win1\n")
        || run.error.contains("next: jitconnect \(words) grace@other/win1\n"), "\(run.error)")
  }

  @Test("one that fails is told, and does not keep the others from theirs")
  func partly() async throws {
    let stage = try stage(["win1", "win2"])
    let run = try await stage.run(["rdp", "win1", "nobody", "win2"])
    #expect(run.status == 3)
    #expect(run.code == "vm-not-found", "\(run.error)")
    #expect(stage.writtenFiles.contains("work/win1.rdp"))
    #expect(stage.writtenFiles.contains("work/win2.rdp"))
  }

  @Test("the clients run side by side, and the first status that is not 0 counts")
  func clients() async throws {
    let stage = try stage(["win1", "win2"])
    // Each waits for the other: one after the other they would never end.
    let environment = try stage.provide(
      "xfreerdp",
      """
      case "$1" in *win1.rdp) own=1 other=2 ;; *) own=2 other=1 ;; esac
      : > "$STAGE/client$own"
      while [ ! -e "$STAGE/client$other" ]; do sleep 0.02; done
      exit $((own * 3))
      """)
    let run = try await stage.run(["rdp", "--open", "win1", "win2"], environment: environment)
    #expect(run.status == 3, "\(run.error)")
    #expect(stage.leftOver.isEmpty)
  }

  @Test("several files need a folder, and --via-ssh goes to one machine")
  func refused() async throws {
    let stage = try stage(["win1", "win2"])
    for (words, code) in [
      (["--output", "-"], "usage"), (["--output", "one.rdp"], "usage"), (["--via-ssh"], "usage"),
    ] {
      let run = try await stage.run(["rdp"] + words + ["win1", "win2"])
      #expect(run.code == code, "\(run.error)")
      #expect(run.status == 64)
      #expect(run.output.isEmpty)
    }
    let run = try await stage.run(["rdp", "--output", "all/", "win1", "win2"])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.writtenFiles.filter { $0.hasPrefix("work/all/") }.count == 2)
  }

  @Test("Ctrl-C at one question ends them all")
  func interrupted() async throws {
    let names = ["win1", "win2", "win3"]
    let certificate = DesktopCertificate("WINVM")
    let backend = SimulatedMachine.Gate.Backend.remoteDesktop(
      RemoteDesktopResponder(certificate: certificate))
    let stage = try Stage(
      Stage.configuration(
        machines: names.map { Stage.windows($0, backend: backend) },
        policies: [
          SimulatedPolicy(
            "default", entries: names.map { SimulatedPolicy.Entry($0, ports: [.init(3389)]) })
        ]))
    #expect(try await stage.run(["rdp", "--output", "old/"] + names).status == 0)
    certificate.renew()
    let terminal = try stage.terminal(["rdp", "--output", "new/"] + names, columns: 200)
    try await terminal.wait(for: "Accept the new one? [y/N] ")
    try terminal.type("\u{3}")
    #expect(try await terminal.end() == .exited(130))
    #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/new/") })
  }

  @Test("two machines of one name do not share a file, and the second's port stays closed")
  func sameName() async throws {
    var other = Stage.windows("WIN1")
    other.resourceGroup = "other"
    let own = SimulatedPolicy("default", entries: [.init("win1", ports: [.init(3389)])])
    var others = SimulatedPolicy("default", entries: [.init("WIN1", ports: [.init(3389)])])
    others.resourceGroup = "other"
    let stage = try Stage(
      Stage.configuration(machines: [Stage.windows("win1"), other], policies: [own, others]))
    let group = SimulatedMachine("win1").resourceGroup
    let run = try await stage.run(["rdp", "\(group)/win1", "other/WIN1"])
    #expect(run.code == "file-unwritable", "\(run.error)")
    #expect(stage.requests.count == 1)
  }
}
