import Azure
import FoundationEssentials
import Platform
import RDP
import SSHConfig
import Terminal

extension Greeting {
  /// An RDP server's answer to a connection request without a user's name ([MS-RDPBCGR] 2.2.1.1).
  static let rdp = Greeting(hello: RDPProbe.request) { bytes in
    var probe = RDPProbe()
    switch probe.receive(bytes) {
    case nil: return .incomplete
    case .notRDP(let what): return .wrong("it is no RDP server: \(what)")
    case .closed: return .incomplete
    default: return .ready
    }
  }
}

extension Connect {
  // MARK: Whether, and where

  /// Whether this machine is answered with its desktop.
  func isDesktop(_ machine: VirtualMachine) -> Bool {
    switch goal {
    case .session: false
    case .sessionOrDesktop: machine.operatingSystem == .windows
    case .desktop: true
    }
  }

  /// Whether the desktop is reached through the machine's SSH server.
  var goesBehindSSH: Bool { options.jit.rdpPortBehindSSH != nil }

  /// Whether the port to open is the desktop's own.
  ///
  /// What cannot work then ends the run while nothing is opened yet.
  func goesToDesktop(_ machine: VirtualMachine) async throws(Failure) -> Bool {
    guard isDesktop(machine) else {
      try refuseWhatOnlyDesktopsTake()
      return false
    }
    let plan = try await desktop.plan(world, options, commandLine)
    try desktop.claim(machine)
    if case .file(let path) = try desktop.place(
      of: machine.id.text, name: machine.name, plan, world)
    {
      try DesktopPlace(environment: world.environment, settings: plan.settings).check(path)
    }
    if goesBehindSSH { return false }
    if isProxied { throw desktopBehindProxy }
    return true
  }

  /// The port that the command line names, else 3389, else the policy's one port beside it.
  ///
  /// Any other port may be a database's or a web server's: nobody opens it who does not name it.
  /// `Port` of a configuration file is ssh's.
  func desktopPort(_ entry: JITPolicy.Machine?) -> Int {
    if options.portOrigin == .commandLine { return options.port }
    guard let entry, entry.rule(for: Self.rdpPort) == nil else { return Self.rdpPort }
    let others = entry.ports.filter { $0.coversTCP && Self.portsBeside.contains($0.number) }
    guard let other = others.first, others.count == 1 else { return Self.rdpPort }
    return other.number
  }

  /// Where people move it.
  private static let portsBeside = 3390...3399

  /// A desktop's client makes a connection of its own, which no proxy of ours carries.
  private var desktopBehindProxy: Failure {
    Failure(
      .notBuiltIn, what: "no jump host or ProxyCommand carries an RDP client",
      why: "the client connects by itself",
      next: "--via-ssh goes through the VM's SSH server, behind a jump host too")
  }

  // MARK: One desktop

  /// The verb `rdp` with one machine.
  func runDesktop() async throws -> Int32 {
    let plan = try await desktop.plan(world, options, commandLine)
    try refuseWhatIsNotBuiltIn()
    guard plan.settings.portBehindSSH == nil else {
      guard options.jit.isOn else { return try await connectPlainly() }
      return try await explainingInterruption { try await connectThroughAzure() }
    }
    return try await explainingInterruption {
      let reached = try await world.interrupts.during { try await reachDesktop() }
      return try await openDesktop(reached)
    }
  }

  /// Adds to an interruption what stays open; closes before that what is to be closed at the end.
  func explainingInterruption<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      let value = try await body()
      await closeOnExit()
      return value
    } catch {
      await closeOnExit()
      guard let failure = error as? Failure, failure.code == .interrupted else { throw error }
      throw notice.explaining(failure)
    }
  }

  /// Goes all the way to the answering RDP port.
  func reachDesktop() async throws(Failure) -> ReachedDesktop {
    guard options.jit.isOn else { return try await reachDesktopPlainly() }
    switch try await way(usingMemory: true) {
    case .rdp(let machine, let connection, let end):
      return reached(machine, connection, end)
    case .plain: return try await reachDesktopPlainly()
    case .ssh, .shortcut:
      throw Failure(.systemFailed, what: "the way to the desktop led to SSH")
    }
  }

  /// No call to Azure: the host as it was typed, or as `HostName` says.
  private func reachDesktopPlainly() async throws(Failure) -> ReachedDesktop {
    if isProxied { throw desktopBehindProxy }
    let host = options.connectHost
    guard SSHName.isValidHost(host) else {
      throw Failure(.usage, what: "hostname contains invalid characters")
    }
    let probe = try await probe(host, port: desktopPort(nil), .rdp)
    let limit = Duration.seconds(options.connectTimeout ?? 10)
    let knock: Knock = { deadline, flag throws(Failure) in
      try probe.wait(until: deadline, flag: flag)
    }
    guard let connection = try await race(knock, until: .now + limit) else {
      throw Failure(
        .hostUnreachable, what: "no RDP server answers on \(probe.address)",
        why: "nothing came within \(elapsedText(limit))",
        next: "check the name and the port (-p)")
    }
    return reached(nil, connection, nil)
  }

  func reached(
    _ machine: VirtualMachine?, _ connection: AnsweringConnection, _ end: Date?
  ) -> ReachedDesktop {
    ReachedDesktop(
      machine: machine, connection: connection, end: end,
      port: connection.address.map { Int($0.port) } ?? Self.rdpPort)
  }

  /// Gives the file or starts the client, and waits for that.
  ///
  /// - Returns: the client's exit status, or 0.
  func openDesktop(_ reached: ReachedDesktop) async throws -> Int32 {
    let ready = try await world.interrupts.during { try await prepare(reached) }
    let delivery = try await hand(out: ready)
    defer { delivery.clearUp() }
    try tell([delivery])
    guard delivery.client != nil else {
      // Whoever opens the file later comes in by the window: it is not closed at our end.
      _ = used.take()
      return 0
    }
    let clients = try DesktopClients()
    try clients.start(delivery, world.environment)
    let statuses = try await world.interrupts.paused {
      try await Blocking.run { clients.wait(passesSignals: true) }
    }
    try await world.waitForHandover(of: [delivery])
    return statuses.first ?? 0
  }

  /// Says what was made, or gives it as JSON.
  func tell(_ deliveries: [DesktopDelivery]) throws {
    if let report = desktop.report { return try report(deliveries) }
    for delivery in deliveries { for line in delivery.words { world.console.note(line) } }
    if deliveries.contains(where: { $0.file != nil && $0.publisher == nil && $0.client == nil }) {
      world.console.note("Windows asks before it opens a file that nobody has signed (--sign)")
    }
  }
}
