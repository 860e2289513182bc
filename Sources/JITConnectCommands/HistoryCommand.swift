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
      by minutes.
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
    guard view.entry != nil else {
      throw Failure(
        .jitNotEnabled, what: "just-in-time access is not enabled on \(view.machine.name)",
        why: "no policy in its subscription holds it, so there is no history",
        next: "jitconnect enable \(view.machine.resourceGroup)/\(view.machine.name)")
    }
    let now = world.clock.now()
    let history = await AccessHistory(
      of: view, since: now.addingTimeInterval(-Double(back)), now: now, azure)
    let report = HistoryReport(history)
    if common.json {
      try JSONOutput.write(report)
    } else {
      for gap in history.unread {
        world.console.warn("\(gap); who asked may be missing")
      }
      try writeAll(STDOUT_FILENO, report.text(for: world.console, now: now).utf8)
    }
    return 0
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

/// What `history` tells, as its JSON has it.
struct HistoryReport: Encodable {
  struct Entry: Encodable {
    var time: Date?
    var who: String?
    /// Where the call to Azure came from.
    var clientAddress: String?
    var port: Int?
    var sources: [String]
    var end: Date?
    var seconds: Int?
    var reason: String?
    var status: String?
    var correlationId: String?
  }

  var requests: [Entry]
  var unread: [String]

  init(_ history: AccessHistory) {
    requests = history.entries.map { entry in
      var seconds: Int?
      if let time = entry.time, let end = entry.end {
        seconds = Int(end.timeIntervalSince(time).rounded())
      }
      return Entry(
        time: entry.time, who: entry.who, clientAddress: entry.clientAddress, port: entry.port,
        sources: entry.sources.map(\.text), end: entry.end, seconds: seconds,
        reason: entry.reason, status: entry.status, correlationId: entry.correlationID)
    }
    unread = history.unread
  }

  func text(for console: Console, now: Date) -> String {
    var table = Table(
      header: ["WHEN", "WHO", "CALLED FROM", "PORT", "LET IN", "FOR", "STATUS", "WHY"])
    table.rows = requests.map { entry in
      [
        timeCell(entry.time, console, now: now), entry.who ?? "", entry.clientAddress ?? "",
        entry.port.map(String.init) ?? "", entry.sources.joined(separator: ","),
        entry.seconds.map { durationWord(.seconds($0)) } ?? "", entry.status ?? "",
        entry.reason ?? "",
      ]
    }
    return table.text(for: console)
  }
}
