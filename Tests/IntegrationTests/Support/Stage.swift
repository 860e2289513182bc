import AzureSimulator
import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A simulated Azure, a folder in the place of a home, and perhaps an SSH server: all that one test
/// needs, and nothing that another one shares.
final class Stage: Sendable {
  let simulator: Simulator
  let folder: String
  let server: LoopbackServer?

  /// - Parameter server: who answers behind ``web(_:)``; stopped with the stage.
  init(
    _ configuration: SimulatorConfiguration, server: LoopbackServer? = nil
  ) throws {
    folder = try makeFolder()
    for name in ["home", "work", "config", "cache", "state", "azure", "tmp"] {
      try Files.makeDirectory("\(folder)/\(name)")
    }
    self.server = server
    simulator = try Simulator(configuration)
    simulator.start()
  }

  deinit {
    simulator.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// One Linux machine `web1` with a real SSH server behind its port.
  ///
  /// - Parameter hasPolicy: whether just-in-time access is enabled on that port.
  static func ssh(
    hasPolicy: Bool = true, settings: [String] = [], files: [String: String] = [:],
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    let server = try await Blocking.run { try LoopbackServer(settings: settings, files: files) }
    var configuration = Self.configuration(
      machines: [Self.web(backend: .server(address: "127.0.0.1", port: server.port))])
    if hasPolicy { configuration.policies = [SimulatedPolicy(machine: "web1", ports: .init(0))] }
    change(&configuration)
    return try await Self.made(configuration, server)
  }

  /// ``ssh(hasPolicy:settings:files:_:)`` without a public address, behind an Azure Firewall that maps
  /// another port to the machine's 2222.
  ///
  /// - Returns: the stage, and the firewall's port.
  static func behindFirewall() async throws -> (stage: Stage, port: Int) {
    while true {
      let free = Int(try Simulator.freePort())
      do {
        return (try await behindFirewall(port: free), free)
      } catch let error as SystemError where error.number == EADDRINUSE {
        // Another test's connection took it for its own end meanwhile.
      }
    }
  }

  private static func behindFirewall(port: Int) async throws -> Stage {
    try await Self.ssh(hasPolicy: false) { configuration in
      configuration.machines[0].publicAddress = .none
      configuration.machines[0].gates[0].port = port
      configuration.machines[0].gates[0].machinePort = 2222
      configuration.machines[0].gates[0].address = "127.0.0.1"
      var entry = SimulatedPolicy.Entry("web1", ports: [.init(2222)])
      entry.firewallAddress = "127.0.0.1"
      entry.mappedPorts = [2222: port]
      configuration.policies = [SimulatedPolicy(entries: [entry])]
    }
  }

  private static func made(
    _ configuration: SimulatorConfiguration, _ server: LoopbackServer?
  ) async throws -> Stage {
    try await Blocking.run { try Stage(configuration, server: server) }
  }

  /// One Linux machine `web1` that only greets: for what happens before a session.
  static func greeting(
    hasPolicy: Bool = true, _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    var configuration = Self.configuration(machines: [Self.web()])
    if hasPolicy { configuration.policies = [SimulatedPolicy(machine: "web1", ports: .init(0))] }
    change(&configuration)
    return try await Self.made(configuration, nil)
  }

  /// A configuration in which nothing takes longer than it must.
  static func configuration(
    machines: [SimulatedMachine] = [], policies: [SimulatedPolicy] = []
  ) -> SimulatorConfiguration {
    var configuration = SimulatorConfiguration(machines: machines, policies: policies)
    configuration.behaviour.policyDelay = .zero
    configuration.behaviour.initiatedDelay = .zero
    configuration.behaviour.openingDelay = .zero
    configuration.behaviour.powerDelay = .zero
    return configuration
  }

  /// A Linux machine of this user's with one gate on a free port.
  static func web(
    _ name: String = "web1",
    backend: SimulatedMachine.Gate.Backend = .banner("SSH-2.0-simulated\r\n")
  ) -> SimulatedMachine {
    var machine = SimulatedMachine(name)
    machine.adminUsername = Environment.current().userName
    machine.gates = [.init(port: 0, backend: backend)]
    return machine
  }

  // MARK: Running the program

  /// The whole environment of a run: the simulator's, and this stage's folders.
  var environment: [String: String] {
    var variables = simulator.environment
    variables["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    variables["HOME"] = folder + "/home"
    variables["XDG_CONFIG_HOME"] = folder + "/config"
    variables["XDG_CACHE_HOME"] = folder + "/cache"
    variables["XDG_STATE_HOME"] = folder + "/state"
    variables["AZURE_CONFIG_DIR"] = folder + "/azure"
    variables["TMPDIR"] = folder + "/tmp"
    variables["TZ"] = "UTC"
    return variables
  }

  /// The options that reach ``ssh(hasPolicy:settings:_:)``'s machine without a question.
  func options(_ machine: String = "web1") -> [String] {
    var options = [
      "-p", String(port(machine)), "-o", "StrictHostKeyChecking=accept-new", "-o",
      "HashKnownHosts=no",
    ]
    if let server { options += ["-i", server.key] }
    return options
  }

  /// The port of a machine's gate; a name that is none of them stands for `web1`.
  func port(_ machine: String = "web1") -> Int {
    Int(simulator.gatePort(of: machine) ?? simulator.gatePort(of: "web1") ?? 0)
  }

  /// - Parameter environment: changes to ``environment``; nil takes a variable away.
  func start(
    _ arguments: [String], environment changes: [String: String?] = [:], directory: String? = nil
  ) throws -> Running {
    var variables = environment
    for (name, value) in changes { variables[name] = value }
    return try Running(
      arguments, environment: variables, directory: directory ?? folder + "/work")
  }

  /// Runs the program to its end.
  func run(
    _ arguments: [String], input: String = "", environment changes: [String: String?] = [:],
    timeout: Duration = .seconds(60)
  ) async throws -> Run {
    let running = try start(arguments, environment: changes)
    if !input.isEmpty { try running.send(input.utf8) }
    return try await running.finish(timeout: timeout)
  }

  /// Runs the program on a terminal of its own, in the folder `work`.
  func terminal(
    _ arguments: [String], environment changes: [String: String?] = [:], columns: UInt16 = 80
  ) throws -> AwaitedTerminal {
    var variables = environment
    variables["TERM"] = "xterm"
    for (name, value) in changes { variables[name] = value }
    let script = "cd \"$1\" && shift && exec \"$@\""
    return AwaitedTerminal(
      try PseudoTerminal(
        "/bin/sh", ["-c", script, "sh", folder + "/work", Binary.path] + arguments,
        environment: variables, columns: columns))
  }

  /// Connects to the machine with ``options(_:)`` and runs a command there.
  func connect(
    _ machine: String = "web1", _ more: [String] = [], command: String = "echo hello",
    environment changes: [String: String?] = [:]
  ) async throws -> Run {
    try await run(more + options(machine) + [machine, command], environment: changes)
  }
}

extension Stage {
  /// The bodies of the requests for access, in their order.
  var requests: [JSON] {
    simulator.report.calls.filter { $0.path.hasSuffix("/initiate") }
      .compactMap { try? JSON(parsing: Array($0.requestBody.utf8)) }
  }

  /// How many calls had this method and path part.
  func count(_ method: String, _ path: String) -> Int {
    simulator.report.calls.count {
      $0.method == method && $0.path.lowercased().contains(path.lowercased())
    }
  }

  /// Every file that the program has written under its folders, relative to ``folder``.
  var writtenFiles: [String] {
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    return names.filter { Files.kind(of: "\(folder)/\($0)")?.isRegular == true }.sorted()
  }

  /// What is wrong with the files that the program has written: modes, leavings, broken JSON.
  var fileProblems: [String] {
    writtenFiles.flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      var problems: [String] = []
      if Files.kind(of: path)?.mode != 0o600 { problems.append("\(name) is not 0600") }
      let last = name.split(separator: "/").last ?? ""
      let isKnown = ["json", "lock"].contains(last.split(separator: ".").last ?? "")
      if !isKnown, last != "known_hosts" { problems.append("\(name) is left over") }
      if last.hasSuffix(".json"),
        (try? JSON(parsing: (try? Files.read(path)) ?? [])) == nil
      {
        problems.append("\(name) is no JSON")
      }
      return problems
    }
  }
}

/// A terminal that is waited for without holding up other tests.
///
/// Unchecked: one test owns it and makes one call after another.
@safe final class AwaitedTerminal: @unchecked Sendable {
  private let terminal: PseudoTerminal

  init(_ terminal: PseudoTerminal) { self.terminal = terminal }

  var screen: String { terminal.screen }

  func type(_ text: String) throws { try terminal.type(text) }

  func wait(for text: String) async throws {
    _ = try await Blocking.run { [self] in try terminal.wait(for: text, within: .seconds(60)) }
  }

  func end() async throws -> ChildProcess.Ending {
    try await Blocking.run { [self] in try terminal.end(within: .seconds(60)) }
  }
}

/// A new folder for this user alone.
func makeFolder() throws -> String {
  let base = Environment.current()["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
  var template = Array("\(base)/jitconnect-test.XXXXXX".utf8CString)
  return try unsafe template.withUnsafeMutableBufferPointer { buffer in
    guard let name = buffer.baseAddress, unsafe mkdtemp(name) != nil else { throw SystemError.last }
    return unsafe String(cString: name)
  }
}

extension Stage {
  /// Writes a file that is there before the program runs.
  func write(_ name: String, _ text: String) throws {
    try Files.replace("\(folder)/\(name)", with: text.utf8)
  }

  func read(_ name: String) -> String? {
    (try? Files.read("\(folder)/\(name)")).map { String(decoding: $0, as: UTF8.self) }
  }
}
