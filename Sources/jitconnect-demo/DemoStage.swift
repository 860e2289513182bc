import AzureSimulator
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The simulated Azure with its machines, the server behind them, and a place to write.
struct DemoStage: ~Copyable {
  /// The machine's SSH port: one that needs no superuser.
  static let sshPort = 2222

  let environment: Environment
  let folder: DemoFolder
  let server: LoopbackSSHServer
  let simulator: Simulator

  private init(_ options: DemoOptions) throws {
    let environment = Environment.current()
    let folder = try DemoFolder(environment)
    let server = try LoopbackSSHServer(in: folder.path, environment: environment)
    let simulator = try Simulator(
      Self.configuration(options, user: environment.userName, sshd: server.port))
    simulator.start()
    self.init(environment: environment, folder: folder, server: server, simulator: simulator)
  }

  private init(
    environment: Environment, folder: consuming DemoFolder, server: consuming LoopbackSSHServer,
    simulator: Simulator
  ) {
    self.environment = environment
    self.folder = folder
    self.server = server
    self.simulator = simulator
  }

  private static func configuration(
    _ options: DemoOptions, user: String, sshd: UInt16
  ) -> SimulatorConfiguration {
    var web = SimulatedMachine("web1")
    web.adminUsername = user
    web.gates = [.init(port: sshPort, backend: .server(address: "127.0.0.1", port: sshd))]
    var windows = SimulatedMachine("win1")
    windows.system = .windows
    windows.adminUsername = "ada"
    windows.gates = [.init(port: 3389, backend: .remoteDesktop(RemoteDesktopResponder()))]
    var configuration = SimulatorConfiguration(machines: [web, windows])
    for number in 0..<options.machines {
      var machine = SimulatedMachine("vm\(number)")
      machine.resourceGroup = "rg-\(number % 50)"
      configuration.machines.append(machine)
    }
    configuration.behaviour.delay = .milliseconds(options.delay)
    configuration.behaviour.openingDelay = .milliseconds(options.opening)
    configuration.behaviour.initiatedDelay = .milliseconds(options.opening / 2)
    return configuration
  }

  deinit { simulator.stop() }

  /// Runs what the options ask for; the exit status.
  static func run(_ options: DemoOptions) throws -> Int32 {
    // Seen by the loops below, so that every way out cleans up.
    Signals.watch(SIGINT, SIGTERM, SIGHUP)
    let stage = try DemoStage(options)
    if options.measures { return try Bench(program: Self.program(options), stage: stage).run() }
    return options.simulateOnly
      ? try stage.stay() : try Story(program: Self.program(options), stage: stage).tell()
  }

  private static func program(_ options: DemoOptions) -> String {
    if let program = options.program { return program }
    // Beside this one, where the build puts both.
    let own = CommandLine.arguments.first ?? ""
    return Files.parentDirectory(of: own) + "/jitconnect"
  }

  /// All that a program needs to reach the stage and nothing else of this user's.
  var variables: [String: String] {
    var variables = simulator.environment
    for name in ["PATH", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TZ", "TMPDIR"] {
      variables[name] = environment[name]
    }
    variables["HOME"] = folder.path + "/home"
    variables["XDG_CONFIG_HOME"] = folder.path + "/config"
    variables["XDG_CACHE_HOME"] = folder.path + "/cache"
    variables["XDG_STATE_HOME"] = folder.path + "/state"
    variables["AZURE_CONFIG_DIR"] = folder.path + "/azure"
    return variables
  }

  /// Prints the variables and waits to be ended.
  private borrowing func stay() throws -> Int32 {
    var exports = variables
    for name in ["PATH", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TZ", "TMPDIR"] {
      exports[name] = nil
    }
    exports["DEMO_SIMULATOR"] = simulator.baseURL
    exports["DEMO_KEY"] = server.key
    exports["DEMO_USER"] = environment.userName
    exports["DEMO_VM"] = "web1"
    exports["DEMO_PORT"] = String(Self.sshPort)
    exports["DEMO_ADDRESS"] = simulator.gateAddress(of: "web1")
    exports["DEMO_SSHD_PORT"] = String(server.port)
    for (name, value) in exports.sorted(by: { $0.key < $1.key }) {
      say(
        "export \(name)='\(value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
      )
    }
    say("")
    guard let signals = Signals.pipe() else { return 1 }
    while true {
      var ready = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
      _ = unsafe poll(&ready, 1, -1)
      if let signal = Signals.arrived().first { return signal == SIGTERM ? 0 : 128 + signal }
    }
  }
}

/// Writes a line.
func say(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
  try? writeAll(descriptor, Array((line + "\n").utf8))
}
