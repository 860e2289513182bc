import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `--via-ssh`: the desktop through the machine's own SSH server.
@Suite(.limited, .enabled(if: LoopbackServer.program != nil, "needs package openssh-server"))
struct RDPTunnelTests {
  private let stage: Stage
  /// Where the desktop listens, as the SSH server sees it.
  private let port: Int

  init() async throws {
    let ssh = try await Blocking.run { try LoopbackServer() }
    var windows = Stage.windows(port: 0, backend: .server(address: "127.0.0.1", port: ssh.port))
    windows.adminUsername = Environment.current().userName
    // Another machine's gate stands for the desktop on the first one's loopback.
    var inside = Stage.windows("inside", port: 0)
    inside.publicAddress = .fixed("127.0.0.1")
    inside.rules = [SecurityRule("RDP", priority: 300, allows: true, ports: ["*"])]
    stage = try Stage(
      Stage.configuration(
        machines: [windows, inside],
        policies: [SimulatedPolicy(machine: "winvm", ports: .init(0))]), server: ssh)
    port = stage.port("inside")
  }

  private func words(_ more: [String]) -> [String] {
    ["rdp"] + stage.options("winvm") + ["--via-ssh=\(port)"] + more + ["winvm"]
  }

  @Test("the file leads to loopback, and the way stands until the program is ended")
  func file() async throws {
    let running = try stage.start(words(["--output", "a.rdp"]))
    let path = stage.folder + "/work/a.rdp"
    try await running.wait(for: "the file") { Files.kind(of: path)?.isRegular == true }
    let first = try #require(Stage.settings(try Files.read(path)).first)
    #expect(first.hasPrefix("full address:s:127.0.0.1:"))
    let entrance = try #require(first.split(separator: ":").last.flatMap { UInt16($0) })
    let address = try InternetAddress.resolve(
      "127.0.0.1", port: entrance, family: .ipv4, numericOnly: true)[0]
    // Through it the desktop answers.
    let socket = FileDescriptor(owning: try address.startConnecting())
    try writeAll(
      socket.number, [3, 0, 0, 0x13, 0x0E, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0x0B, 0, 0, 0])
    var ready = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
    #expect(unsafe poll(&ready, 1, 20_000) == 1)
    #expect(try readSome(socket.number, limit: 64).prefix(2) == [3, 0])
    running.signal(SIGINT)
    let run = try await running.finish()
    #expect(run.status == 130, "\(run.error)")
  }

  @Test("a signal ends session and client, whose status is ours, and clears up")
  func signals() async throws {
    let environment = try stage.provideClient(
      "xfreerdp",
      """
      trap 'exit 7' TERM INT
      echo ready > "$STAGE/ready"
      while :; do sleep 0.05; done
      """)
    let running = try stage.start(words(["--open"]), environment: environment)
    try await running.wait(for: "the client") { stage.read("ready") != nil }
    running.signal(SIGINT)
    let run = try await running.finish()
    #expect(run.status == 7, "\(run.error)")
    #expect(stage.leftOver.isEmpty)
  }

  @Test("the certificate is the machine's, whichever way and port it is seen by")
  func pinned() async throws {
    let environment = try stage.provideClient()
    let run = try await stage.run(words(["--open", "--json"]), environment: environment)
    #expect(run.status == 0, "\(run.error)")
    let desktop = try JSON(parsing: run.output)["desktops"]?.elements?.first
    #expect(desktop?["windowEnd"]?.text?.hasSuffix("Z") == true)
    #expect(desktop?["host"] == "127.0.0.1")
    #expect(
      stage.clientWords.last
        == "/cert:deny,fingerprint:sha256:\(DesktopCertificate.shared.fingerprint)")
    let pins = try JSON(parsing: Array((stage.read(stage.pins) ?? "").utf8))["pins"]?.members
    #expect(pins?.count == 1 && pins?.first?.name.utf8.count == 36)
  }

  @Test("whoever is not let in, and a port where nothing answers, are errors of a verb")
  func failures() async throws {
    let environment = try stage.provideClient()
    let stranger = try await stage.run(
      ["rdp", "-p", String(stage.port("winvm")), "-o", "StrictHostKeyChecking=accept-new"]
        + ["-o", "IdentityFile=/dev/null", "--open", "--via-ssh=\(port)", "winvm"],
      environment: environment)
    #expect(stranger.status == 1)
    #expect(stranger.code == "authentication-failed", "\(stranger.error)")
    let wrong = try await stage.run(
      ["rdp"] + stage.options("winvm")
        + ["--open", "--via-ssh=\(stage.server?.port ?? 0)", "winvm"],
      environment: environment)
    #expect(wrong.status == 1)
    #expect(wrong.code == "protocol-failed", "\(wrong.error)")
    let free = Int(try Simulator.freePort())
    let refused = try await stage.run(
      ["rdp"] + stage.options("winvm") + ["--open", "--via-ssh=\(free)", "winvm"],
      environment: environment)
    #expect(refused.status == 1)
    #expect(refused.code == "forwarding-failed", "\(refused.error)")
    // What the SSH server said is the reason, once.
    #expect(refused.error.ranges(of: "open failed").count == 1, "\(refused.error)")
    #expect(stage.clientWords.isEmpty && stage.leftOver.isEmpty)
  }
}

extension Stage {
  /// The file with the pinned certificates.
  var pins: String { "state/jitconnect/rdp-certificates.json" }
}
