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

/// `jitconnect status vm`: what is open on a machine, for whom, and until when.
struct StatusCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "One VM: power, ports with their limits, open windows.",
    usage: "jitconnect status [options] vm",
    helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var target: String

  func run(in world: World) async throws -> Int32 {
    let options = try common.resolve(target, in: world.environment).options
    let azure = try await AzureAccess(world, options.jit)
    let search = MachineSearch(world, azure, options.jit, command: "jitconnect status")
    let view = try await search.view(try TargetQuery(options))
    let report = StatusReport(view, now: world.clock.now())
    if common.json {
      try JSONOutput.write(report)
    } else {
      try writeAll(STDOUT_FILENO, report.text(for: world.console).utf8)
    }
    return 0
  }
}

/// What `status` tells, as its JSON has it.
struct StatusReport: Encodable {
  struct Port: Encodable {
    var port: Int
    var `protocol`: String
    var allowedSources: [String]
    var maximumSeconds: Int?
  }

  struct Window: Encodable {
    var port: Int
    var sources: [String]
    var requestor: String?
    var reason: String?
    var start: Date?
    var end: Date?
    var status: String
  }

  var id: String
  var name: String
  var power: String?
  var isEnabled: Bool
  var policy: String?
  var ports: [Port]
  var windows: [Window]

  init(_ view: MachineView, now: Date) {
    id = view.machine.id.text
    name = view.machine.name
    power = view.machine.powerState?.rawValue
    isEnabled = view.entry != nil
    policy = view.policy?.id.text
    ports = (view.entry?.ports ?? []).map { rule in
      Port(
        port: rule.number, protocol: rule.protocol.description,
        allowedSources: rule.allowedSources.map(\.text),
        maximumSeconds: rule.maximumDuration.map { Int($0.components.seconds) })
    }
    let live = (view.policy?.windows(of: view.machine.id) ?? []).filter { $0.isLive(at: now) }
    windows = live.map { window in
      Window(
        port: window.port.number, sources: window.port.sources.map(\.text),
        requestor: window.requestor, reason: window.justification, start: window.start,
        end: window.port.end, status: window.port.status.rawValue)
    }
  }

  func text(for console: Console) -> String {
    var table = Table(header: ["PORT", "SOURCES", "WHO", "UNTIL"])
    table.rows = windows.map { window in
      [
        "\(window.port)", window.sources.joined(separator: ","), window.requestor ?? "",
        window.end?.formatted(.iso8601) ?? "",
      ]
    }
    return table.text(for: console)
  }
}
