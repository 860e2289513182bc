import ArgumentParser
import JITConnect
import Platform
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect doctor vm`: every hop, and which one fails.
struct DoctorCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Walks every hop and names the one that fails.",
    usage: "jitconnect doctor [options] vm",
    discussion: """
      Sign-in, permissions, plan, power, interface, policy, your address, window, the rules of the \
      security groups in their order, firewall, route, port, banner, host key. Nothing is changed; \
      what cannot be seen is told as unknown, with the reason. Without Azure it goes by what an \
      earlier run saw. Exit status 1 where something is wrong.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(
    name: .customShort("p"),
    help: ArgumentHelp("The port. (default: 22, Windows 3389)", valueName: "port"))
  var port: String?

  @Option(
    help: ArgumentHelp(
      "Who is let in: auto, an address, a CIDR, or several with commas.", valueName: "who"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "The address to connect to: public or private. (default: public)", valueName: "which"))
  var address: String?

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var target: String

  func run(in world: World) async throws -> Int32 {
    var common = common
    if let port {
      guard let number = Int(port), (1...65535).contains(number) else {
        throw Failure(
          .usage, what: "'\(printable(port, limit: 100))' is no port",
          next: "give a port from 1 to 65535")
      }
      common.settings.insert("Port=\(number)", at: 0)
    }
    let (options, line) = try common.resolve(
      target, adding: [(.source, source), (.address, address)], in: world.environment)
    let (isJSON, console) = (common.json, world.console)
    let doctor = Doctor(Connect(world, options, line), isConfirmed: common.yes) { finding in
      if !isJSON { try? writeAll(STDOUT_FILENO, DoctorReport.text(finding, console).utf8) }
    }
    let findings = try await doctor.examine()
    if common.json { try JSONOutput.write(DoctorReport(findings)) }
    return findings.contains { $0.state == .problem } ? 1 : 0
  }
}

/// What the doctor found, as its JSON has it.
struct DoctorReport: Encodable {
  struct Entry: Encodable {
    var check: String
    /// `ok`, `problem` or `unknown`.
    var state: String
    var text: String
    /// More lines: the rules in their order, why it could not be seen.
    var details: [String]
    /// What mends it.
    var next: String?
    /// The code of the failure that is the reason.
    var code: String?
    /// With `permission`: Azure's action, the resource that it is on, and a role that has it.
    var action: String?
    var scope: String?
    var role: String?
  }

  var findings: [Entry]

  init(_ findings: [Finding]) {
    self.findings = findings.map {
      Entry(
        check: $0.check, state: $0.state.rawValue, text: $0.text, details: $0.details,
        next: $0.next, code: $0.code?.rawValue, action: $0.right?.action,
        scope: $0.right?.scope, role: $0.right?.role)
    }
  }

  /// One finding as lines; in a pipe with tabs between, and each further line headed by the check.
  static func text(_ finding: Finding, _ console: Console) -> String {
    if console.outputIsTerminal { return finding.lines + "\n" }
    var lines = ["\(finding.check)\t\(finding.state.rawValue)\t\(printable(finding.text))"]
    lines += finding.details.map { "\(finding.check)\tdetail\t\(printable($0))" }
    if let next = finding.next { lines.append("\(finding.check)\tnext\t\(printable(next))") }
    return lines.joined(separator: "\n") + "\n"
  }
}
