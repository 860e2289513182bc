import Platform
import SSHConfig

/// A command line for the user to type again: every word of it stands for itself in a shell.
struct RetypedCommand {
  private(set) var words: [String]

  /// - Parameter verb: with the options that narrow the search.
  init(_ verb: String, _ common: VerbOptions) {
    words = ["jitconnect", verb]
    add("--subscription", common.azure.subscription)
    add("--resource-group", common.azure.resourceGroup)
    add("--cloud", common.azure.cloud)
    add("--identity", common.azure.identity)
    add("-o", common.settings)
    add("-F", common.configFile)
  }

  /// Adds what options of the verb set, by the options' own names.
  mutating func add(_ settings: [(JitKeyword, String?)]) {
    for case (let keyword, let value?) in settings {
      words += SSHLongOption.words(setting: keyword, to: value)
    }
  }

  mutating func add(_ option: String, _ value: String?) {
    if let value { words += [option, value] }
  }

  mutating func add(_ option: String, _ values: [String]) {
    for value in values { add(option, value) }
  }

  mutating func add(_ option: String, if isSet: Bool) {
    if isSet { words.append(option) }
  }

  /// With the machines at the end.
  func text(_ targets: [String]) -> String { shellLine(words + targets) }
}
