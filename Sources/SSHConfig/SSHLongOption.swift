/// Our own options: long only, so that none can collide with a letter of ssh's.
package enum SSHLongOption: Sendable, Equatable {
  /// Options that are no settings.
  package enum Flag: String, CaseIterable, Sendable {
    case yes, json, stdio, help, version, debug
    case dryRun = "dry-run"
    case force
    case acceptNew = "accept-new"
  }

  enum Argument: Equatable {
    /// Takes none; the value that its presence stands for.
    case none(String)
    /// Needs one: `--for 10m` or `--for=10m`.
    case required
    /// `--entra`, `--entra=auto`, and as a word of its own only one of these.
    case optional(String, words: [String])
  }

  enum Meaning: Equatable {
    case jit(JitKeyword)
    case flag(Flag)
  }

  struct Row {
    var name: String
    var meaning: Meaning
    var argument: Argument
  }

  static let table: [Row] =
    [
      Row(name: "for", meaning: .jit(.duration), argument: .required),
      Row(name: "reason", meaning: .jit(.reason), argument: .required),
      Row(name: "source", meaning: .jit(.source), argument: .required),
      Row(name: "subscription", meaning: .jit(.subscription), argument: .required),
      Row(name: "resource-group", meaning: .jit(.resourceGroup), argument: .required),
      Row(name: "enable", meaning: .jit(.enable), argument: .optional("yes", words: [])),
      Row(name: "no-enable", meaning: .jit(.enable), argument: .none("no")),
      Row(name: "start", meaning: .jit(.start), argument: .optional("yes", words: [])),
      Row(name: "no-start", meaning: .jit(.start), argument: .none("no")),
      Row(
        name: "close-on-exit", meaning: .jit(.closeOnExit), argument: .optional("yes", words: [])),
      Row(name: "no-close-on-exit", meaning: .jit(.closeOnExit), argument: .none("no")),
      Row(name: "client", meaning: .jit(.client), argument: .required),
      Row(
        name: "entra", meaning: .jit(.entra),
        argument: .optional("yes", words: ["auto", "yes", "no"])),
      Row(name: "no-entra", meaning: .jit(.entra), argument: .none("no")),
      Row(name: "wait", meaning: .jit(.wait), argument: .required),
      Row(name: "address", meaning: .jit(.address), argument: .required),
      Row(name: "cloud", meaning: .jit(.cloud), argument: .required),
      Row(name: "identity", meaning: .jit(.identity), argument: .required),
      Row(name: "keep-others", meaning: .jit(.keepOthers), argument: .optional("yes", words: [])),
      Row(name: "no-keep-others", meaning: .jit(.keepOthers), argument: .none("no")),
      Row(name: "no-jit", meaning: .jit(.mode), argument: .none("off")),
      Row(name: "unknown-host", meaning: .jit(.unknownHost), argument: .required),
      Row(name: "open", meaning: .jit(.rdpClient), argument: .optional("auto", words: [])),
      Row(name: "no-open", meaning: .jit(.rdpClient), argument: .none("none")),
      Row(name: "output", meaning: .jit(.rdpFile), argument: .required),
      Row(name: "size", meaning: .jit(.rdpSize), argument: .required),
      Row(name: "multimon", meaning: .jit(.rdpMultimon), argument: .optional("yes", words: [])),
      Row(name: "no-multimon", meaning: .jit(.rdpMultimon), argument: .none("no")),
      Row(name: "clipboard", meaning: .jit(.rdpClipboard), argument: .optional("yes", words: [])),
      Row(name: "no-clipboard", meaning: .jit(.rdpClipboard), argument: .none("no")),
      Row(name: "drives", meaning: .jit(.rdpDrives), argument: .optional("*", words: [])),
      Row(name: "no-drives", meaning: .jit(.rdpDrives), argument: .none("none")),
      Row(name: "audio", meaning: .jit(.rdpAudio), argument: .required),
      Row(
        name: "microphone", meaning: .jit(.rdpMicrophone), argument: .optional("yes", words: [])),
      Row(name: "no-microphone", meaning: .jit(.rdpMicrophone), argument: .none("no")),
      Row(name: "admin", meaning: .jit(.rdpAdmin), argument: .optional("yes", words: [])),
      Row(name: "no-admin", meaning: .jit(.rdpAdmin), argument: .none("no")),
      Row(name: "gateway", meaning: .jit(.rdpGateway), argument: .required),
      Row(name: "sign", meaning: .jit(.rdpSign), argument: .required),
      Row(name: "no-sign", meaning: .jit(.rdpSign), argument: .none("none")),
      Row(name: "sign-key", meaning: .jit(.rdpSignKey), argument: .required),
      Row(name: "sign-passphrase", meaning: .jit(.rdpSignPassphrase), argument: .required),
      Row(name: "via-ssh", meaning: .jit(.rdpViaSSH), argument: .optional("yes", words: [])),
      Row(name: "no-via-ssh", meaning: .jit(.rdpViaSSH), argument: .none("no")),
    ] + Flag.allCases.map { Row(name: $0.rawValue, meaning: .flag($0), argument: .none("yes")) }

  /// A setting of ours with its value.
  case jit(JitKeyword, String)
  case flag(Flag)

  /// The options that set a keyword, as a user types them.
  package static func names(of keyword: JitKeyword) -> [String] {
    table.filter { $0.meaning == .jit(keyword) }.map { "--\($0.name)" }
  }

  /// The words that set a keyword to a value, as a user types them: `--start`, `--for 10m`.
  package static func words(setting keyword: JitKeyword, to value: String) -> [String] {
    let rows = table.filter { $0.meaning == .jit(keyword) }
    for row in rows {
      switch row.argument {
      case .none(value), .optional(value, _): return ["--\(row.name)"]
      default: continue
      }
    }
    for row in rows {
      switch row.argument {
      case .required: return ["--\(row.name)", value]
      case .optional: return ["--\(row.name)=\(value)"]
      case .none: continue
      }
    }
    return ["-o", "\(keyword.rawValue)=\(value)"]
  }

  /// All names with their dashes, for help and completion.
  package static var allNames: [String] { table.map { "--\($0.name)" } }

  /// All options, for completion: their names with dashes, what they set, and whether they may
  /// take a value.
  package static var completions: [(name: String, keyword: JitKeyword?, takesValue: Bool)] {
    table.map { row in
      var keyword: JitKeyword?
      if case .jit(let set) = row.meaning { keyword = set }
      var takesValue = true
      if case .none = row.argument { takesValue = false }
      return ("--\(row.name)", keyword, takesValue)
    }
  }

  /// Whether the word behind an option is its value: `--for 10m`, but not `--enable web1`.
  package static func takesNextWord(_ name: String) -> Bool {
    table.contains { $0.argument == .required && "--\($0.name)" == name }
  }

  /// Reads `--name` or `--name=value`.
  ///
  /// - Parameter next: the following word; the result says whether it was used.
  static func parse(
    _ word: String, next: String?
  ) throws(SSHConfigError) -> (option: SSHLongOption, usedNext: Bool) {
    let body = word.utf8.dropFirst(2)
    let nameBytes = body.prefix { $0 != UInt8(ascii: "=") }
    let name = String(decoding: nameBytes, as: UTF8.self)
    let joined =
      nameBytes.count < body.count
      ? String(decoding: body.dropFirst(nameBytes.count + 1), as: UTF8.self) : nil
    guard let row = table.first(where: { $0.name == name }) else {
      let near = closest(to: name).map { "; did you mean --\($0)?" } ?? ""
      throw SSHConfigError(.usage, "unknown option --\(name)\(near)")
    }
    let value: String
    var usedNext = false
    switch row.argument {
    case .none(let fixed):
      if joined != nil {
        throw SSHConfigError(.usage, "option takes no argument -- \(name)")
      }
      value = fixed
    case .required:
      if let joined {
        value = joined
      } else if let next {
        value = next
        usedNext = true
      } else {
        throw SSHConfigError(.usage, "option requires an argument -- \(name)")
      }
    case .optional(let alone, let words):
      if let joined {
        value = joined
      } else if let next, words.contains(next) {
        value = next
        usedNext = true
      } else {
        value = alone
      }
    }
    switch row.meaning {
    case .flag(let flag): return (.flag(flag), usedNext)
    case .jit(let keyword):
      switch keyword.read(value) {
      case .success(let read): return (.jit(keyword, read), usedNext)
      case .failure(let error):
        throw SSHConfigError(.option, "--\(name): \(error.message)")
      }
    }
  }

  /// The known name that differs least, if it is near at all.
  package static func closest(to name: String) -> String? {
    let typed = Array(name.utf8)
    if typed.isEmpty || typed.count > 64 { return nil }
    let ranked = table.map { ($0.name, distance(typed, Array($0.name.utf8))) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
    return best.1 <= max(2, typed.count / 3) ? best.0 : nil
  }

  /// Levenshtein's distance.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var previous = Array(0...right.count)
    for (row, byte) in left.enumerated() {
      var current = [row + 1]
      for (column, other) in right.enumerated() {
        let change = previous[column] + (byte == other ? 0 : 1)
        current.append(min(change, previous[column + 1] + 1, current[column] + 1))
      }
      previous = current
    }
    return previous[right.count]
  }
}
