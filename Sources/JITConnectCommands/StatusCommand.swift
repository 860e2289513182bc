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
    abstract: "One VM: power, ports with their limits, open windows, rules.",
    usage: "jitconnect status [options] vm",
    discussion: """
      Azure often leaves open who asked; the activity log, which lags behind by minutes, tells it \
      then, and the name is marked as inferred. In a pipe each line begins with what it tells: vm, port, window, rule or unread; tabs stand \
      between.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var target: String

  func run(in world: World) async throws -> Int32 {
    let options = try common.resolve(target, in: world.environment).options
    let azure = try await AzureAccess(world, options.jit)
    let search = MachineSearch(world, azure, options.jit, command: "jitconnect status")
    let view = try await search.view(try TargetQuery(options))
    let own = OwnWindows(world.environment, clock: world.clock)
    let now = world.azureNow
    async let paths = azure.securityGroups.paths(to: view.machine)
    async let authors = WindowAuthors(of: view, now: now, own: own, azure)
    let report = StatusReport(
      view, paths: await paths, authors: await authors, own: own, now: now)
    if common.json {
      try JSONOutput.write(report)
    } else {
      let text = report.text(for: world.console, now: now)
      try writeAll(STDOUT_FILENO, text.utf8)
    }
    return 0
  }
}
