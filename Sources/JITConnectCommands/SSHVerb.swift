import ArgumentParser

/// The options of `jitconnect ssh`, for help. They are read by `SSHCommandLine`; a test holds the
/// names here against its table.
struct SSHVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ssh",
    abstract: "Opens the port and connects, as ssh does. The default.",
    usage: "jitconnect [ssh] [ssh options] [user@]vm [command ...]",
    discussion: """
      Each option is also a keyword for -o and for configuration files \
      (~/.config/jitconnect/config, ~/.ssh/config) and a variable: --for is JitDuration and \
      JITCONNECT_DURATION.

      Exit status: the remote command's own; 255 for any failure of jitconnect's.
      """, helpNames: .long)

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp(
      "How long the window stays open: 10m, 1h30m. (default: the shortest allowed)",
      valueName: "time"))
  var duration: String?

  @Option(help: ArgumentHelp("Sent as the justification.", valueName: "text"))
  var reason: String?

  @Option(
    help: ArgumentHelp(
      "Who is let in: auto, an address, a CIDR, several with commas, or any.",
      valueName: "who"))
  var source: String?

  @Option(help: ArgumentHelp("Where to look for the VM.", valueName: "id or name"))
  var subscription: String?

  @Option(help: ArgumentHelp("Where to look for the VM.", valueName: "name"))
  var resourceGroup: String?

  @Flag(
    inversion: .prefixedNo, help: "Enable just-in-time access where it is not. (default: ask)")
  var enable: Bool?

  @Flag(inversion: .prefixedNo, help: "Start a stopped VM. (default: ask)")
  var start: Bool?

  @Option(
    help: ArgumentHelp("How long to wait for the port. (default: 2m)", valueName: "time"))
  var wait: String?

  @Option(
    help: ArgumentHelp(
      "The address to connect to: public or private. (default: public)", valueName: "which"))
  var address: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Also let in the sources of other live windows on the port. (default: no)")
  var keepOthers: Bool?

  @Option(
    help: ArgumentHelp(
      "AzureCloud, AzureUSGovernment, AzureChinaCloud, or a metadata URL.", valueName: "cloud"))
  var cloud: String?

  @Flag(help: "No call to Azure: the host is reached as ssh would.")
  var noJit = false

  @Option(
    help: ArgumentHelp(
      "A host that is no Azure VM: error, or ssh. (default: error)", valueName: "what"))
  var unknownHost: String?

  @Option(
    help: ArgumentHelp(
      "Who speaks SSH: libssh2, or openssh for the system's ssh. (default: libssh2)",
      valueName: "client"))
  var client: String?

  @Flag(help: "For ssh's ProxyCommand: jitconnect --stdio %h %p.")
  var stdio = false

  @Flag(help: "Confirm what this command line itself spells out.")
  var yes = false

  @Argument(parsing: .captureForPassthrough, help: "ssh's options, the VM, a command.")
  var arguments: [String] = []
}
