import ArgumentParser
import SSHConfig

/// What a desktop is given and shown with. Each is also a setting, a variable and a keyword:
/// `--size` is `JitRdpSize` and `JITCONNECT_RDP_SIZE`.
struct DesktopOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where the file goes: a name, a folder, or - for standard output.", valueName: "file"))
  var output: String?

  @Flag(help: "Replace a file that jitconnect did not write.")
  var force = false

  @Flag(
    inversion: .prefixedNo,
    help: """
      Start a client in place of giving the file; --open=CLIENT says which: mstsc, windows-app, \
      freerdp, remmina, or a command with %f %h %p %u.
      """)
  var open: Bool?

  /// `--open=CLIENT`, see ``RDPCommand/prepared(_:)``.
  @Option(name: .customLong("open-with"), help: .hidden)
  var client: String?

  @Option(
    help: ArgumentHelp("full, or a window such as 1600x900. (default: full)", valueName: "size"))
  var size: String?

  @Flag(inversion: .prefixedNo, help: "Use all monitors. (default: no)")
  var multimon: Bool?

  @Flag(inversion: .prefixedNo, help: "Share the clipboard with the VM. (default: no)")
  var clipboard: Bool?

  @Flag(
    inversion: .prefixedNo,
    help: "Share drives with the VM, all or --drives='C:\\;E:\\;'. (default: none)")
  var drives: Bool?

  @Option(name: .customLong("drives-named"), help: .hidden)
  var driveList: String?

  @Option(
    help: ArgumentHelp("Where it sounds: here, there or none. (default: here)", valueName: "where"))
  var audio: String?

  @Flag(inversion: .prefixedNo, help: "Share the microphone with the VM. (default: no)")
  var microphone: Bool?

  @Flag(inversion: .prefixedNo, help: "The administrative session. (default: no)")
  var admin: Bool?

  @Option(help: ArgumentHelp("Go through a Remote Desktop gateway.", valueName: "host"))
  var gateway: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Sign in with Entra ID; needs a name of the VM that leads to it. (default: no)")
  var entra: Bool?

  @Option(
    help: ArgumentHelp(
      "Sign the file with this certificate, PEM or PKCS#12.", valueName: "certificate"))
  var sign: String?

  @Flag(help: "Leave it unsigned, whatever a configuration file says.")
  var noSign = false

  @Option(
    help: ArgumentHelp("The certificate's key, if it lies apart.", valueName: "file"))
  var signKey: String?

  @Option(help: ArgumentHelp("A file with the key's passphrase.", valueName: "file"))
  var signPassphrase: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Go through the VM's SSH server; --via-ssh=PORT if RDP is not on 3389. (default: no)")
  var viaSsh: Bool?

  @Option(name: .customLong("via-ssh-to"), help: .hidden)
  var portBehindSSH: String?

  @Flag(help: "Take a server certificate that differs from the pinned one.")
  var acceptNew = false

  /// The settings that these set.
  var settings: [(JitKeyword, String?)] {
    func word(_ flag: Bool?, _ yes: String = "yes", _ no: String = "no") -> String? {
      flag.map { $0 ? yes : no }
    }
    return [
      (.rdpFile, output), (.rdpClient, client ?? word(open, "auto", "none")), (.rdpSize, size),
      (.rdpMultimon, word(multimon)), (.rdpClipboard, word(clipboard)),
      (.rdpDrives, driveList ?? word(drives, "*", "none")), (.rdpAudio, audio),
      (.rdpMicrophone, word(microphone)), (.rdpAdmin, word(admin)), (.rdpGateway, gateway),
      (.entra, word(entra)), (.rdpSign, noSign ? "none" : sign), (.rdpSignKey, signKey),
      (.rdpSignPassphrase, signPassphrase), (.rdpViaSSH, portBehindSSH ?? word(viaSsh)),
    ]
  }

  /// The words that are no settings.
  var flags: [String] { (force ? ["--force"] : []) + (acceptNew ? ["--accept-new"] : []) }
}
