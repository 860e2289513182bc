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

  package static func run() async {
    Signals.ignore(SIGPIPE)
    forbidCoreDumps()
    var arguments = CommandLine.arguments
    let path = arguments.isEmpty ? "jitconnect" : arguments.removeFirst()
    let environment = Environment.current()
    let name = String(path.split(separator: "/").last ?? "jitconnect")
    exit(await run(named: name, arguments, environment))
  }

  /// - Parameter name: started as `ssh`, there are no verbs.
  private static func run(
    named name: String, _ arguments: [String], _ environment: Environment
  ) async -> Int32 {
    var arguments = arguments
    // Whoever says ssh wants a session, of a Windows VM too.
    var isSSHAlone = name == "ssh"
    if name != "ssh", arguments == ["--help"] {
      print(RootCommand.helpText)
      return 0
    }
    if name != "ssh", let verb = arguments.first.flatMap(Verb.init(rawValue:)) {
      arguments.removeFirst()
      guard verb == .ssh else {
        let console = Console.current(environment: environment, programName: name)
        console.error(
          Failure(
            .notBuiltIn, what: "the verb \(verb.rawValue) is not built in yet",
            next: "a VM of that name is reached with: \(name) ssh \(verb.rawValue)"))
        return ExitStatus.ofVerb(.notBuiltIn)
      }
      isSSHAlone = true
    }
    return await SSHCommand(
      programName: name, environment: environment, isSSHAlone: isSSHAlone
    ).run(arguments)
  }
}
