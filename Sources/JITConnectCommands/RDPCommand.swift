import ArgumentParser
import JITConnect
import Platform
import SSHConfig
import Terminal

/// `jitconnect rdp [user@]vm…`: the whole flow on the RDP port, then an .rdp file or a client.
struct RDPCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "rdp",
    abstract: "Opens the RDP port and gives an .rdp file, or starts a client.",
    usage: "jitconnect rdp [options] [user@]vm ...",
    discussion: """
      The file is VM.rdp in the current folder; in a pipe it goes to standard output. What the VM \
      is given of this machine is off until it is asked for. Each option is also a keyword (--size \
      is JitRdpSize); for any other setting of an .rdp file: \
      -o 'JitRdpSetting smart sizing:i:1'.

      Exit status: the client's own with --open; else 0, or 1 and up as for every verb.
      """, helpNames: .long)

  @OptionGroup var desktop: DesktopOptions
  @OptionGroup var window: WindowOptions

  @Option(
    name: .customShort("p", allowingJoined: true),
    help: ArgumentHelp(
      "The port; with --via-ssh the SSH server's. (default: 3389)", valueName: "port"))
  var port: String?

  @Option(
    name: .customShort("l", allowingJoined: true),
    help: ArgumentHelp("Who signs in; also user@vm.", valueName: "user"))
  var user: String?

  @Option(
    name: .customShort("i", allowingJoined: true),
    help: ArgumentHelp("A key for --via-ssh.", valueName: "file"))
  var identities: [String] = []

  @Option(
    name: .customShort("J", allowingJoined: true),
    help: ArgumentHelp("A jump host for --via-ssh.", valueName: "host"))
  var jump: String?

  @Flag(help: "No call to Azure: the host is reached as it is.")
  var noJit = false

  @OptionGroup var common: VerbOptions

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "user@vm"))
  var targets: [String]

  /// ArgumentParser knows no option whose value may be left out.
  static func prepared(_ words: [String]) -> [String] {
    let renamed = [
      "--open=": "--open-with=", "--drives=": "--drives-named=", "--via-ssh=": "--via-ssh-to=",
    ]
    let end = words.firstIndex(of: "--") ?? words.endIndex
    return words[..<end].map { word in
      for (name, other) in renamed where word.hasPrefix(name) {
        return other + word.dropFirst(name.count)
      }
      return word
    } + words[end...]
  }

  static var handlesInterrupts: Bool { true }

  func run(in world: World) async throws -> Int32 {
    let together = DesktopsTogether(count: targets.count)
    let report = DesktopReport.writer(common.json)
    var connects: [Connect] = []
    for target in targets {
      let (options, line) = try common.resolve(
        target, adding: window.settings + desktop.settings + [(.mode, noJit ? "off" : nil)],
        words: words, in: world.environment)
      var world = world
      if options.batchMode { world.prompt = .forbidden }
      var retyped = RetypedCommand("rdp", common)
      retyped.add(window.settings + desktop.settings + [(.mode, noJit ? "off" : nil)])
      let typed = TypedCommand(
        verb: "rdp", options: Array(retyped.words.dropFirst(2)) + words, target: target)
      connects.append(
        Connect(
          world, options, line, goal: .desktop,
          desktop: DesktopPreparation(sharing: together, report: report), typed: typed))
    }
    if let connect = connects.first, connects.count == 1 {
      do {
        return try await connect.run()
      } catch let failure as Failure where connect.offersDoctor(after: failure) {
        VerbRunner.tell(failure, asJSON: common.json, world.console)
        await connect.offerDoctor(after: failure)
        throw ExitCode(ExitStatus.ofVerb(failure.code))
      }
    }
    let end = try await DesktopGroup(world, connects) { failure in
      VerbRunner.tell(failure, asJSON: common.json, world.console)
    }.run()
    return end.failure.map { ExitStatus.ofVerb($0.code) } ?? end.status
  }

  /// ssh's own options among ours, as ssh's argv has them.
  private var words: [String] {
    var words = desktop.flags + (common.json ? ["--json"] : [])
    for (letter, value) in [("-p", port), ("-l", user), ("-J", jump)] {
      if let value { words += [letter, value] }
    }
    for identity in identities { words += ["-i", identity] }
    return words
  }
}
