package import Azure
import FoundationEssentials
import Identity
package import Platform
package import SSHConfig
import Synchronization
import Terminal

/// What the portal's "Request access" does, for one machine or many at once: find them and their
/// policies, request windows for our own address with one call for each policy, wait for the ports.
///
/// What goes wrong for one machine is told for that one; the others go on.
package struct RequestAccess: Sendable {
  /// One machine as it was asked for.
  package struct Wish: Sendable {
    package var target: TargetQuery
    /// Empty is the port of its operating system.
    package var ports: [Int]
    package var settings: JitSettings
    /// Whether its configuration leads to it through another host: nobody can knock from here then.
    package var isProxied: Bool

    package init(
      _ target: TargetQuery, ports: [Int], settings: JitSettings, isProxied: Bool = false
    ) {
      self.target = target
      self.ports = ports
      self.settings = settings
      self.isProxied = isProxied
    }
  }

  /// Which machines.
  package enum Choice: Sendable {
    case named([Wish])
    case fleet(FleetFilter, ports: [Int], settings: JitSettings)
  }

  let world: World
  let azure: AzureAccess
  let memory: Memory
  let search: MachineSearch
  /// What is typed before the machines to do the same again.
  let command: String
  /// `--yes`
  let isConfirmed: Bool
  /// Names instead of making what changes something.
  let isDryRun: Bool
  /// Whether the ports are waited for.
  let waits: Bool
  /// Sources that were settled already, as for `--save-source`.
  let fixedSources: [SourcePrefix]?
  let progress: Progress
  let opened = OpenedWindows()
  let calls = NamedCalls()
  let proofs = LaterProofs()

  package init(
    _ world: World, _ azure: AzureAccess, _ settings: JitSettings, isConfirmed: Bool,
    isDryRun: Bool = false, waits: Bool = true, sources: [SourcePrefix]? = nil,
    command: String = "jitconnect request"
  ) {
    self.command = command
    self.world = world
    self.azure = azure
    self.isConfirmed = isConfirmed
    self.isDryRun = isDryRun
    self.waits = waits
    fixedSources = sources
    memory = Memory(world.environment, cloud: azure.cloud.name, clock: world.clock)
    search = MachineSearch(world, azure, settings, command: command)
    progress = Progress(world.console)
  }

  /// - Returns: each port that was asked for, in the order of the machines.
  package func run(_ choice: Choice) async throws(Failure) -> [PortAccess] {
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
      proofs.cancel()
    }
    world.interrupts.leaving { [opened, world] in opened.text(now: world.clock.now()) }

    // 1. find the machines and their policies; beside it, where we come from
    progress.show("looking up the machines")
    let source = publicSource(choice)
    defer { source?.cancel() }
    var accesses = try await find(choice)
    let policies = await readPolicies(of: accesses)

    // 2. running? just-in-time access enabled?
    try await ensureRunning(&accesses)
    try await takePolicies(&accesses, policies)

    // 3. a minimal window for each: one port, our address, the shortest time
    try await plan(&accesses, source)
    try await nameOthers(accesses)

    // 4. one call for each policy
    if isDryRun {
      try nameCalls(&accesses)
      return accesses
    }
    progress.show("requesting access to \(accesses.count(where: \.isGoing)) ports")
    await request(&accesses)

    // 5. wait until the ports really answer, side by side
    if waits { await wait(&accesses) }
    await proofs.tell(world)
    if Task.isCancelled { throw Failure(.interrupted, what: "interrupted") }
    return accesses
  }

  /// Names whose windows the new ones may end; a dry run asks nothing.
  private func nameOthers(_ accesses: [PortAccess]) async throws(Failure) {
    let meant = accesses.filter { $0.isGoing && !($0.plan?.others ?? []).isEmpty }
    let others = meant.flatMap { access in
      (access.plan?.others ?? []).map { (machine: access.name, window: $0) }
    }
    if isDryRun {
      let now = world.clock.now()
      for other in others {
        world.console.remark(
          "# \(other.window.text(on: other.machine, now: now)); a new request may end it")
      }
      return
    }
    let names = meant.map { access in
      (access.machine?.id.text ?? access.name) + (access.port.map { ":\($0)" } ?? "")
    }
    try await world.nameOthers(
      others, retype: "\(command) --keep-others \(shellLine(names))",
      keepsOthers: meant.allSatisfy(\.settings.keepOthers))
  }

  /// The calls that a dry run has named, in their order.
  package var namedCalls: [RESTCall] { calls.all }

  /// Our own public address, asked for beside the look-up; nil where nobody needs it.
  private func publicSource(
    _ choice: Choice
  ) -> Task<Result<[SourcePrefix], Failure>, Never>? {
    let all: [JitSettings] =
      switch choice {
      case .named(let wishes): wishes.map(\.settings)
      case .fleet(_, _, let settings): [settings]
      }
    let needing = all.first { settings in
      if case .auto = settings.source { settings.address == .public } else { false }
    }
    guard let needing, fixedSources == nil else { return nil }
    return Task { [world, isConfirmed] in
      await outcome { () async throws(Failure) in
        try await world.sources(needing, isConfirmed: isConfirmed)
      }
    }
  }
}

/// The windows that a run has opened.
final class OpenedWindows: Sendable {
  private let windows = Mutex<[GrantedWindow]>([])
  /// Those that were asked for and not answered: which ports of which machines.
  private let asked = Mutex<[String]>([])

  func add(_ new: [GrantedWindow]) { windows.withLock { $0 += new } }

  /// A call goes out; it may be heard although nobody hears its answer.
  func ask(for names: [String]) { asked.withLock { $0 += names } }

  /// Azure has answered the call.
  func answered(for names: [String]) {
    asked.withLock { asked in
      for name in names {
        if let place = asked.firstIndex(of: name) { asked.remove(at: place) }
      }
    }
  }

  /// What an interruption leaves behind.
  func text(now: Date) -> String {
    let all = windows.withLock { $0 }
    let open = asked.withLock { $0 }
    let doubtful =
      open.isEmpty
      ? nil
      : "\(open.prefix(3).joined(separator: ", "))\(open.count > 3 ? " and others" : "") may have "
        + "been opened"
    guard let end = all.map(\.end).max() else {
      return doubtful ?? "no window is known to have been opened"
    }
    let names = all.prefix(3).map { "port \($0.port) of \($0.machine.name)" }
    let more = all.count > names.count ? " and \(all.count - names.count) more" : ""
    let certain =
      "\(names.joined(separator: ", "))\(more) \(all.count == 1 ? "stays" : "stay") open until "
      + localTimeText(end, now: now)
    return [certain, doubtful].compactMap(\.self).joined(separator: "; ")
  }
}

/// Calls that are named and not made.
package final class NamedCalls: Sendable {
  private let calls = Mutex<[RESTCall]>([])

  package init() {}

  func add(_ call: RESTCall) { calls.withLock { $0.append(call) } }

  package var all: [RESTCall] { calls.withLock { $0 } }
}
