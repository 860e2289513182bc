import ArgumentParser
import Azure
import FoundationEssentials
import JITConnect
import Platform
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect request vm[:port,…]…`: opens ports and connects nowhere.
struct RequestCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "request",
    abstract: "Opens ports on one or many VMs, without connecting.",
    usage: "jitconnect request [options] vm[:port,...] ...",
    discussion: """
      Without a port it is 22 on Linux and 3389 on Windows. All ports of all VMs of a policy are \
      requested in one call, and waited for side by side.

        jitconnect request web1 web2:22,443
        jitconnect request --tag role=web --port 22 --for 1h --reason "rollout 17"
        jitconnect request --resource-group prod

      VMs chosen by tag or group are not asked about: --start and --enable say what may be done. \
      Each VM's outcome is told; the exit status is that of the failure where all failures are of \
      one kind, else 1.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions
  @OptionGroup var window: WindowOptions

  @Option(
    help: ArgumentHelp("For VMs named without a port; may be repeated.", valueName: "port,..."))
  var port: [String] = []

  @Option(
    help: ArgumentHelp("All VMs with this tag; may be repeated.", valueName: "name=value"))
  var tag: [String] = []

  @Option(
    help: ArgumentHelp(
      "Keep the addresses that are let in as a set for --source.", valueName: "name"))
  var saveSource: String?

  @Flag(help: "Show the calls that would be made, as az rest lines.")
  var dryRun = false

  @Flag(help: "Do not wait for the ports.")
  var noWait = false

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String] = []

  func validate() throws {
    if targets.isEmpty, tag.isEmpty, common.azure.resourceGroup == nil {
      throw ValidationError("name a VM, or choose VMs with --tag or --resource-group")
    }
    if !targets.isEmpty, !tag.isEmpty {
      throw ValidationError("name VMs or choose them with --tag, not both")
    }
  }

  func run(in world: World) async throws -> Int32 {
    let everywhere = try common.settings(adding: window.settings, in: world.environment)
    let choice = try choice(everywhere, world.environment)
    let azure = try await AzureAccess(world, everywhere)
    let sources = try await saveSource.asyncMap { name throws(Failure) in
      try await world.saveSources(as: name, everywhere, isConfirmed: common.yes, isDryRun: dryRun)
    }
    let request = RequestAccess(
      world, azure, everywhere, isConfirmed: common.yes, isDryRun: dryRun, waits: !noWait,
      sources: sources, command: retyped)
    let accesses = try await request.run(choice)
    let failures = accesses.compactMap(\.failure)
    let report = AccessReport(accesses, calls: dryRun ? request.namedCalls : nil)
    if common.json {
      try JSONOutput.write(report)
    } else {
      let text =
        dryRun
        ? request.namedCalls.map { $0.azLine + "\n" }.joined()
        : report.text(for: world.console, now: world.clock.now())
      try writeAll(STDOUT_FILENO, text.utf8)
    }
    if let only = failures.first, accesses.count == 1 { throw only }
    if !common.json { for failure in failures { world.console.error(failure) } }
    return ExitStatus.common(to: failures)
  }

  /// The same again, for machines that follow.
  private var retyped: String {
    var command = RetypedCommand("request", common)
    command.add("--port", port)
    command.add(window.settings)
    command.add("--save-source", saveSource)
    command.add("--dry-run", if: dryRun)
    command.add("--no-wait", if: noWait)
    command.add("--json", if: common.json)
    return command.text([])
  }

  private func choice(
    _ settings: JitSettings, _ environment: Environment
  ) throws(Failure) -> RequestAccess.Choice {
    var ports: [Int] = []
    for list in port {
      for port in try RequestTarget.ports(list, of: list) where !ports.contains(port) {
        ports.append(port)
      }
    }
    guard !targets.isEmpty else {
      var filter = FleetFilter(
        subscription: settings.subscription, resourceGroup: settings.resourceGroup)
      for text in tag { filter.tags.append(try FleetFilter.Tag(parsing: text)) }
      // Nobody wants to be asked 200 times.
      var settings = settings
      for keyword in [JitKeyword.enable, .start] where settings.text(keyword) == "ask" {
        settings.values[keyword] = JitSettings.Value(text: "no", origin: .commandLine)
      }
      return .fleet(filter, ports: ports, settings: settings)
    }
    var wishes: [RequestAccess.Wish] = []
    for text in targets {
      let target = try RequestTarget(parsing: text)
      let options = try common.resolve(
        target.machine, adding: window.settings, in: environment
      ).options
      wishes.append(
        RequestAccess.Wish(
          try TargetQuery(options), ports: target.ports.isEmpty ? ports : target.ports,
          settings: options.jit,
          isProxied: options.proxyJump != nil || options.proxyCommand != nil))
    }
    return .named(wishes)
  }
}

extension Optional where Wrapped: Sendable {
  fileprivate func asyncMap<Value>(
    _ transform: (Wrapped) async throws(Failure) -> Value
  ) async throws(Failure) -> Value? {
    guard let self else { return nil }
    return try await transform(self)
  }
}
