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

  @Flag(help: "Show the calls that would be made, as az rest lines; change nothing.")
  var dryRun = false

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String]

  func run(in world: World) async throws -> Int32 {
    let added: [(JitKeyword, String?)] = [(.keepOthers, keepOthers.map { $0 ? "yes" : "no" })]
    var closed: [ClosedWindow] = []
    var failures: [Failure] = []
    var interruption: Failure?
    let calls = dryRun ? NamedCalls() : nil
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
        try await CloseWindows(
          world, azure, keepsOthers: options.jit.keepOthers, dryRun: calls
        ).close(on: view, ports: target.ports, into: &closed)
        if closed.count == known, !dryRun {
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
    let report = CloseReport(closed, failures, calls: calls?.all)
    if common.json {
      try JSONOutput.write(report)
    } else if let calls {
      try writeAll(STDOUT_FILENO, calls.all.map { $0.azLine + "\n" }.joined().utf8)
    } else {
      let text = report.text(for: world.console, now: world.clock.now())
      try writeAll(STDOUT_FILENO, text.utf8)
    }
    if let interruption { throw interruption }
    for failure in failures where !common.json { world.console.error(failure) }
    return ExitStatus.common(to: failures)
  }
}
