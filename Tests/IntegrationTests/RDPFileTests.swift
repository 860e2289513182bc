import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The file that `jitconnect rdp` gives: its lines, where it goes, and what it may replace.
@Suite(.limited) struct RDPFileTests {
  @Test(
    "each combination of settings gives the same file, by option as by configuration",
    arguments: [
      ("default", [], []),
      (
        "window", ["--size", "1600x900", "--clipboard"],
        ["JitRdpSize 1600x900", "JitRdpClipboard yes"]
      ),
      (
        "shared",
        ["--clipboard", "--drives", "--microphone", "--multimon", "--audio", "there", "--admin"],
        [
          "JitRdpClipboard yes", "JitRdpDrives *", "JitRdpMicrophone yes", "JitRdpMultimon yes",
          "JitRdpAudio there", "JitRdpAdmin yes",
        ]
      ),
      (
        "gateway", ["--gateway", "gw.example.com", "-l", #"CONTOSO\grace"#, "--audio=none"],
        ["JitRdpGateway gw.example.com", #"User CONTOSO\grace"#, "JitRdpAudio none"]
      ),
      (
        "settings",
        [
          "-o", "JitRdpSetting smart sizing:i:1", "-o", "JitRdpSetting=Redirectprinters:i:1",
          "-o", "JitRdpSetting smart sizing:i:0", #"--drives=C:\;E:\;"#,
        ],
        [
          "JitRdpSetting smart sizing:i:1", "JitRdpSetting redirectprinters:i:1",
          "JitRdpSetting smart sizing:i:0", #"JitRdpDrives C:\;E:\;"#,
        ]
      ),
    ] as [(String, [String], [String])])
  func golden(name: String, options: [String], config: [String]) async throws {
    let stage = try Stage.desktop()
    let run = try await stage.run(["rdp"] + options + ["winvm"])
    #expect(run.status == 0, "\(run.error)")
    let address = try #require(stage.simulator.gateAddress(of: "winvm"))
    let text = run.text.replacing(address, with: "ADDRESS").replacing("\r\n", with: "\n")
    try Golden.compare(text, with: "rdp-\(name).txt")
    // Every line ends as Windows ends them, and nothing else does.
    #expect(run.text.utf8.count { $0 == 0x0D } == run.text.utf8.count { $0 == 0x0A })
    #expect(run.text.utf8.allSatisfy { $0 < 0x80 })

    try stage.write("config/jitconnect/config", (config + [""]).joined(separator: "\n"))
    let configured = try await stage.run(["winvm"])
    #expect(configured.status == 0, "\(configured.error)")
    #expect(configured.output == run.output)
  }

  @Test("a variable is a setting too, and the command line wins")
  func variables() async throws {
    let stage = try Stage.desktop()
    let run = try await stage.run(
      ["rdp", "--no-clipboard", "winvm"],
      environment: ["JITCONNECT_RDP_CLIPBOARD": "yes", "JITCONNECT_RDP_SIZE": "800x600"])
    let lines = Stage.settings(run.output)
    #expect(lines.contains("redirectclipboard:i:0") && lines.contains("desktopwidth:i:800"))
  }

  @Test(
    "a setting that could leave its line, move the host or hold a secret ends the run at once",
    arguments: [
      (["-o", "JitRdpSetting full address:s:evil"], "setting-invalid"),
      (["-o", "JitRdpSetting password:s:hunter2"], "setting-invalid"),
      (["-o", "JitRdpSetting nonsense:i:1"], "setting-invalid"),
      (["-l", "a:b"], "setting-invalid"),
      (["--gateway", "gw/v:evil"], "setting-invalid"),
      (["--size", "99999x1"], "config-invalid"),
      (["--audio", "loud"], "config-invalid"),
      (["--via-ssh=x"], "config-invalid"),
      (["--output", "-", "--open"], "usage"),
      (["--output", "-", "--json"], "usage"),
    ])
  func refused(options: [String], code: String) async throws {
    let stage = try Stage.desktop()
    let run = try await stage.run(["rdp"] + options + ["winvm"])
    #expect(run.status == 64, "\(run.error)")
    #expect(run.code == code || run.error.contains("\"code\":\"\(code)\""), "\(run.error)")
    #expect(run.output.isEmpty)
    #expect(!run.error.contains("hunter2"))
    #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/") })
    #expect(stage.requests.isEmpty, "nothing is opened for a file that cannot be made")
  }

  // MARK: Where it goes

  @Test("--output names the file or its folder; the file is UTF-16 with its mark, and 0600")
  func output() async throws {
    let stage = try Stage.desktop()
    for (output, path) in [
      ("desk.rdp", "work/desk.rdp"), ("new/", "work/new/winvm.rdp"), (".", "work/winvm.rdp"),
      (stage.folder + "/home/x", "home/x"), ("~/y.rdp", "home/y.rdp"),
    ] {
      let run = try await stage.run(["rdp", "--output", output, "winvm"])
      #expect(run.status == 0, "\(run.error)")
      #expect(run.output.isEmpty && run.error.isEmpty)
      let bytes = try Files.read("\(stage.folder)/\(path)")
      #expect(bytes.prefix(4) == [0xFF, 0xFE, 0x66, 0])
      #expect(Stage.settings(bytes).first?.hasPrefix("full address:s:") == true)
      #expect(Files.kind(of: "\(stage.folder)/\(path)")?.mode == 0o600)
    }
  }

  @Test("a file of ours is replaced; any other one only with --force, and a folder never")
  func replacing() async throws {
    let stage = try Stage.desktop()
    let path = stage.folder + "/work/a.rdp"
    let ours = try await stage.run(["rdp", "--output", "a.rdp", "winvm"])
    #expect(ours.status == 0)
    let foreign = [
      "full address:s:1.2.3.4:3389\nusername:s:me\n", "full address:s:a:1\r\nwinposstr:i:0\r\n",
      "full address:s:a:1\r\npassword 51:b:01\r\n", "notes", "",
    ]
    for text in foreign {
      try stage.write("work/b.rdp", text)
      let refused = try await stage.run(["rdp", "--output", "b.rdp", "winvm"])
      #expect(refused.status == 1)
      #expect(refused.code == "file-unwritable", "\(refused.error)")
      #expect(refused.error.contains("--force"))
      #expect(stage.read("work/b.rdp") == text)
    }
    let forced = try await stage.run(["rdp", "--force", "--output", "b.rdp", "winvm"])
    #expect(forced.status == 0, "\(forced.error)")
    #expect(try Files.read(stage.folder + "/work/b.rdp") == Files.read(path))
    let again = try await stage.run(["rdp", "--clipboard", "--output", "b.rdp", "winvm"])
    #expect(again.status == 0)
    #expect(
      Stage.settings(try Files.read(stage.folder + "/work/b.rdp"))
        .contains("redirectclipboard:i:1"))

    // A link is replaced, what it leads to is not.
    let original = try Files.read(path)
    #expect(unsafe symlink("a.rdp", stage.folder + "/work/link.rdp") == 0)
    let link = try await stage.run(["rdp", "--output", "link.rdp", "winvm"])
    #expect(link.code == "file-unwritable")
    let forcedLink = try await stage.run(
      ["rdp", "--force", "--clipboard", "--output", "link.rdp", "winvm"])
    #expect(forcedLink.status == 0)
    #expect(try Files.read(path) == original)
    #expect(Files.kind(of: stage.folder + "/work/link.rdp")?.isRegular == true)

    try Files.makeDirectory(stage.folder + "/work/winvm.rdp")
    let folder = try await stage.run(["rdp", "--force", "--output", "./", "winvm"])
    #expect(folder.code == "file-unwritable")
    #expect(Files.kind(of: stage.folder + "/work/winvm.rdp")?.isDirectory == true)
  }

  // MARK: Where it leads

  @Test("the port is the command line's, else 3389, else the one that the policy can only mean")
  func port() async throws {
    func lines(_ rules: [Int], _ options: [String] = []) async throws -> [String] {
      let stage = try Stage.desktop(port: 3390) { configuration in
        configuration.policies[0].entries[0].ports = rules.map { .init($0) }
      }
      try stage.write("config/jitconnect/config", "Port 2222\n")
      let run = try await stage.run(["rdp"] + options + ["winvm"])
      #expect(run.status == 0 || run.code == "policy-forbids-port", "\(run.error)")
      return run.status == 0 ? Stage.settings(run.output) : []
    }
    #expect(try await lines([22, 3390]).first?.hasSuffix(":3390") == true)
    #expect(try await lines([3390, 8080]).isEmpty)
    #expect(try await lines([3390, 8080], ["-p", "3390"]).first?.hasSuffix(":3390") == true)
  }

  @Test(
    "Entra ID signs in by a name that leads to the VM; else the line for the hosts file is told")
  func entra() async throws {
    var windows = Stage.windows(port: 0)
    windows.publicAddress = .fixed("127.0.0.1")
    let stage = try Stage(
      Stage.configuration(
        machines: [windows], policies: [SimulatedPolicy(machine: "winvm", ports: .init(0))]))
    let port = String(stage.port("winvm"))
    let unknown = try await stage.run(["rdp", "--entra", "-p", port, "winvm"])
    #expect(unknown.status == 64)
    #expect(unknown.code == "setting-invalid", "\(unknown.error)")
    #expect(unknown.error.contains("127.0.0.1 winvm"))
    let named = try await stage.run(
      ["rdp", "--entra", "-l", "ann@contoso.com", "-p", port, "-o", "HostName=localhost", "winvm"])
    #expect(named.status == 0, "\(named.error)")
    let lines = Stage.settings(named.output)
    #expect(lines.first == "full address:s:localhost:\(port)")
    #expect(lines.contains("enablerdsaadauth:i:1"))
    #expect(lines.contains("username:s:ann@contoso.com"))
  }

  @Test("with --no-jit Azure is not asked, and the host stands in the file as it was typed")
  func plain() async throws {
    let stage = try Stage.desktop { configuration in
      configuration.machines[0].rules = [
        SecurityRule("RDP", priority: 300, allows: true, ports: ["3389"])
      ]
    }
    let address = try #require(stage.simulator.gateAddress(of: "winvm"))
    let run = try await stage.run(["rdp", "--no-jit", address])
    #expect(run.status == 0, "\(run.error)")
    #expect(Stage.settings(run.output).first == "full address:s:\(address):3389")
    #expect(stage.simulator.report.calls.isEmpty)
    let silent = try await stage.run(
      ["rdp", "--no-jit", "-o", "ConnectTimeout=1", "-p", "1", address])
    #expect(silent.code == "host-unreachable", "\(silent.error)")
  }

  @Test("what waits in vain says what stays open, whatever ends it")
  func interrupted() async throws {
    let stage = try Stage.desktop(backend: .closing)
    let running = try stage.start(["rdp", "winvm"])
    try await running.wait(for: "the request") { !stage.requests.isEmpty }
    try await running.wait(for: "the first knock") {
      stage.simulator.report.gateEvents.contains { $0.kind == .connected }
    }
    running.signal(SIGINT)
    let run = try await running.finish()
    #expect(run.status == 130)
    #expect(run.code == "interrupted")
    #expect(run.error.contains("port 3389 of winvm stays open for"), "\(run.error)")
  }
}
