package import Azure
import FoundationEssentials
package import Platform
package import SSHConfig
import Terminal

extension World {
  /// Settles who is let in and keeps it as a set for `JitSource`, in the own configuration file.
  ///
  /// With `auto` every service's answer counts: behind a pool of addresses they differ, and what
  /// covers them is shown and asked about.
  ///
  /// - Parameter isDryRun: nothing is written.
  package func saveSources(
    as name: String, _ settings: JitSettings, isConfirmed: Bool, isDryRun: Bool
  ) async throws(Failure) -> [SourcePrefix] {
    guard JitSourceSet.isName(name) else {
      throw Failure(
        .usage, what: "'\(printable(name, limit: 100))' cannot name a set of sources",
        next: "a letter, then letters, digits, - and _: --save-source office")
    }
    var sources: [SourcePrefix]
    if case .auto = settings.source, settings.address == .public {
      sources = try await pooledSources(settings, as: name, isConfirmed: isConfirmed)
    } else {
      sources = try await self.sources(settings, isConfirmed: isConfirmed)
    }
    if isDryRun { return sources }
    let set = JitSourceSet(name: name, prefixes: sources.map(\.text))
    try write(set)
    return sources
  }

  /// Our address, or the block that covers the answers where they differ.
  private func pooledSources(
    _ settings: JitSettings, as name: String, isConfirmed: Bool
  ) async throws(Failure) -> [SourcePrefix] {
    let answers = await addressServices(settings).answers()
    let found = Set(answers.compactMap { SourcePrefix(parsing: $0.address ?? "") })
      .sorted { $0.text < $1.text }
    guard found.count > 1 else { return try await sources(settings, isConfirmed: isConfirmed) }
    let kept = SourcePrefix.pool(found)
    let said = answers.compactMap { answer in answer.address.map { "\(answer.service): \($0)" } }
    let text =
      "the address services see you under \(found.count) addresses (\(said.joined(separator: "; ")))"
    if isConfirmed {
      console.warn("\(text); letting in \(texts(kept))")
      return kept
    }
    let question = "\(text). Let in \(texts(kept)), and keep it as \(name)?"
    switch await ask({ $0.confirm(question) }) {
    case .given(true): return kept
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    case .notPossible:
      throw Failure(
        .addressUnclear, what: text,
        why: "one of the services may be wrong, and nobody can be asked",
        next:
          "confirm it with --yes, or name them: --source \(kept.map(\.text).joined(separator: ","))"
      )
    default:
      throw Failure(
        .declined, what: "nothing was opened and nothing kept",
        next: "name the addresses yourself: --source ADDRESS,ADDRESS --save-source \(name)")
    }
  }

  /// Writes the set at the top of the own configuration file, where it counts for every host, in the
  /// place of an older one of that name; all else stays as it is.
  private func write(_ set: JitSourceSet) throws(Failure) {
    guard let folder = environment.configDirectory else {
      throw Failure(
        .fileUnwritable, what: "there is no home to keep the set \(set.name) in",
        next: "set HOME or XDG_CONFIG_HOME")
    }
    let path = folder + "/config"
    do {
      try Files.withLock(on: path) {
        let old = (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        try Files.replace(path, with: Self.configuration(old, with: set).utf8)
      }
    } catch {
      throw Failure(
        .fileUnwritable, what: "cannot write \(path)", why: "\(error)",
        next: "put the line there yourself: JitSourceSet \(set.text)")
    }
    console.note("kept \(set.prefixes.joined(separator: ", ")) as \(set.name) in \(path)")
  }

  static func configuration(_ text: String, with set: JitSourceSet) -> String {
    let line = "JitSourceSet \(set.text)"
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // What stands below a Host line is for that host alone, and somebody's own.
    let head = lines.firstIndex { line in
      let word = line.split(whereSeparator: { " \t=".contains($0) }).first?.lowercased()
      return word == "host" || word == "match"
    }
    for index in (0..<(head ?? lines.count)).reversed() {
      let words = lines[index].split(whereSeparator: { " \t=".contains($0) })
      if words.count >= 2, words[0].lowercased() == "jitsourceset",
        words[1].lowercased().trimmingPrefix("\"") == set.name
      {
        lines.remove(at: index)
      }
    }
    if lines == [""] { return line + "\n" }
    return ([line] + lines).joined(separator: "\n")
  }
}
