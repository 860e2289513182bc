import ArgumentParser
import HTTP
import JITConnect
import Platform
import SSH
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect [ssh options] [user@]vm [command …]`: stands in the place of ssh.
struct SSHCommand {
  private let programName: String
  private let environment: Environment
  private let isSSHAlone: Bool
  private let background: Background?
  private let isHop: Bool

  /// - Parameters:
  ///   - isSSHAlone: never a desktop: the verb `ssh`, or that name.
  ///   - background: whoever waits for this session (`-f`).
  init(
    programName: String, environment: Environment, isSSHAlone: Bool, background: Background?
  ) {
    var environment = environment
    isHop = HopStatus.takeOrder(from: &environment)
    self.programName = programName
    self.environment = environment
    self.isSSHAlone = isSSHAlone
    self.background = background
  }

  /// - Parameter words: argv behind the program's name and the verb.
  /// - Returns: the remote command's status, or 255 for any failure of ours.
  func run(_ words: [[UInt8]]) async -> Int32 {
    var commandLine: SSHCommandLine
    do {
      commandLine = try SSHCommandLine.parse(words.map { String(decoding: $0, as: UTF8.self) })
      commandLine.takeCommand(from: words)
    } catch {
      return refuse(error)
    }
    if let status = answerWithoutHost(commandLine) { return status }
    // Before the configuration is read, whose `Match exec` commands shall run once.
    if commandLine.has("f"), !commandLine.printsConfiguration, background == nil {
      return startInBackground()
    }

    let options: SSHOptions
    do {
      options = try SSHConfigResolver.resolve(
        commandLine, in: .system(environment), sources: .files(of: environment))
    } catch {
      return refuse(error)
    }
    if commandLine.printsConfiguration {
      print(options.printedConfiguration().joined(separator: "\n"))
      return 0
    }
    if options.forkAfterAuthentication, background == nil { return startInBackground() }
    return await connect(options, commandLine, words)
  }

  private func startInBackground() -> Int32 {
    do {
      return try Background.start()
    } catch {
      Console.current(environment: environment, programName: programName).error(error)
      return ExitStatus.ssh
    }
  }

  // MARK: Answers without a connection

  private func answerWithoutHost(_ line: SSHCommandLine) -> Int32? {
    if line.asksVersion {
      // ssh writes its version to standard error.
      writeError(Version.sshLine)
      return 0
    }
    if line.has(.version) {
      print(Version.longText)
      return 0
    }
    if line.has(.help) {
      print(RootCommand.helpMessage(for: SSHVerb.self, columns: 80))
      return 0
    }
    if let query = line.query {
      guard let names = AlgorithmQuery.answer(query) else {
        writeError("Unsupported query \"\(printable(query, limit: 100))\"")
        return ExitStatus.ssh
      }
      print(names.joined(separator: "\n"))
      return 0
    }
    guard line.destination != nil else {
      writeError(usage)
      return ExitStatus.ssh
    }
    return nil
  }

  private func refuse(_ error: SSHConfigError) -> Int32 {
    for line in error.lines { writeError(printable(line)) }
    if error.kind == .usage {
      writeError(usage)
    }
    return isHop ? HopStatus.isNoWay : ExitStatus.ssh
  }

  private var usage: String {
    if programName == "ssh" { return SSHCommandLine.usage(programName) }
    return """
      usage: \(programName) [ssh options] [user@]vm [command ...]
             \(programName) --help
      """
  }

  private func writeError(_ text: String) { try? writeAll(STDERR_FILENO, (text + "\n").utf8) }

  // MARK: The connection

  private func connect(
    _ options: SSHOptions, _ line: SSHCommandLine, _ words: [[UInt8]]
  ) async -> Int32 {
    var world: World
    do {
      world = try World.atTheEdge(
        environment, programName: programName, logFile: line.logFile,
        verbosity: options.verbosity, isQuiet: options.logLevel <= .fatal,
        mayAsk: !options.batchMode, debug: line.has(.debug))
    } catch {
      writeError("\(error)")
      return ExitStatus.ssh
    }
    let console = world.console
    for note in options.notes where note.level == .warning { console.remark(note.text) }
    for note in options.notes where note.level == .debug {
      world.writeDebug(1, "debug1: \(note.text)")
    }
    world.background = background
    let desktop = DesktopPreparation(report: DesktopReport.writer(line.has(.json)))
    let connect = Connect(
      world, options, line, goal: isSSHAlone ? .session : .sessionOrDesktop, desktop: desktop,
      words: words, typed: TypedCommand(words, line, verb: isSSHAlone ? "ssh" : nil))
    do {
      return try await connect.run()
    } catch let failure as Failure {
      VerbRunner.tell(failure, asJSON: desktop.isMade && line.has(.json), console)
      await connect.offerDoctor(after: failure)
      // A Ctrl-C at a question is a key, not a signal.
      if failure.code == .interrupted {
        Signals.die(of: world.interrupts.signal ?? Signals.end ?? SIGINT)
      }
      if isHop, let status = world.hop.status { return status }
      // A desktop is no session: there is no status of a remote command to tell ours from.
      if desktop.isMade { return ExitStatus.ofVerb(failure.code) }
      return ExitStatus.ssh
    } catch {
      console.error(Failure(.systemFailed, what: "\(error)"))
      return ExitStatus.ssh
    }
  }
}
