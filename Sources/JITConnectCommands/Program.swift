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

/// The whole program: from argv to the exit status.
package enum Program {
  package static let version = "0.1.0"

  /// Runs the program and ends the process with its status.
  ///
  /// Not an async function: the concurrency runtime opens descriptors of its own, and would be given
  /// the numbers of standard ones that are closed.
  package static func start() -> Never {
    openStandardDescriptors()
    Signals.ignore(SIGPIPE)
    // Some daemons ignore it for what they start; no child of ours would then leave a status.
    Signals.restoreDefault(SIGCHLD)
    Signals.unblock()
    forbidCoreDumps()
    let background = Background.inherited()
    Task { await run(background) }
    while true { pause() }
  }

  private static func run(_ background: Background?) async {
    var words = argumentBytes()
    let path = words.isEmpty ? "jitconnect" : String(decoding: words.removeFirst(), as: UTF8.self)
    let environment = Environment.current()
    let name = String(path.split(separator: "/").last ?? "jitconnect")
    exit(await run(named: name, words, environment, background))
  }

  /// argv as it is. `CommandLine.arguments` repairs what is no UTF-8, and a remote command may hold
  /// names in any encoding.
  private static func argumentBytes() -> [[UInt8]] {
    (0..<Int(CommandLine.argc)).compactMap { index in
      unsafe CommandLine.unsafeArgv[index].map { word in
        unsafe Array(UnsafeRawBufferPointer(start: word, count: strlen(word)))
      }
    }
  }

  /// - Parameter name: started as `ssh`, there are no verbs.
  private static func run(
    named name: String, _ words: [[UInt8]], _ environment: Environment, _ background: Background?
  ) async -> Int32 {
    var words = words
    // Whoever says ssh wants a session, of a Windows VM too.
    var isSSHAlone = name == "ssh"
    let first = words.first.map { String(decoding: $0, as: UTF8.self) }
    if name != "ssh", first == CompletionCommand.word {
      let words = words.dropFirst().map { String(decoding: $0, as: UTF8.self) }
      return await CompletionCommand(environment: environment).run(words)
    }
    if name != "ssh", first == "--help", words.count == 1 {
      print(RootCommand.helpText)
      return 0
    }
    if name != "ssh", let verb = first.flatMap(Verb.init(rawValue:)) {
      words.removeFirst()
      guard verb == .ssh else {
        return await VerbRunner(programName: name, environment: environment).run(verb, words)
      }
      isSSHAlone = true
    }
    return await SSHCommand(
      programName: name, environment: environment, isSSHAlone: isSSHAlone,
      background: background
    ).run(words)
  }

  /// Closed standard descriptors would be given to the next files that are opened.
  private static func openStandardDescriptors() {
    for descriptor in 0...2 where fcntl(Int32(descriptor), F_GETFD) == -1 {
      _ = unsafe open("/dev/null", O_RDWR)
    }
  }
}
