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

      A Windows VM with no command and no option that asks for SSH gives its desktop, as \
      jitconnect rdp does and with the same options.

      Exit status: the remote command's own; 255 for any failure of jitconnect's.
      """, helpNames: .long)

  @OptionGroup var window: WindowOptions

  @Flag(inversion: .prefixedNo, help: "Close the window when the session ends. (default: no)")
  var closeOnExit: Bool?

  @OptionGroup var azure: AzureOptions

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

  @Flag(help: "Tell of every call too, without secrets; includes -v.")
  var debug = false

  @Flag(help: "Confirm what this command line itself spells out.")
  var yes = false

  @Argument(parsing: .captureForPassthrough, help: "ssh's options, the VM, a command.")
  var arguments: [String] = []
}
