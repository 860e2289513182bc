import FoundationEssentials
import JITConnect
import Platform
import SSHConfig

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect --complete …`: what the scripts in `completions/` ask at each press of the key.
///
/// Says nothing but candidates, one to a line: the word, a tab, a few words on it. A line `:files`
/// means that names of files may stand there too; a word that ends with a blank is whole. Never a
/// failure, never a question, never the network.
struct CompletionCommand {
  static let word = "--complete"

  let environment: Environment

  func run(_ words: [String]) async -> Int32 {
    switch words.first {
    case "bash" where words.count >= 2:
      let line = BashLine(words[1], breaks: words.count > 2 ? words[2] : " \t\n\"'><=;|&(:")
      write(answer(Array(line.words.dropFirst()))) { line.inserted($0) }
    case "zsh", "fish": write(answer(Array(words.dropFirst()))) { $0 }
    case "script" where words.count == 2:
      guard let script = CompletionScript(rawValue: words[1]) else { return ExitStatus.usage }
      print(script.text, terminator: "")
    case "refresh": await refresh()
    default: return ExitStatus.usage
    }
    return 0
  }

  private func answer(_ words: [String]) -> CompletionAnswer {
    var names: FleetNames?
    let answer = Completion(environment) {
      let read = names ?? FleetNames.read(environment)
      names = read
      return read
    }.answer(words)
    if names != nil { startRefreshing() }
    return answer
  }

  private func write(_ answer: CompletionAnswer, as insert: (String) -> String) {
    var text = ""
    for candidate in answer.candidates {
      text += printable(insert(candidate.word), limit: 1000)
      if candidate.isWhole { text += " " }
      if let help = candidate.help { text += "\t" + printable(help, limit: 100) }
      text += "\n"
    }
    if answer.takesFiles { text += ":files\n" }
    try? writeAll(STDOUT_FILENO, text.utf8)
  }

  // MARK: Names that are old

  /// Starts a process of its own that outlives this one and says nothing.
  private func startRefreshing() {
    guard FleetNames.areOld(environment, now: Date()), let path = OwnProcess.path,
      let null = try? FileDescriptor(
        owning: valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    else { return }
    let process = ChildProcess(
      path: path, arguments: [Self.word, "refresh"], environment: environment.variables,
      directory: "/")
    _ = try? process.start(
      input: null.number, output: null.number, error: null.number, newSession: true)
  }

  /// Seconds.
  private static let patience: UInt32 = 60

  /// The settings that count for every machine: nobody asked for a `Match exec` to run.
  private static func withoutPrograms(_ environment: Environment) -> SSHConfigWorld {
    var world = SSHConfigWorld.system(environment)
    world.run = { _ in false }
    return world
  }

  private func refresh() async {
    guard
      let world = try? World.atTheEdge(
        environment, programName: "jitconnect", logFile: nil, verbosity: 0, isQuiet: true,
        mayAsk: false),
      let options = try? SSHConfigResolver.resolve(
        SSHCommandLine.parse(["0"]), in: Self.withoutPrograms(environment),
        sources: .files(of: environment)),
      // A keyring may be locked, and would ask to be opened at a press of the Tab key.
      options.jit.tokenStore == .file
    else { return }
    startThread {
      // Whatever hangs: the next try is not held up by this one.
      sleep(Self.patience)
      exit(1)
    }
    try? await FleetNames.refresh(world) { try await AzureAccess(world, options.jit) }
  }
}
