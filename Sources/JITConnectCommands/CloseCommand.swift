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
    var wishes: [Wish] = []
    do throws(Failure) {
      for text in targets {
        do throws(Failure) {
          try await add(text, settings: added, to: &wishes, in: world)
        } catch {
          if error.code == .interrupted || targets.count == 1 { throw error }
          failures.append(error)
        }
      }
      for wish in wishes {
        do throws(Failure) {
          let view = try await wish.search.view(of: wish.machine)
          let known = closed.count
          try await CloseWindows(
            world, wish.search.azure, keepsOthers: wish.keepsOthers, dryRun: calls
          ).close(on: view, ports: wish.ports, into: &closed)
          if closed.count == known, !dryRun {
            world.console.note("no window is open on \(view.machine.name)")
          }
        } catch {
          if error.code == .interrupted { throw error }
          if targets.count == 1, closed.isEmpty { throw error }
          failures.append(error)
        }
      }
    } catch {
      // What was closed before is told all the same.
      guard error.code == .interrupted else { throw error }
      interruption = error
    }
    if let interruption, closed.isEmpty { throw interruption }
    let now = world.clock.now()
    failures += closed.compactMap { CloseReport.failure($0, common, now: now) }
    let report = CloseReport(closed, failures, calls: calls?.all)
    if common.json {
      try JSONOutput.write(report)
    } else if let calls {
      try writeAll(STDOUT_FILENO, calls.all.map { $0.azLine + "\n" }.joined().utf8)
    } else {
      let text = report.text(for: world.console, now: now)
      try writeAll(STDOUT_FILENO, text.utf8)
    }
    if let interruption { throw interruption }
    for failure in failures where !common.json { world.console.error(failure) }
    return ExitStatus.common(to: failures)
  }

  /// One machine, whatever number of names leads to it.
  private struct Wish {
    var machine: VirtualMachine
    /// Empty is all.
    var ports: [Int]
    var keepsOthers: Bool
    var search: MachineSearch
  }

  private func add(
    _ text: String, settings: [(JitKeyword, String?)], to wishes: inout [Wish], in world: World
  ) async throws(Failure) {
    let target = try RequestTarget(parsing: text)
    let options = try common.resolve(
      target.machine, adding: settings, in: world.environment
    ).options
    let azure = try await AzureAccess(world, options.jit)
    let search = MachineSearch(world, azure, options.jit, command: "jitconnect close")
    let machine = try await search.locate(try TargetQuery(options))
    guard let index = wishes.firstIndex(where: { $0.machine.id == machine.id }) else {
      wishes.append(
        Wish(
          machine: machine, ports: target.ports, keepsOthers: options.jit.keepOthers,
          search: search))
      return
    }
    if wishes[index].ports.isEmpty || target.ports.isEmpty {
      wishes[index].ports = []
    } else {
      wishes[index].ports += target.ports
    }
  }
}
