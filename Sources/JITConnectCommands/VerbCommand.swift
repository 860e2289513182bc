import ArgumentParser
import JITConnect
import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A verb: a command of its own, not a stand-in for ssh.
protocol VerbCommand: ParsableCommand, Sendable {
  var common: VerbOptions { get }

  /// Does the verb's work, inside ``Interrupts/during(_:)``.
  ///
  /// Ask through ``World/ask(_:)``. What is for stdout goes there when all of it is known, unless
  /// the verb streams.
  ///
  /// - Returns: the exit status; 0, unless the verb passes on another's.
  func run(in world: World) async throws -> Int32

  /// The words as they are given to the parser.
  static func prepared(_ words: [String]) -> [String]

  /// Whether the verb waits for something that signals are left to, and so calls
  /// ``Interrupts/during(_:)`` itself.
  static var handlesInterrupts: Bool { get }
}

extension VerbCommand {
  static func prepared(_ words: [String]) -> [String] { words }
  static var handlesInterrupts: Bool { false }
}

/// Runs one verb: from its words to the exit status.
struct VerbRunner {
  let programName: String
  let environment: Environment

  func run(_ verb: Verb, _ words: [[UInt8]]) async -> Int32 {
    let words = words.map { String(decoding: $0, as: UTF8.self) }
    let edge = Console.current(environment: environment, programName: programName)
    guard let type = RootCommand.command(of: verb) else {
      edge.error(
        Failure(
          .notBuiltIn, what: "the verb \(verb.rawValue) is not built in yet",
          next: "a VM of that name is reached with: \(programName) ssh \(verb.rawValue)"))
      return ExitStatus.ofVerb(.notBuiltIn)
    }
    if words.prefix(while: { $0 != "--" }).contains("--help") {
      print(RootCommand.helpMessage(for: type, columns: 80))
      return 0
    }
    do {
      let words = [verb.rawValue] + type.prepared(words)
      guard let command = try RootCommand.parseAsRoot(words) as? any VerbCommand else {
        return ExitStatus.usage
      }
      return await run(command)
    } catch {
      edge.error(
        Failure(
          .usage, what: RootCommand.message(for: error),
          next: "\(programName) \(verb.rawValue) --help"))
      return ExitStatus.usage
    }
  }

  private func run(_ command: any VerbCommand) async -> Int32 {
    let common = command.common
    let world: World
    do {
      world = try World.atTheEdge(
        environment, programName: programName, logFile: common.logFile,
        verbosity: common.verbosity, isQuiet: common.isQuiet, debug: common.debug)
    } catch {
      return report(
        error, common, Console.current(environment: environment, programName: programName))
    }
    do {
      if type(of: command).handlesInterrupts { return try await command.run(in: world) }
      return try await world.interrupts.during { try await command.run(in: world) }
    } catch {
      if let exit = error as? ExitCode { return exit.rawValue }
      // Whoever reads has seen enough: as every program ends then.
      if (error as? SystemError)?.number == EPIPE { Signals.die(of: SIGPIPE) }
      let failure = error as? Failure ?? Failure(.systemFailed, what: "\(error)")
      return report(failure, common, world.console)
    }
  }

  private func report(_ failure: Failure, _ common: VerbOptions, _ console: Console) -> Int32 {
    Self.tell(failure, asJSON: common.json, console)
    return ExitStatus.ofVerb(failure.code)
  }

  /// Prints a failure of which the verb may have several.
  static func tell(_ failure: Failure, asJSON: Bool, _ console: Console) {
    if asJSON, !console.isQuiet {
      console.remark(JSONOutput.text(FailureReport(failure), pretty: false))
    } else {
      console.error(failure)
    }
  }
}
