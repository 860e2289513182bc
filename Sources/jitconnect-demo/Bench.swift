import AzureSimulator
import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The figures: how many Azure calls a connect needs and how long it takes, and jitconnect beside
/// ssh in the same run.
///
/// Absolute times depend on the machine; quote the ratios.
struct Bench: ~Copyable {
  private let program: String
  private let stage: DemoStage
  private let ssh: String

  init(program: String, stage: consuming DemoStage) throws {
    self.program = program
    guard let ssh = ChildProcess.find("ssh", in: stage.environment) else {
      throw LoopbackSSHServer.Failed(description: "no ssh to compare with")
    }
    self.ssh = ssh
    self.stage = stage
  }

  consuming func run() throws -> Int32 {
    say("jitconnect and ssh on one machine, in turn; medians.")
    try situations()
    try startUp()
    try connections()
    try transfers()
    try memory()
    return 0
  }

  // MARK: Azure calls

  /// A row of the design's table: what is forgotten before the connect.
  private struct Situation {
    var name: String
    var forgets: [String]
    var forgetsPolicies = false
  }

  private static let situations = [
    Situation(name: "window open, key pinned", forgets: []),
    Situation(
      name: "window closed, VM and policy seen before", forgets: ["state/jitconnect/windows.json"]),
    Situation(
      name: "VM seen before, policy not", forgets: ["state/jitconnect/windows.json"],
      forgetsPolicies: true),
    Situation(
      name: "never seen, token in store",
      forgets: [
        "state/jitconnect/windows.json", "cache/jitconnect/machines.json",
        "state/jitconnect/known_hosts",
      ]),
    Situation(
      name: "never seen, no token",
      forgets: [
        "state/jitconnect/windows.json", "cache/jitconnect/machines.json",
        "state/jitconnect/known_hosts", "state/jitconnect/tokens.json",
      ]),
  ]

  private func situations() throws {
    say("\nAzure calls until the connection; times of the whole run of `true`:\n")
    say(Self.row(["situation", "calls", "depth", "0 ms/call", "100 ms/call"], Self.wide))
    stage.simulator.change { behaviour in
      behaviour.openingDelay = .zero
      behaviour.initiatedDelay = .zero
      behaviour.policyDelay = .zero
      behaviour.tokenLifetime = .seconds(7 * 86400)
    }
    _ = try connect(["--enable"])
    for situation in Self.situations {
      var cells = [situation.name]
      var times: [String] = []
      for delay in [0, 100] {
        stage.simulator.change { $0.delay = .milliseconds(delay) }
        var walls: [Double] = []
        for _ in 0..<5 {
          if !situation.forgets.isEmpty { stage.simulator.advance(by: .seconds(7200)) }
          try forget(situation)
          stage.simulator.resetReport()
          walls.append(try connect([]).wall)
        }
        times.append(Self.milliseconds(walls.median))
        if delay == 100 {
          let report = stage.simulator.report
          cells.append(String(report.count(.arm, .graph)))
          cells.append(
            String(report.depthBeforeConnection(of: [.arm, .graph, .login]) ?? 0))
        }
      }
      say(Self.row(cells + times, Self.wide))
    }
    stage.simulator.change { $0.delay = .zero }
  }

  private func forget(_ situation: Situation) throws {
    for file in situation.forgets { unsafe unlink(stage.folder.path + "/" + file) }
    guard situation.forgetsPolicies else { return }
    let path = stage.folder.path + "/cache/jitconnect/machines.json"
    var memory = try JSON(parsing: Files.read(path))
    memory["policies"] = .object([])
    try Files.replace(path, with: memory.encoded)
  }

  private func connect(_ options: [String]) throws -> Measurement {
    let measurement = try Measurement.run(
      program,
      options + [
        "-F", "none", "-p", String(DemoStage.sshPort), "-i", stage.server.key, "-o",
        "StrictHostKeyChecking=accept-new", "web1", "true",
      ], environment: stage.variables)
    guard measurement.status == 0 else {
      throw Measurement.Failed(description: "a connect ended with \(measurement.status)")
    }
    return measurement
  }

