import ArgumentParser
import FoundationEssentials
import Identity
import SSHConfig

/// A long option, or a verb's letter, as it is defined where it is read.
struct CompletionOption: Sendable, Equatable {
  /// With its dashes.
  var name: String
  var help: String?
  /// Nil for one without a value.
  var value: CompletionValue?

  /// The long options of `ssh`, from its table; their help from ``SSHVerb``.
  static func ofSSH() -> [CompletionOption] {
    let help = Dictionary(
      of(SSHVerb.self).options.map { ($0.name, $0.help) }, uniquingKeysWith: { first, _ in first })
    return SSHLongOption.completions.map { option in
      CompletionOption(
        name: option.name, help: help[option.name] ?? nil,
        value: option.takesValue ? value(of: option.keyword) : nil)
    }
  }

  /// The options of a verb and what its words are, from its definition.
  static func of(
    _ command: any ParsableCommand.Type
  ) -> (options: [CompletionOption], words: CompletionValue) {
    guard
      let info = try? JSONDecoder().decode(ToolInfo.self, from: Data(command._dumpHelp().utf8))
    else { return ([], .anything) }
    var options: [CompletionOption] = []
    var words = CompletionValue.anything
    for argument in info.command.arguments ?? [] where argument.shouldDisplay != false {
      if argument.kind == "positional" {
        words = argument.valueName.flatMap { byValueName[$0] } ?? words
        continue
      }
      for name in argument.names ?? [] {
        let name = (name.kind == "long" ? "--" : "-") + name.name
        var value: CompletionValue?
        if argument.kind == "option" {
          value =
            keyword(of: name).map { Self.value(of: $0) }
            ?? argument.valueName.flatMap { byValueName[$0] } ?? .anything
        }
        options.append(CompletionOption(name: name, help: argument.abstract, value: value))
      }
    }
    return (options, words)
  }

  private static func keyword(of name: String) -> JitKeyword? {
    JitKeyword.allCases.first { SSHLongOption.names(of: $0).contains(name) }
  }

  /// What a setting of ours takes.
  static func value(of keyword: JitKeyword?) -> CompletionValue {
    guard let keyword else { return .anything }
    switch keyword {
    case .subscription: return .subscriptions
    case .resourceGroup: return .resourceGroups
    case .vm: return .machines(withUser: false)
    case .cloud: return .words(["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"])
    case .identity: return .words(AccessToken.knownSources)
    case .source: return .words(["auto", "any"])
    case .rdpFile, .rdpSign, .rdpSignKey, .rdpSignPassphrase: return .files
    default:
      guard case .states(let words) = keyword.row.syntax else { return .anything }
      return .words(words)
    }
  }

  /// What the definitions call their values.
  private static let byValueName: [String: CompletionValue] = [
    "vm": .machines(withUser: false), "user@vm": .machines(withUser: true), "file": .files,
    "key=value": .settings,
  ]

  /// As much of ArgumentParser's description of a command as is needed here.
  private struct ToolInfo: Decodable {
    struct Command: Decodable {
      var arguments: [Argument]?
    }

    struct Argument: Decodable {
      struct Name: Decodable {
        var kind: String
        var name: String
      }

      var kind: String
      var shouldDisplay: Bool?
      var names: [Name]?
      var valueName: String?
      var abstract: String?
    }

    var command: Command
  }
}
