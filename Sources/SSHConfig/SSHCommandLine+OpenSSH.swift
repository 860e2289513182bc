extension SSHCommandLine {
  /// A command line for OpenSSH's own client: the words as they are, without what only we know (our
  /// long options, and `-o Jit…`).
  ///
  /// - Parameters:
  ///   - words: what ``parse(_:)`` has accepted, as raw bytes.
  ///   - dropped: letters with a value that are left out too.
  package static func withoutOwnOptions(
    _ words: [[UInt8]], dropping dropped: Set<Character> = []
  ) -> [[UInt8]] {
    var kept: [[UInt8]] = []
    var hasHost = false
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      guard word.first == UInt8(ascii: "-"), word.count > 1 else {
        kept.append(word)
        if hasHost { return kept + words[index...] }
        hasHost = true
        continue
      }
      if word == Array("--".utf8) { return kept + [word] + words[index...] }
      let next = index < words.count ? words[index] : nil
      if word.starts(with: Array("--".utf8)) {
        let parsed = try? SSHLongOption.parse(
          String(decoding: word, as: UTF8.self),
          next: next.map { String(decoding: $0, as: UTF8.self) })
        if parsed?.usedNext == true { index += 1 }
        continue
      }
      let taker = word.indices.dropFirst().first { position in
        argumentLetters.contains(Character(UnicodeScalar(word[position])))
      }
      guard let taker else {
        kept.append(word)
        continue
      }
      let usesNext = taker == word.count - 1 && next != nil
      if usesNext { index += 1 }
      let value = usesNext ? next ?? [] : Array(word[(taker + 1)...])
      if dropped.contains(Character(UnicodeScalar(word[taker])))
        || word[taker] == UInt8(ascii: "o") && isOwnSetting(value)
      {
        // The letters before it in the same word stay.
        if taker > 1 { kept.append(Array(word[..<taker])) }
      } else {
        kept.append(word)
        if usesNext { kept.append(value) }
      }
    }
    return kept
  }

  private static func isOwnSetting(_ value: [UInt8]) -> Bool {
    let start = value.drop { $0.isSpace || $0 == UInt8(ascii: "\"") }.prefix(3)
    return lowercased(String(decoding: start, as: UTF8.self)) == "jit"
  }
}