  // MARK: Beside ssh

  private func startUp() throws {
    say("\nStart-up:\n")
    say(Self.row(["", "jitconnect", "ssh", "ratio"], Self.narrow))
    let (own, other) = try pairs(
      20, own: ["--version"], other: ["-V"], port: nil)
    say(Self.row(["--version, ssh -V"] + Self.cells(own, other), Self.narrow))
    // What the sign-in adds where a token is stored: files are read, nobody is asked.
    stage.simulator.resetReport()
    let (signedIn, bare) = try pairs(
      20, own: ["whoami"], other: ["--version"], port: nil, besides: program)
    let added = signedIn.map(\.wall).median - bare.map(\.wall).median
    say(
      "whoami with a stored token, over --version: \(Self.milliseconds(max(added, 0))), "
        + "\(stage.simulator.report.count(.login)) calls for a sign-in")
  }

  private func connections() throws {
    say("\nConnect and `true`, ed25519 key, -F none:\n")
    say(Self.row(["", "jitconnect", "ssh", "ratio"], Self.narrow))
    let command = ["true"]
    let (own, other) = try pairs(15, own: command, other: command, port: stage.server.port)
    say(Self.row(["loopback"] + Self.cells(own, other), Self.narrow))
    let far = try DistantServer(
      to: stage.server.port, roundTrip: .milliseconds(50), environment: stage.variables)
    let (farOwn, farOther) = try pairs(7, own: command, other: command, port: far.port)
    say(Self.row(["50 ms round trip"] + Self.cells(farOwn, farOther), Self.narrow))
  }

  private func transfers() throws {
    let size = 256 << 20
    let file = stage.folder.path + "/work/256MiB"
    try writeFile(file, size: size)
    let far = try DistantServer(
      to: stage.server.port, roundTrip: .milliseconds(50), environment: stage.variables)
    say("\n256 MiB, connect and transfer:\n")
    say(
      Self.row(
        ["", "jitconnect", "ssh", "ratio", "cpu s/GiB", "ssh", "peak MiB"], Self.narrow))
    for (name, port, command, input, extra) in [
      ("down, loopback", stage.server.port, "cat \(file)", nil as String?, [] as [String]),
      ("up, loopback", stage.server.port, "cat >/dev/null", file, []),
      (
        "down, loopback, chacha20", stage.server.port, "cat \(file)", nil,
        ["-c", "chacha20-poly1305@openssh.com"]
      ),
      (
        "up, loopback, chacha20", stage.server.port, "cat >/dev/null", file,
        ["-c", "chacha20-poly1305@openssh.com"]
      ),
      ("down, 50 ms", far.port, "cat \(file)", nil, []),
      ("up, 50 ms", far.port, "cat >/dev/null", file, []),
    ] {
      let (own, other) = try pairs(
        3, own: extra + ["--", "HOST", command], other: extra + ["--", "HOST", command],
        port: port, input: input)
      let scale = Double(1 << 30) / Double(size)
      say(
        Self.row(
          [name] + Self.cells(own, other) + [
            Self.fixed(own.map(\.cpu).median * scale), Self.fixed(other.map(\.cpu).median * scale),
            Self.fixed(Double(own.map(\.peakMemory).max() ?? 0) / 1024),
          ], Self.narrow))
    }
  }

  /// What one process needs at most while much more than its buffers passes.
  private func memory() throws {
    let file = stage.folder.path + "/work/256MiB"
    let whole = stage.folder.path + "/work/1GiB"
    try writeFile(whole, size: 1 << 30, isSparse: true)
    say("\n1 GiB on loopback:\n")
    say(Self.row(["", "jitconnect", "cpu s/GiB", "peak MiB"], Self.narrow))
    for (name, command, input) in [
      ("down", "cat \(file) \(file) \(file) \(file)", nil as String?),
      ("up", "cat >/dev/null", whole),
      ("there and back", "cat", whole),
    ] {
      let own = try measure(program, ["--no-jit"], [command], stage.server.port, input)
      say(
        Self.row(
          [
            name, Self.milliseconds(own.wall), Self.fixed(own.cpu),
            Self.fixed(Double(own.peakMemory) / 1024),
          ], Self.narrow))
    }
  }

