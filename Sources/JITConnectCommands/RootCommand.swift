import ArgumentParser

/// The program's verbs, for help. A word that is no verb belongs to `ssh`, which reads its own argv
/// before anything here does: ArgumentParser takes no option after the host and no clustered letter.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jitconnect",
    abstract: "Connects to Azure VMs behind just-in-time access.",
    usage: """
      jitconnect [ssh options] [user@]vm [command ...]
      jitconnect ssh [ssh options] [user@]vm [command ...]
      """,
    discussion: """
      Finds the VM, requests just-in-time access for your own address, waits until the port \
      answers, and opens SSH; a Windows VM gives its .rdp file.

        jitconnect web1                     a shell
        jitconnect azureuser@web1 uptime    a command; its exit status is passed on
        jitconnect prod/web1                the VM web1 of the resource group prod
        jitconnect win1                     a Windows VM

      Every one-letter option is ssh's and means what ssh means; our own are long, see \
      jitconnect ssh --help.

      The first word is a verb only if it is one of these. A VM named like one is reached with \
      jitconnect ssh NAME.
      """,
    version: Version.longText,
    subcommands: [
      SSHVerb.self, RDPCommand.self, ListCommand.self, StatusCommand.self, EnableCommand.self,
      EditCommand.self, DisableCommand.self, RequestCommand.self, CloseCommand.self,
      HistoryCommand.self, DoctorCommand.self, LoginCommand.self, LogoutCommand.self,
      WhoamiCommand.self, SSHConfigCommand.self,
    ], helpNames: .long)

  /// The command of a verb; nil for one that is not built in.
  static func command(of verb: Verb) -> (any VerbCommand.Type)? {
    configuration.subcommands.lazy.compactMap { $0 as? any VerbCommand.Type }
      .first { $0.configuration.commandName == verb.rawValue }
  }

  /// The verbs that there are, for completion.
  static var builtInVerbs: [(name: String, help: String)] {
    configuration.subcommands.map {
      ($0.configuration.commandName ?? "", $0.configuration.abstract)
    }
  }

  /// The help of the whole program, without ArgumentParser's hint at a verb that we lack: `help` is
  /// a host here.
  static var helpText: String {
    helpMessage(columns: 80).split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.contains("help <subcommand>") }.joined(separator: "\n")
  }
}
