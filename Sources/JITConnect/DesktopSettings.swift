import Platform
import RDP
import SSHConfig

/// What the user decides about a desktop, beside what decides about every connection.
struct DesktopSettings: Sendable {
  /// Where the file goes.
  enum Output: Sendable, Equatable {
    case standardOutput
    case file(String)
    /// Nobody said: stdout where it is a pipe, else the current folder.
    case unsaid
  }

  var output: Output
  /// `JitRdpClient`; nil starts none.
  var client: String?
  /// Whether a file that is not ours may be replaced.
  var replacesAnything: Bool
  /// Whether another certificate than the pinned one is taken without a question.
  var acceptsNewCertificate: Bool
  var wantsJSON: Bool
  /// The RDP port behind the machine's SSH server; nil goes to it directly.
  var portBehindSSH: Int?
  private let jit: JitSettings

  init(_ options: SSHOptions, _ line: SSHCommandLine) throws(Failure) {
    jit = options.jit
    switch jit.rdpFile {
    case "-"?: output = .standardOutput
    case let file?: output = .file(file)
    case nil: output = .unsaid
    }
    client = jit.unlessNone(.rdpClient)
    replacesAnything = line.has(.force)
    acceptsNewCertificate = line.has(.acceptNew)
    wantsJSON = line.has(.json)
    portBehindSSH = jit.rdpPortBehindSSH
    // Who asks for a file now does not mean the client of a configuration file as well.
    if jit.isSpelledOut(.rdpFile), !jit.isSpelledOut(.rdpClient) { client = nil }
    if client != nil, !jit.isSpelledOut(.rdpFile), output == .standardOutput { output = .unsaid }
    guard output != .standardOutput || client == nil else {
      throw Failure(
        .usage, what: "--output - and --open exclude each other",
        next: "leave one of them out")
    }
    guard output != .standardOutput || !wantsJSON else {
      throw Failure(
        .usage, what: "--output - and --json exclude each other",
        why: "both want standard output", next: "name a file with --output")
    }
  }

  /// Whether Entra ID signs in, which only works with a name.
  var signsInWithEntra: Bool {
    jit.entra == .yes
      || jit.rdpSettings.contains { $0.lowercased().hasPrefix("enablerdsaadauth:i:1") }
  }

  /// What the file is made from.
  func rdpOptions(host: String, port: Int, user: String?) -> RDPOptions {
    var options = RDPOptions(host: host, port: port, user: user)
    options.size = jit.rdpSize.map { RDPOptions.Size(width: $0.width, height: $0.height) }
    options.allMonitors = jit.isYes(.rdpMultimon)
    options.clipboard = jit.isYes(.rdpClipboard)
    options.drives = jit.unlessNone(.rdpDrives)
    options.microphone = jit.isYes(.rdpMicrophone)
    options.administrative = jit.isYes(.rdpAdmin)
    options.gateway = jit.unlessNone(.rdpGateway)
    options.entraSignIn = jit.entra == .yes
    options.extra = jit.rdpSettings
    switch jit.rdpAudio {
    case .here: options.sound = .here
    case .there: options.sound = .there
    case .none: options.sound = .nowhere
    }
    return options
  }

  /// The files that sign.
  struct SigningFiles: Sendable {
    /// PEM or PKCS#12.
    var certificate: String
    /// Where the certificate's file does not hold the key.
    var key: String?
    var passphrase: String?
  }

  /// Nil leaves the file unsigned.
  var signingFiles: SigningFiles? {
    jit.unlessNone(.rdpSign).map {
      SigningFiles(
        certificate: $0, key: jit.text(.rdpSignKey), passphrase: jit.text(.rdpSignPassphrase))
    }
  }
}
