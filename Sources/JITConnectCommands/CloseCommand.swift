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

/// `jitconnect close vm…`: own windows end early.
struct CloseCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "close",
    abstract: "Ends your own windows early.",
    usage: "jitconnect close [options] vm[:port,...] ...",
    discussion: """
      Azure cannot close a window. Its rule in the network security group is deleted where you may; \
      else a request of the shortest duration takes its place; else it stays until its end. What \
      happened is told. Nobody else's window is touched.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Flag(
    inversion: .prefixedNo,
    help: "A shorter request also lets in the sources of other live windows. (default: no)")
  var keepOthers: Bool?

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String]

  func run(in world: World) async throws -> Int32 {
    let added: [(JitKeyword, String?)] = [(.keepOthers, keepOthers.map { $0 ? "yes" : "no" })]
    var closed: [ClosedWindow] = []
    var failures: [Failure] = []
    var interruption: Failure?
    for text in targets {
      do throws(Failure) {
        let target = try RequestTarget(parsing: text)
        let options = try common.resolve(
          target.machine, adding: added, in: world.environment
        ).options
        let azure = try await AzureAccess(world, options.jit)
        let search = MachineSearch(world, azure, options.jit, command: "jitconnect close")
        let view = try await search.view(try TargetQuery(options))
        let known = closed.count
        try await CloseWindows(world, azure, keepsOthers: options.jit.keepOthers)
          .close(on: view, ports: target.ports, into: &closed)
        if closed.count == known {
          world.console.note("no window is open on \(view.machine.name)")
        }
      } catch {
        // What was closed before is told all the same.
        if error.code == .interrupted { interruption = error; break }
        if targets.count == 1, closed.isEmpty { throw error }
        failures.append(error)
      }
    }
    if let interruption, closed.isEmpty { throw interruption }
    for window in closed where window.staysOpen {
      failures.append(
        Failure(
          .windowNotClosed,
          what: "port \(window.port) of \(window.machine.name) stays open",
          why: CloseReport.why(window)))
    }
    let report = CloseReport(closed, failures)
    if common.json {
      try JSONOutput.write(report)
    } else {
      let text = report.text(for: world.console, now: world.clock.now())
      try writeAll(STDOUT_FILENO, text.utf8)
    }
    if let interruption { throw interruption }
    for failure in failures where !common.json { world.console.error(failure) }
    return ExitStatus.common(to: failures)
  }
}

/// What `close` did, as its JSON has it.
struct CloseReport: Encodable {
  struct Window: Encodable {
    var vm: String
    var id: String
    var port: Int
    var sources: [String]
    /// `rule-deleted`, `over`, `superseded`, `left`, or `not-yours`.
    var outcome: String
    /// When it ends; absent where it is over.
    var end: Date?
    var requestor: String?
    /// Why it is left.
    var why: String?
  }

  var windows: [Window]
  /// What could not be closed or looked at; absent where all went well.
  var errors: [FailureReport.Body]?

  init(_ closed: [ClosedWindow], _ failures: [Failure]) {
    errors = failures.isEmpty ? nil : failures.map { FailureReport($0).error }
    windows = closed.map { closed in
      var window = Window(
        vm: closed.machine.name, id: closed.machine.id.text, port: closed.port,
        sources: closed.sources.map(\.text), outcome: "")
      switch closed.ending {
      case .ruleDeleted: window.outcome = "rule-deleted"
      case .over: window.outcome = "over"
      case .superseded(let end): (window.outcome, window.end) = ("superseded", end)
      case .left(let end, let why):
        (window.outcome, window.end, window.why) = ("left", end, why)
      case .notOwn(let who, let end):
        (window.outcome, window.end, window.requestor) = ("not-yours", end, who)
      }
      return window
    }
  }

  static func why(_ closed: ClosedWindow) -> String? {
    if case .left(_, let why) = closed.ending { why } else { nil }
  }

  func text(for console: Console, now: Date) -> String {
    var table = Table(header: ["VM", "PORT", "FROM", "OUTCOME", "UNTIL", "WHO"])
    table.rows = windows.map { window in
      [
        window.vm, "\(window.port)", window.sources.joined(separator: ","), window.outcome,
        timeCell(window.end, console, now: now), window.requestor ?? "",
      ]
    }
    return table.text(for: console)
  }
}
