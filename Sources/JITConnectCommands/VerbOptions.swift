import ArgumentParser
import Platform
import SSHConfig

/// What every verb takes beside its own options: where to look, and ssh's letters for settings, logs
/// and silence, which mean what they mean in ssh.
struct VerbOptions: ParsableArguments {
  @OptionGroup var azure: AzureOptions

  @Flag(help: "Confirm what this command line itself spells out.")
  var yes = false

  @Flag(help: "JSON instead of a text for people; errors too.")
  var json = false

  @Option(
    name: .customShort("o", allowingJoined: true),
    help: ArgumentHelp("A setting, as for ssh: -o JitDuration=10m.", valueName: "key=value"))
  var settings: [String] = []

  @Option(
    name: .customShort("F", allowingJoined: true),
    help: ArgumentHelp("A configuration file in place of ~/.ssh/config.", valueName: "file"))
  var configFile: String?

  @Option(
    name: .customShort("E", allowingJoined: true),
    help: ArgumentHelp("Where -v writes.", valueName: "file"))
  var logFile: String?

  @Flag(name: .customShort("v"), help: "Tell what is done; -vv and -vvv tell more.")
  var verbosity: Int

  @Flag(help: "Tell of every call too, without secrets; includes -v.")
  var debug = false

  @Flag(name: .customShort("q"), help: "Not a word of our own.")
  var isQuiet = false
}

extension VerbOptions {
  /// The settings for one machine, from this command line, the environment and the files, in that
  /// order.
  ///
  /// - Parameters:
  ///   - target: `[user@]vm`, `group/vm` or a resource id, as typed.
  ///   - added: what the verb's own options set.
  ///   - more: options of ssh's that the verb takes too.
  func resolve(
    _ target: String, adding added: [(JitKeyword, String?)] = [], words more: [String] = [],
    in environment: Environment
  ) throws(Failure) -> (options: SSHOptions, commandLine: SSHCommandLine) {
    try check(own + added)
    do throws(SSHConfigError) {
      let line = try SSHCommandLine.parse(words(target, added, more))
      let options = try SSHConfigResolver.resolve(
        line, in: .system(environment), sources: .files(of: environment))
      return (options, line)
    } catch {
      throw Failure(
        error.kind == .configuration ? .configInvalid : .settingInvalid,
        what: error.lines.joined(separator: "; "),
        next: "correct it and try again")
    }
  }

  /// The settings where no machine is named: what `Host *` says counts.
  func settings(
    adding added: [(JitKeyword, String?)] = [], in environment: Environment
  ) throws(Failure) -> JitSettings {
    // A name that no Host block means in particular, and no machine can have.
    try resolve("0", adding: added, in: environment).options.jit
  }

  private var own: [(JitKeyword, String?)] {
    [
      (.subscription, azure.subscription), (.resourceGroup, azure.resourceGroup),
      (.cloud, azure.cloud), (.identity, azure.identity),
    ]
  }

  /// Refuses a bad value by the name of the option that was typed.
  private func check(_ settings: [(JitKeyword, String?)]) throws(Failure) {
    for case (let keyword, let value?) in settings {
      guard case .failure(let error) = keyword.read(value) else { continue }
      let name = SSHLongOption.words(setting: keyword, to: value).first ?? keyword.rawValue
      let option = name.split(separator: "=").first.map(String.init) ?? name
      throw Failure(
        .configInvalid, what: "\(option): \(printable(error.message, limit: 300))",
        next: "correct it and try again")
    }
  }

  /// The same as ssh's argv, so that one parser reads all settings.
  private func words(
    _ target: String, _ added: [(JitKeyword, String?)], _ more: [String]
  ) -> [String] {
    var words: [String] = []
    for case (let keyword, let value?) in own + added {
      words += ["-o", "\(keyword.rawValue)=\(quoted(value))"]
    }
    for setting in settings { words += ["-o", setting] }
    if let configFile { words += ["-F", configFile] }
    if yes { words.append("--yes") }
    return words + more + ["--", target]
  }

  /// In ssh_config's quotes, so that blanks and `#` stay part of the value.
  private func quoted(_ value: String) -> String {
    var text = "\""
    for character in value {
      if character == "\"" || character == "\\" { text.append("\\") }
      text.append(character)
    }
    return text + "\""
  }
}

extension SSHConfigSources {
  /// The configuration files of this user and this machine.
  static func files(of environment: Environment) -> SSHConfigSources {
    SSHConfigSources(
      own: environment.configDirectory.map { $0 + "/config" },
      user: environment.home.map { $0 + "/.ssh/config" })
  }
}
