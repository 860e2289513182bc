import Azure
import FoundationEssentials
import JITConnect
import Platform
import SSHConfig

/// What may stand at the cursor, from the words before it.
///
/// Reads files of this user alone: never the network.
struct Completion {
  let environment: Environment
  /// Taken when it is needed: most words are options.
  let names: () -> FleetNames

  init(_ environment: Environment, names: @escaping () -> FleetNames) {
    self.environment = environment
    self.names = names
  }

  /// - Parameter words: behind the program's name; the last one is being typed, perhaps empty.
  func answer(_ words: [String]) -> CompletionAnswer {
    var before = words[...]
    let word = before.popLast() ?? ""
    if let first = before.first, let verb = Verb(rawValue: first) {
      before.removeFirst()
      guard verb != .ssh else { return inSSH(word, after: before) }
      guard let command = RootCommand.command(of: verb) else { return CompletionAnswer() }
      return inVerb(CompletionOption.of(command), word, after: before)
    }
    var answer = inSSH(word, after: before)
    if before.isEmpty, !word.hasPrefix("-") {
      let verbs = RootCommand.builtInVerbs.filter { $0.name.hasPrefix(word) }
        .map { CompletionCandidate($0.name, help: $0.help) }
      answer.candidates = verbs + answer.candidates
    }
    return answer
  }

  // MARK: ssh

  private func inSSH(_ word: String, after before: ArraySlice<String>) -> CompletionAnswer {
    let options = CompletionOption.ofSSH()
    var before = before
    var hasHost = false
    while let next = before.popFirst() {
      if next == "--" {
        // A host may follow, and then the command, which is the far side's.
        let rest = before.count + (hasHost ? 1 : 0)
        return rest == 0 ? values(.machines(withUser: true), word) : CompletionAnswer()
      }
      if next.hasPrefix("--") {
        guard !next.contains("="),
          let value = options.first(where: { $0.name == next })?.value,
          SSHLongOption.takesNextWord(next)
        else { continue }
        if before.isEmpty { return values(value, word) }
        before.removeFirst()
      } else if next.hasPrefix("-"), next != "-" {
        guard let value = Self.openValue(of: next) else { continue }
        if before.isEmpty { return values(value, word) }
        before.removeFirst()
      } else if !hasHost {
        hasHost = true
      } else {
        return CompletionAnswer()
      }
    }
    if word.hasPrefix("--") { return longOptions(options, word) }
    if word.hasPrefix("-") { return letters(word) }
    return hasHost ? CompletionAnswer() : values(.machines(withUser: true), word)
  }

  /// What the next word must be after a cluster such as `-vi`; nil where it is complete.
  private static func openValue(of cluster: String) -> CompletionValue? {
    let letters = Array(cluster.dropFirst())
    for (index, letter) in letters.enumerated() {
      guard let option = SSHLetterOption.named(letter) else { return nil }
      if let value = option.value { return index == letters.count - 1 ? value : nil }
    }
    return nil
  }

  private func letters(_ word: String) -> CompletionAnswer {
    if word.count > 2, let letter = word.dropFirst().first,
      let value = SSHLetterOption.named(letter)?.value
    {
      return values(value, String(word.dropFirst(2)), prefix: String(word.prefix(2)))
    }
    guard word == "-" else { return CompletionAnswer() }
    return CompletionAnswer(
      candidates: SSHLetterOption.table.map { CompletionCandidate("-\($0.letter)", help: $0.help) })
  }

  // MARK: Verbs

  private func inVerb(
    _ definition: (options: [CompletionOption], words: CompletionValue), _ word: String,
    after before: ArraySlice<String>
  ) -> CompletionAnswer {
    var before = before
    var isOver = false
    while let next = before.popFirst(), !isOver {
      if next == "--" { isOver = true }
      guard next.hasPrefix("-"), !next.contains("="),
        let value = definition.options.first(where: { $0.name == next })?.value
      else { continue }
      if before.isEmpty { return values(value, word) }
      before.removeFirst()
    }
    if word.hasPrefix("-"), !isOver { return longOptions(definition.options, word) }
    return values(definition.words, word)
  }

  private func longOptions(_ options: [CompletionOption], _ word: String) -> CompletionAnswer {
    if let equals = word.firstIndex(of: "=") {
      guard let value = options.first(where: { $0.name == word[..<equals] })?.value else {
        return CompletionAnswer()
      }
      return values(
        value, String(word[word.index(after: equals)...]), prefix: String(word[...equals]))
    }
    return CompletionAnswer(
      candidates: options.filter { $0.name.hasPrefix(word) }
        .map { CompletionCandidate($0.name, help: $0.help) })
  }

  // MARK: Values

