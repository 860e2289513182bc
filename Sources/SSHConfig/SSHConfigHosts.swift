/// The names that configuration files give to hosts, for completion.
package enum SSHConfigHosts {
  /// The words of all `Host` lines, without patterns; what cannot be read is passed over.
  package static func names(
    in world: SSHConfigWorld, sources: SSHConfigSources
  ) -> Set<String> {
    var reader = Reader(world: world)
    for path in [sources.own, sources.user, sources.system].compactMap(\.self) {
      reader.read(path, includes: Files(path), depth: 0)
    }
    return reader.names
  }

  /// Where the names in `Include` lines begin.
  private struct Files {
    var folder: String

    init(_ path: String) {
      folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? "."
    }
  }

  private struct Reader {
    let world: SSHConfigWorld
    var names: Set<String> = []

    mutating func read(_ path: String, includes: Files, depth: Int) {
      guard depth <= SSHConfigReader.maximumDepth,
        case .contents(let bytes) = world.readFile(path, false)
      else { return }
      for line in bytes.split(separator: UInt8(ascii: "\n")) {
        guard let words = splitArguments(spaced(line)), let keyword = words.first else { continue }
        if sameWord(keyword, "Host") {
          for word in words.dropFirst() where !word.utf8.contains(where: Self.isPattern) {
            names.insert(word)
          }
        } else if sameWord(keyword, "Include") {
          for word in words.dropFirst() {
            guard let expanded = world.expandingTilde(word) else { continue }
            let pattern = expanded.hasPrefix("/") ? expanded : "\(includes.folder)/\(expanded)"
            for path in world.glob(pattern) { read(path, includes: includes, depth: depth + 1) }
          }
        }
      }
    }

    /// `Host=web` and `Host web` are the same.
    private func spaced(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
      var line = line.drop(while: \.isSpace)
      let keyword = line.prefix { !$0.isSpace && $0 != UInt8(ascii: "=") }
      let rest = line[keyword.endIndex...].drop(while: \.isSpace)
      if rest.first == UInt8(ascii: "=") { line[rest.startIndex] = UInt8(ascii: " ") }
      return line
    }

    private static func isPattern(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "!")
    }
  }
}
