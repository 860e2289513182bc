import ArgumentParser
import SSHConfig

/// The options of whatever asks for a window. Each is also a setting, a variable and a keyword.
struct WindowOptions: ParsableArguments {
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

  /// The settings that these set.
  var settings: [(JitKeyword, String?)] {
    func word(_ flag: Bool?) -> String? { flag.map { $0 ? "yes" : "no" } }
    return [
      (.duration, duration), (.reason, reason), (.source, source), (.enable, word(enable)),
      (.start, word(start)), (.wait, wait), (.address, address), (.keepOthers, word(keepOthers)),
    ]
  }
}