  /// - Parameter prefix: what stands in the same word before the value.
  private func values(
    _ value: CompletionValue, _ typed: String, prefix: String = ""
  ) -> CompletionAnswer {
    var answer = CompletionAnswer()
    switch value {
    case .anything: break
    case .words(let words):
      answer.candidates = words.filter { $0.hasPrefix(typed) }.map { CompletionCandidate($0) }
    case .files: answer.takesFiles = true
    case .keyFiles:
      answer.candidates = matching(keyFiles, typed).map { CompletionCandidate($0) }
      answer.takesFiles = true
    case .machines(let withUser):
      answer.candidates = machines(typed, withUser: withUser)
    case .subscriptions:
      answer.candidates = subscriptions(typed)
    case .resourceGroups:
      let groups = Set(names().machines.map(\.resourceGroup))
      answer.candidates = matching(groups.sorted(), typed).map { CompletionCandidate($0) }
    case .settings: answer = settings(typed)
    case .algorithms(let query):
      // The last of a list with commas.
      let start = typed.lastIndex(of: ",").map { typed.index(after: $0) } ?? typed.startIndex
      answer.candidates = (AlgorithmQuery.answer(query) ?? [])
        .filter { $0.hasPrefix(typed[start...]) }
        .map { CompletionCandidate(typed[..<start] + $0) }
    }
    if !prefix.isEmpty {
      answer.candidates = answer.candidates.map {
        CompletionCandidate(prefix + $0.word, help: $0.help, isWhole: $0.isWhole)
      }
    }
    return answer
  }

  private func settings(_ typed: String) -> CompletionAnswer {
    if let equals = typed.firstIndex(of: "=") {
      let keyword = typed[..<equals].lowercased()
      let jit = JitKeyword.allCases.first { $0.rawValue.lowercased() == keyword }
      return values(
        CompletionOption.value(of: jit), String(typed[typed.index(after: equals)...]),
        prefix: String(typed[...equals]))
    }
    let all = JitKeyword.allCases.map(\.rawValue) + SSHKeyword.allCases.map(\.displayName)
    return CompletionAnswer(
      candidates: matching(all, typed).map { CompletionCandidate($0 + "=", isWhole: false) })
  }

  /// Those that begin as typed; where none does, those that begin so without regard to case.
  private func matching(_ all: [String], _ typed: String) -> [String] {
    let exact = all.filter { $0.hasPrefix(typed) }
    if !exact.isEmpty || typed.isEmpty { return exact }
    let folded = typed.lowercased()
    return all.filter { $0.lowercased().hasPrefix(folded) }
  }
}

// MARK: What this user has

extension Completion {
  private func machines(_ typed: String, withUser: Bool) -> [CompletionCandidate] {
    // Of a list with commas (-J) the last is typed.
    var start = typed.startIndex
    if let comma = typed.lastIndex(of: ",") { start = typed.index(after: comma) }
    if withUser, let at = typed[start...].lastIndex(of: "@") { start = typed.index(after: at) }
    let prefix = String(typed[..<start])
    let part = String(typed[start...])
    let fleet = names()
    var found: [CompletionCandidate] = []
    if part.contains("/") {
      let all = Set(fleet.machines.map { "\($0.resourceGroup)/\($0.name)" })
      found = matching(all.sorted(), part).map { CompletionCandidate(prefix + $0) }
    } else {
      var groups: [String: String] = [:]
      for machine in fleet.machines {
        let other = groups[machine.name]
        groups[machine.name] =
          other == nil || other == machine.resourceGroup ? machine.resourceGroup : "several groups"
      }
      found = matching(groups.keys.sorted(), part)
        .map { CompletionCandidate(prefix + $0, help: groups[$0]) }
      if !part.isEmpty {
        let names = Set(fleet.machines.map(\.resourceGroup))
        found += matching(names.sorted(), part)
          .map { CompletionCandidate("\(prefix)\($0)/", help: "resource group", isWhole: false) }
      }
      if withUser {
        found += matching(configuredHosts, part)
          .filter { groups[$0] == nil }
          .map { CompletionCandidate(prefix + $0, help: "ssh configuration") }
      }
    }
    return found
  }

  private func subscriptions(_ typed: String) -> [CompletionCandidate] {
    let all = names().subscriptions
    let named = matching(all.map(\.name), typed).map { CompletionCandidate($0) }
    if !named.isEmpty { return named }
    return all.filter { $0.id.hasPrefix(typed.lowercased()) }
      .map { CompletionCandidate($0.id, help: $0.name) }
  }

  /// `~/.ssh/id_…`: those whose public half lies beside them.
  private var keyFiles: [String] {
    guard let home = environment.home else { return [] }
    let names = (try? Files.names(in: home + "/.ssh")) ?? []
    let all = Set(names)
    return names.filter { all.contains($0 + ".pub") }.map { "\(home)/.ssh/\($0)" }.sorted()
  }

  /// The names of `Host` lines, patterns left out.
  private var configuredHosts: [String] {
    SSHConfigHosts.names(in: .system(environment), sources: .files(of: environment)).sorted()
  }
}
