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

/// `jitconnect history vm`: who asked for its ports.
struct HistoryCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Who requested what, when, from where, why.",
    usage: "jitconnect history [options] vm",
    discussion: """
      From the requests that the policy keeps and the activity log, which tells who and lags behind \
      by minutes. A name that only the log's time leads to is marked as inferred. Where just-in-time \
      access was disabled, the log alone tells.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(
    help: ArgumentHelp(
      "How far back: 12h, 7d; at most 90d. (default: 7d)", valueName: "time"))
  var since = "7d"

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var target: String

  func run(in world: World) async throws -> Int32 {
    let back = try reach()
    let options = try common.resolve(target, in: world.environment).options
    let azure = try await AzureAccess(world, options.jit)
    let search = MachineSearch(world, azure, options.jit, command: "jitconnect history")
    let view = try await search.view(try TargetQuery(options))
    let now = world.azureNow
    let history = await AccessHistory(
      of: view, since: now.addingTimeInterval(-Double(back)), now: now,
      own: OwnWindows(world.environment, clock: world.clock), azure)
    if view.entry == nil { try tellDisabled(view.machine, history, world.console) }
    let report = HistoryReport(history)
    if common.json {
      try JSONOutput.write(report)
    } else {
      for gap in history.unread {
        world.console.warn("\(gap); who asked may be missing")
      }
      if history.unattributed > 0 {
        world.console.warn(Self.unattributed(history.unattributed, view.machine.name))
      }
      try writeAll(STDOUT_FILENO, report.text(for: world.console, now: now).utf8)
    }
    return 0
  }

  /// That no policy holds the machine: a word beside its history, the whole answer where there is
  /// none.
  private func tellDisabled(
    _ machine: VirtualMachine, _ history: AccessHistory, _ console: Console
  ) throws(Failure) {
    let what = "just-in-time access is not enabled on \(machine.name)"
    guard history.entries.isEmpty else { return console.note(what) }
    let reason: String =
      if let gap = history.unread.first {
        gap
      } else if history.unattributed > 0 {
        Self.unattributed(history.unattributed, machine.name)
      } else {
        "the activity log has no request for it within \(since)"
      }
    throw Failure(
      .jitNotEnabled, what: what, why: "no policy in its subscription holds it; \(reason)",
      next: "jitconnect enable \(machine.resourceGroup)/\(machine.name)")
  }

  private static func unattributed(_ count: Int, _ machine: String) -> String {
    "\(count) \(count == 1 ? "request" : "requests") in the activity log "
      + "\(count == 1 ? "names" : "name") no machine and may be for \(machine) too"
  }

  /// Seconds.
  private func reach() throws(Failure) -> Int {
    guard let seconds = SSHDuration.secondsOrISO8601(since), seconds > 0 else {
      throw Failure(
        .usage, what: "'\(printable(since, limit: 100))' is no time",
        next: "write it as 12h, 7d or 1h30m: --since 7d")
    }
    // A little less than Azure's limit, which its own clock decides.
    let most = Int(ActivityLog.reach.components.seconds)
    guard seconds <= most else {
      throw Failure(
        .usage, what: "the activity log goes back 90 days", why: "asked was \(since)",
        next: "--since 90d")
    }
    return min(seconds, most - 60)
  }
}
