import Azure
import FoundationEssentials
import Identity
import Platform
import SSH
package import SSHConfig
import Terminal

/// What the portal's Connect page does, and then the session: find the VM, see that just-in-time
/// access is enabled, request a window for our own address, wait for the port, connect.
package struct Connect: Sendable {
  package let world: World
  package let options: SSHOptions
  package let commandLine: SSHCommandLine
  let words: [[UInt8]]
  /// For what to type next.
  let typed: TypedCommand
  /// What is open, for whoever interrupts.
  let notice = WindowNotice()
  /// What is to be closed at the end (`JitCloseOnExit`).
  let used = UsedWindows()
  /// Whether what was enabled is shut to others, told once the port answers.
  let proofs = LaterProofs()
  /// What is to be done with a desktop.
  package let desktop: DesktopPreparation
  let goal: Goal

  /// What the user wants of the machine.
  package enum Goal: Sendable {
    /// SSH, whatever the machine is.
    case session
    /// The desktop of a Windows VM where nothing but its name was given, else SSH.
    case sessionOrDesktop
    /// The desktop, whatever the machine is.
    case desktop
  }

  /// - Parameters:
  ///   - words: argv behind the program's name and the verb, for OpenSSH's client.
  ///   - typed: the command for the user to type again; nil makes one of the words.
  package init(
    _ world: World, _ options: SSHOptions, _ commandLine: SSHCommandLine,
    goal: Goal = .sessionOrDesktop, desktop: DesktopPreparation = DesktopPreparation(),
    words: [[UInt8]] = [], typed: TypedCommand? = nil
  ) {
    self.typed =
      typed
      ?? TypedCommand(
        verb: "ssh", options: [], target: commandLine.destination?.host ?? options.originalHost)
    self.goal = goal == .sessionOrDesktop && !commandLine.isBare ? .session : goal
    self.desktop = desktop
    self.world = world
    var options = options
    if let port = commandLine.stdioPort {
      options.port = port
      options.portOrigin = .commandLine
    }
    self.options = options
    self.commandLine = commandLine
    self.words = words
  }

  /// - Returns: the exit status: the remote command's own.
  package func run() async throws -> Int32 {
    if goal == .desktop { return try await runDesktop() }
    try refuseWhatIsNotBuiltIn()
    guard options.jit.isOn else { return try await connectPlainly() }
    return try await explainingInterruption { try await connectThroughAzure() }
  }

  func connectThroughAzure() async throws -> Int32 {
    switch try await findWay(usingMemory: true) {
    case .ssh(let machine, let connection, _) where isDesktop(machine):
      return try await openDesktopBehindSSH(machine, connection, isConfirmed: true)
    case .ssh(let machine, let connection, let login):
      if commandLine.has(.stdio) { return try await carryStandardStreams(over: connection) }
      if options.jit.client == .openssh { throw try becomeOpenSSH(machine, connection) }
      return try await session(over: connection, with: machine, login).status
    case .shortcut(let machine, let connection, _) where isDesktop(machine):
      return try await openDesktopBehindSSH(machine, connection, isConfirmed: false)
    case .shortcut(let machine, let connection, let login):
      let plan = SessionPlan(self, machine: machine, isConfirmed: false, login: login)
      let ending = try await watchingRules { try await plan.run(over: connection) }
      if let ending { return ending.status }
      // The key is not the pinned one: Azure says first which machine is meant.
      guard
        case .ssh(let machine, let connection, let login) = try await findWay(usingMemory: false)
      else {
        throw Failure(.hostKeyChanged, what: "\(options.originalHost) is another machine now")
      }
      return try await session(over: connection, with: machine, login).status
    case .rdp(let machine, let connection, let end):
      return try await openDesktop(reached(machine, connection, end))
    case .plain:
      return try await connectPlainly()
    }
  }

  private func session(
    over connection: AnsweringConnection, with machine: VirtualMachine, _ login: EntraLogin?
  ) async throws -> Ending {
    let plan = SessionPlan(self, machine: machine, isConfirmed: true, login: login)
    return try await watchingRules { try await plan.run(over: connection) } ?? .noStatus
  }

  /// Where the flow through Azure has led.
  enum Way: Sendable {
    case ssh(VirtualMachine, AnsweringConnection, EntraLogin?)
    /// Straight to where the machine was last, with its key pinned; Azure was not asked.
    case shortcut(VirtualMachine, AnsweringConnection, EntraLogin?)
    /// With the window's end.
    case rdp(VirtualMachine, AnsweringConnection, Date)
    /// No Azure VM, and `JitUnknownHost ssh`.
    case plain
  }

  func findWay(usingMemory: Bool) async throws -> Way {
    try await world.interrupts.during { try await way(usingMemory: usingMemory) }
  }

  func way(usingMemory: Bool) async throws(Failure) -> Way {
    let target = try TargetQuery(options)
    let azure = try await AzureAccess(world, options.jit)
    let memory = Memory(world.environment, cloud: azure.cloud.name, clock: world.clock)
    if !usingMemory { memory.forget(target) }
    let known = memory.recall(target)
    world.azureTime.assume(known?.clockAhead)
    if let known, !isDesktop(known.machine) { try refuseWhatOnlyDesktopsTake() }
    if let known, let connection = try await reuseOpenWindow(on: known) {
      let login = try await entraLogin(on: known.machine, azure)?.value.get()
      return .shortcut(known.machine, connection, login ?? nil)
    }
    do throws(Failure) {
      return try await openWindow(azure, memory, target, known)
    } catch {
      guard known != nil, Self.mayComeFromMemory(error) else {
        if error.code == .vmNotFound, options.jit.reachesUnknownHosts { return .plain }
        throw error
      }
      world.console.note("what was remembered of \(target.name) no longer holds; looking it up")
      world.debug("remembered state refused: \(error.code): \(error)")
      memory.forget(target)
      do throws(Failure) {
        return try await openWindow(azure, memory, target, nil)
      } catch {
        if error.code == .vmNotFound, options.jit.reachesUnknownHosts { return .plain }
        throw error
      }
    }
  }

  // MARK: The steps

  private func openWindow(
    _ azure: AzureAccess, _ memory: Memory, _ target: TargetQuery, _ known: Memory.Machine?
  ) async throws(Failure) -> Way {
    let progress = Progress(world.console)
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
    }

    // 1. find the VM and its policies; beside it, where we come from
    progress.show("looking up \(target.name)")
    let source = publicSource()
    defer { source?.cancel() }
    let found = try await locate(azure, target, known)
    defer { found.confirmation.cancel() }
    var machine = found.machine
    let jumpHost = try await jumpHost(before: machine, azure)

    // 2. running? `--start` comes before the request
    if options.jit.start == .yes || known == nil {
      machine = try await found.confirmation.machine()
      // It was read again then, and may have another address now.
      if try await ensureRunning(&machine, azure, progress) { found.confirmation.renew(machine) }
    }
    // A machine that was named by its id is known from here on.
    let goesToDesktop = try await goesToDesktop(machine)
    var port = goesToDesktop ? desktopPort(nil) : options.port

    // 3. just-in-time access enabled? if not, offer to enable it
    var policy = JITPolicies.policies(
      of: machine.id, location: machine.location, in: found.policies
    ).first
    if policy == nil {
      policy = try await enable(machine, port: port, azure, found.policies, progress)
    }
    guard let enabled = policy else { throw notEnabled(machine) }
    if goesToDesktop { port = desktopPort(enabled.machine(machine.id)) }

    // 4. a minimal window: one port, our address, the shortest time; beside it, a certificate
    let login = goesToDesktop ? nil : try entraLogin(on: machine, azure)
    defer { login?.cancel() }
    progress.show("requesting access to port \(port) of \(machine.name)")
    let window = try await requestWindow(
      azure, memory, machine, enabled, port: port, isRemembered: found.isRemembered,
      found.confirmation
    ) { [machine] address throws(Failure) in
      if let jumpHost { return [try self.source(of: jumpHost, towards: address, of: machine)] }
      if let source { return try await source.value.get() }
      return try await world.sources(
        options.jit, isConfirmed: commandLine.has(.yes), towardsPrivate: address)
    }
    machine = try await found.confirmation.machine()
    memory.keep(
      machine, policy: window.policy, for: found.target, clockAhead: world.azureTime.ahead)
    if try await ensureRunning(&machine, azure, progress, openUntil: window.end) {
      // A start takes as long as a window lasts: the window is looked at again.
      return try await openWindow(azure, memory, target, nil)
    }

    let certified = try await login?.value.get() ?? nil

    // 5. wait until the port really answers
    let answer = await outcome { [machine] () async throws(Failure) in
      try await waitForPort(azure, machine, window, goesToDesktop, progress)
    }
    await proofs.tell(world)
    let connection = try answer.get()
    return goesToDesktop
      ? .rdp(machine, connection, window.end) : .ssh(machine, connection, certified)
  }

  /// A machine, the policies that may hold it, and Azure's own word on the machine.
  private struct Found {
    var machine: VirtualMachine
    /// What it may be remembered as.
    var target: TargetQuery
    var policies: [JITPolicy]
    /// Whether the policies are those of an earlier run.
    var isRemembered: Bool
    var confirmation: Confirmation
  }

  private func locate(
    _ azure: AzureAccess, _ target: TargetQuery, _ known: Memory.Machine?
  ) async throws(Failure) -> Found {
    /// The machine is confirmed beside the list of policies.
    func withPolicies(
      _ machine: VirtualMachine, as target: TargetQuery
    ) async throws(Failure) -> Found {
      let confirmation = Confirmation(of: machine, azure, patience: Self.subnetPatience)
      confirmation.start()
      do throws(Failure) {
        let policies = try await azure.policies.list(
          subscription: machine.subscriptionID, resourceGroup: machine.resourceGroup)
        return Found(
          machine: machine, target: target, policies: policies, isRemembered: false,
          confirmation: confirmation)
      } catch {
        confirmation.cancel()
        throw error
      }
    }
    if let known {
      azure.directory.remember(known.machine)
      guard let policy = known.policy, mayActOn(policy, known.machine) else {
        return try await withPolicies(known.machine, as: target)
      }
      // The request goes out at once; the machine is confirmed beside it.
      return Found(
        machine: known.machine, target: target, policies: [policy], isRemembered: true,
        confirmation: Confirmation(of: known.machine, azure, patience: Self.subnetPatience))
    }
    if case .id(let id) = target.name {
      return try await withPolicies(VirtualMachine(id: id, location: ""), as: target)
    }
    let (machine, isChosen) = try await MachineSearch(world, azure, options.jit) {
      [options, typed] name in
      typed.text(for: name, insteadOf: options.jit.vm)
    }.find(target)
    // A choice is for this time: the name alone would lead to it without a question the next time.
    return try await withPolicies(machine, as: isChosen ? TargetQuery(machine.id) : target)
  }

  /// Whether a request may go out by a policy of an earlier run, which is not read again then.
  ///
  /// Not where somebody else's window was open when it was read, and still is: it is to be named
  /// before it may end. Not where others are to be kept. And not where a firewall stands before the
  /// machine: its address is known from the policy alone, so nobody else confirms it.
  private func mayActOn(_ policy: JITPolicy, _ machine: VirtualMachine) -> Bool {
    let own = OwnWindows(world.environment, clock: world.clock)
    // The clocks may have been set since the other one was last heard: the earlier time counts.
    let now = min(world.clock.now(), world.azureNow)
    return !options.jit.keepOthers && policy.machine(machine.id)?.publicIPAddress == nil
      && policy.windows(of: machine.id).allSatisfy { !$0.isLive(at: now) || own.holds($0) }
  }

  /// Our own public address, asked for beside the look-up; nil where a private one counts.
  private func publicSource() -> Task<Result<[SourcePrefix], Failure>, Never>? {
    guard options.jit.address == .public, !lacksSource else { return nil }
    return Task { [self] in
      await outcome { () async throws(Failure) in
        try await world.sources(options.jit, isConfirmed: commandLine.has(.yes))
      }
    }
  }

  /// The subnets tell nothing that is needed to connect.
  static let subnetPatience = Duration.seconds(1)

  static let rdpPort = 3389
  static let sshPort = 22

  /// Failures that a remembered machine or policy may have caused: it is looked up again, once.
  private static func mayComeFromMemory(_ failure: Failure) -> Bool {
    switch failure.code {
    case .vmNotFound, .notFound, .jitNotEnabled, .policyForbidsPort, .policyForbidsSource,
      .policyForbidsDuration, .policyForbidsRequest, .windowRefused, .noPublicAddress,
      .noPrivateAddress, .entraExtensionMissing:
      true
    default: false
    }
  }
}
