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
    for name in ["home", "work", "config", "cache", "state", "azure"] {
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
    hasPolicy: Bool = true, settings: [String] = [],
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    let server = try LoopbackServer(settings: settings)
    var configuration = Self.configuration(
      machines: [Self.web(backend: .server(address: "127.0.0.1", port: server.port))])
    if hasPolicy { configuration.policies = [SimulatedPolicy(machine: "web1", ports: .init(0))] }
    change(&configuration)
    return try Stage(configuration, server: server)
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
    variables["TZ"] = "UTC"
    return variables
  }

  /// The options that reach ``ssh(hasPolicy:settings:_:)``'s machine without a question.
  func options(_ machine: String = "web1") -> [String] {
    var options = ["-p", String(port(machine)), "-o", "StrictHostKeyChecking=accept-new"]
    if let server { options += ["-i", server.key] }
    return options
  }

  func port(_ machine: String = "web1") -> Int { Int(simulator.gatePort(of: machine) ?? 0) }

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

  /// Connects to the machine with ``options(_:)`` and runs a command there.
  func connect(
    _ machine: String = "web1", _ more: [String] = [], command: String = "echo hello",
    environment changes: [String: String?] = [:]
  ) async throws -> Run {
    try await run(options(machine) + more + [machine, command], environment: changes)
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
