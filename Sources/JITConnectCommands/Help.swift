import SSHConfig

/// The help texts of the program as a whole.
enum Help {
  static func short(_ program: String) -> String {
    """
    usage: \(program) [ssh options] [user@]vm [command ...]
           \(program) --help
    """
  }

  static func text(_ program: String) -> String {
    """
    Connects to an Azure VM whose port Defender for Cloud keeps shut: finds the VM, requests
    just-in-time access for your own address, waits for the port, and opens SSH.

    usage: \(program) [ssh options] [user@]vm [command ...]

      \(program) web1                     a shell
      \(program) azureuser@web1 uptime    a command; its exit status is passed on
      \(program) prod/web1                the VM web1 of the resource group prod
      \(program) win1                     a Windows VM: its .rdp file

    Every one-letter option is ssh's and means what ssh means. Our own are long:

    \(options)

    Each is also a keyword for -o and for configuration files (~/.config/jitconnect/config,
    ~/.ssh/config) and a variable: JitDuration, JITCONNECT_DURATION.
    Exit status: the remote command's own; 255 for any failure of \(program).
    """
  }

  private static var options: String {
    let width = rows.map(\.option.count).max() ?? 0
    return rows.map { row in
      let gap = String(repeating: " ", count: width - row.option.count + 2)
      return "  \(row.option)\(gap)\(row.says)"
    }.joined(separator: "\n")
  }

  private static let rows: [(option: String, says: String)] = [
    ("--for TIME", "how long the window stays open (the shortest allowed)"),
    ("--reason TEXT", "sent as the justification"),
    ("--source ADDRESS", "who is let in: auto, address, CIDR, several with commas"),
    ("--enable, --no-enable", "enable just-in-time access where it is not (ask)"),
    ("--start, --no-start", "start a stopped VM (ask)"),
    ("--wait TIME", "how long to wait for the port (2 minutes)"),
    ("--address public|private", "the address to connect to (public)"),
    ("--keep-others", "let in the sources of other live windows too"),
    ("--subscription ID", "where to look for the VM"),
    ("--resource-group NAME", "where to look for the VM"),
    ("--cloud NAME", "AzureCloud, AzureUSGovernment, AzureChinaCloud, or a URL"),
    ("--no-jit", "no call to Azure: plain ssh"),
    ("--unknown-host ssh", "a host that is no Azure VM is reached as ssh would"),
    ("--yes", "confirms what this command line itself spells out"),
    ("--version, --help", "about the program"),
  ]
}
