import Platform
package import SSHConfig

/// A command line that leads to a machine, as it was typed, for the line that says what to type
/// next: with one option more, or with the machine named otherwise.
package struct TypedCommand: Sendable {
  /// Longer remote commands are a program's, not a person's.
  private static let mostCommandBytes = 200

  /// `jitconnect` and the verb.
  private let head: [String]
  /// The words before the machine and behind it.
  private let options: [String]
  private let destination: SSHDestination
  private let rest: [String]
  /// Whether the remote command is left out.
  private let isShortened: Bool

  /// A verb's, with the machine at the end.
  ///
  /// - Parameter options: all but the machine.
  package init(verb: String, options: [String], target: String) {
    head = ["jitconnect", verb]
    self.options = options
    destination = (try? SSHDestination.parse(target)) ?? SSHDestination(host: target)
    rest = []
    isShortened = false
  }

  /// ssh's: the words behind the program's name and the verb.
  ///
  /// - Parameters:
  ///   - line: what was read from the words.
  ///   - verb: `ssh`, where nothing else may be meant.
  package init(_ words: [[UInt8]], _ line: SSHCommandLine, verb: String? = nil) {
    let words = words.map { String(decoding: $0, as: UTF8.self) }
    let place = min(line.destinationIndex ?? words.count, words.count)
    head = ["jitconnect"] + (verb.map { [$0] } ?? [])
    options = Array(words[..<place])
    destination = line.destination ?? SSHDestination(host: "")
    var rest = Array(words[place...].dropFirst())
    var isShortened = false
    if let start = line.commandStart, start > place, start <= words.count {
      let command = words[start...].joined(separator: " ")
      if command.utf8.count > Self.mostCommandBytes || command.utf8.contains(where: { $0 < 0x20 }) {
        rest = Array(words[(place + 1)..<start])
        isShortened = true
      }
    }
    self.rest = rest
    self.isShortened = isShortened
  }

  /// For the same machine with one option more, in place of what was typed for it.
  func text(adding option: String, _ value: String? = nil) -> String {
    let kept = Self.without(option, hasValue: value != nil, in: options)
    return line([option] + (value.map { [$0] } ?? []), kept, destination.host)
  }

  /// For another machine, as a group and a name or an id.
  ///
  /// - Parameter vm: what a configuration file says that the typed name stands for.
  func text(for machine: String, insteadOf vm: String?) -> String {
    if vm != nil { return line(["-o", "JitVM=\(machine)"], options, destination.host) }
    // The machine's own group is in its new name.
    return line([], Self.without("--resource-group", hasValue: true, in: options), machine)
  }

  private static func without(
    _ option: String, hasValue: Bool, in words: [String]
  ) -> [String] {
    var kept: [String] = []
    var isValue = false
    for word in words {
      if isValue {
        isValue = false
      } else if word == option {
        isValue = hasValue
      } else if !word.hasPrefix("\(option)=")
        && word != "--no-\(option.drop { $0 == "-" })"
      {
        kept.append(word)
      }
    }
    return kept
  }

  private func line(_ more: [String], _ options: [String], _ host: String) -> String {
    let user = destination.user.map { $0 + "@" } ?? ""
    let port = more.first == "-p" ? [] : destination.port.map { ["-p", String($0)] } ?? []
    let line = shellLine(head + more + options + port + [user + host] + rest)
    return isShortened ? line + " …" : line
  }
}
