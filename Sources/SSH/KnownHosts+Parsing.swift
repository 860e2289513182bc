extension KnownHosts {
  /// The lines of a file; comments, blank lines and what cannot be understood are left out.
  package static func parse(_ bytes: [UInt8], file: String) -> [Line] {
    var lines: [Line] = []
    let rows = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, row) in rows.enumerated() {
      if let line = parse(row, file: file, number: index + 1) { lines.append(line) }
    }
    return lines
  }

  private static func parse(_ row: ArraySlice<UInt8>, file: String, number: Int) -> Line? {
    var words = row.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D })[...]
    guard let first = words.first, first.first != UInt8(ascii: "#") else { return nil }
    var marker = Line.Marker.none
    if first.first == UInt8(ascii: "@") {
      switch String(decoding: first, as: UTF8.self) {
      case "@cert-authority": marker = .certificateAuthority
      case "@revoked": marker = .revoked
      // A marker of the future may take trust away; the line must not give any.
      default: return nil
      }
      words = words.dropFirst()
    }
    guard words.count >= 3 else { return nil }
    let fields = Array(words.prefix(3))
    guard let blob = Base64.decode(fields[2]) else { return nil }
    let key = HostKey(blob: blob)
    // The type's name stands twice; where the two differ, the line means nothing.
    guard !key.type.isEmpty, key.type.utf8.elementsEqual(fields[1]),
      let hosts = HostPatterns(String(decoding: fields[0], as: UTF8.self))
    else { return nil }
    return Line(file: file, number: number, marker: marker, hosts: hosts, key: key)
  }
}

/// The first field of a known_hosts line: patterns, or one hashed name.
package enum HostPatterns: Sendable, Equatable {
  case list([Pattern])
  case hashed(salt: [UInt8], hash: [UInt8])

  package struct Pattern: Sendable, Equatable {
    package var text: String
    package var isNegated: Bool
  }

  init?(_ field: String) {
    guard field.hasPrefix("|") else {
      let patterns = field.lowercased().split(separator: ",").map { word in
        Pattern(
          text: String(word.hasPrefix("!") ? word.dropFirst() : word),
          isNegated: word.hasPrefix("!"))
      }
      guard !patterns.isEmpty else { return nil }
      self = .list(patterns)
      return
    }
    let parts = field.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[1] == "1", let salt = Base64.decode(parts[2].utf8),
      let hash = Base64.decode(parts[3].utf8), hash.count == 20
    else { return nil }
    self = .hashed(salt: salt, hash: hash)
  }

  static func hash(_ name: String, salt: [UInt8]) -> String {
    let hash = Digest.hmacSHA1(key: salt, Array(name.lowercased().utf8))
    return "|1|\(Base64.encode(salt))|\(Base64.encode(hash))"
  }

  /// Whether one of the names is meant.
  ///
  /// A negated pattern that fits any name wins.
  package func matches(any names: [String]) -> Bool {
    names.contains { matches($0.lowercased()) }
  }

  private func matches(_ name: String) -> Bool {
    switch self {
    case .hashed(let salt, let hash):
      return Digest.hmacSHA1(key: salt, Array(name.utf8)) == hash
    case .list(let patterns):
      var found = false
      for pattern in patterns where Self.fits(name, pattern.text) {
        if pattern.isNegated { return false }
        found = true
      }
      return found
    }
  }

  /// Shell-like matching with `*` and `?`, in time linear in either length for each star.
  static func fits(_ name: String, _ pattern: String) -> Bool {
    let name = Array(name.utf8)
    let pattern = Array(pattern.utf8)
    var (n, p) = (0, 0)
    var star: (pattern: Int, name: Int)?
    while n < name.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, n)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
        n += 1
        p += 1
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        (p, n) = (last.pattern + 1, last.name + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// As the file has it, for messages.
  var text: String {
    switch self {
    case .hashed: "[hashed name]"
    case .list(let patterns):
      patterns.map { ($0.isNegated ? "!" : "") + $0.text }.joined(separator: ",")
    }
  }
}