  /// In pieces: the peak memory of a child is never told lower than what its parent had.
  private func writeFile(_ path: String, size: Int, isSparse: Bool = false) throws {
    let descriptor = FileDescriptor(
      owning: try valueOrSystemError {
        unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      })
    if isSparse {
      _ = try valueOrSystemError { ftruncate(descriptor.number, off_t(size)) }
      return
    }
    let piece = [UInt8](repeating: 0x5A, count: 1 << 20)
    for _ in 0..<(size / piece.count) { try writeAll(descriptor.number, piece) }
  }

  /// Runs both programs in turn, so that a change of the machine's speed meets both.
  ///
  /// - Parameter besides: the other program; nil is ssh.
  private func pairs(
    _ count: Int, own: [String], other: [String], port: UInt16?, input: String? = nil,
    besides: String? = nil
  ) throws -> ([Measurement], [Measurement]) {
    var results: ([Measurement], [Measurement]) = ([], [])
    for round in 0...count {
      for isOwn in [true, false] {
        let measurement = try measure(
          isOwn ? program : besides ?? ssh, isOwn && port != nil ? ["--no-jit"] : [],
          isOwn ? own : other, port, input)
        guard round > 0 else { continue }  // the first round warms up
        if isOwn { results.0.append(measurement) } else { results.1.append(measurement) }
      }
    }
    return results
  }

  /// One run of either program, with the options that both understand.
  private func measure(
    _ program: String, _ first: [String], _ command: [String], _ port: UInt16?, _ input: String?
  ) throws -> Measurement {
    var arguments = command
    if let port {
      let common =
        first + [
          "-F", "none", "-p", String(port), "-i", stage.server.key, "-o", "IdentitiesOnly=yes",
          "-o", "StrictHostKeyChecking=no", "-o",
          "UserKnownHostsFile=\(stage.folder.path)/bench_known_hosts", "-o", "LogLevel=ERROR",
        ]
      let host = "\(stage.environment.userName)@127.0.0.1"
      arguments =
        command.contains("HOST")
        ? common + command.map { $0 == "HOST" ? host : $0 } : common + [host] + command
    }
    let measurement = try Measurement.run(
      program, arguments, environment: stage.variables, input: input)
    guard measurement.status == 0 else {
      throw Measurement.Failed(description: "\(program) ended with \(measurement.status)")
    }
    return measurement
  }

  // MARK: Text

  private static let wide = [42, 6, 6, 11, 12]
  private static let narrow = [26, 12, 10, 8, 11, 8, 9]

  private static func cells(_ own: [Measurement], _ other: [Measurement]) -> [String] {
    let (ownWall, otherWall) = (own.map(\.wall).median, other.map(\.wall).median)
    return [milliseconds(ownWall), milliseconds(otherWall), fixed(ownWall / otherWall)]
  }

  private static func row(_ cells: [String], _ widths: [Int]) -> String {
    zip(cells, widths).enumerated().map { index, cell in
      let gap = String(repeating: " ", count: max(cell.1 - cell.0.count, 0))
      return index == 0 ? cell.0 + gap : gap + cell.0
    }.joined()
  }

  private static func milliseconds(_ seconds: Double) -> String {
    "\(fixed(seconds * 1000, digits: seconds < 0.1 ? 1 : 0)) ms"
  }

  private static func fixed(_ value: Double, digits: Int = 2) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    guard value.isFinite, abs(value) < 1e12 else { return "-" }
    let whole = Int((value * scale).rounded())
    guard digits > 0 else { return String(whole) }
    let fraction = String(whole % Int(scale))
    return "\(whole / Int(scale))."
      + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}
