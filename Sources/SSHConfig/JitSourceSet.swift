/// Sources under a name, as `JitSourceSet office=203.0.113.0/28,198.51.100.7` says it; `JitSource
/// office` then stands for them.
package struct JitSourceSet: Sendable, Equatable {
  /// In lower case.
  package var name: String
  /// IPv4 addresses and prefixes, as written.
  package var prefixes: [String]

  package init(name: String, prefixes: [String]) {
    self.name = lowercased(name)
    self.prefixes = prefixes
  }

  /// As it is written in a configuration.
  package var text: String { "\(name)=\(prefixes.joined(separator: ","))" }

  package static func parse(_ value: String) -> Result<JitSourceSet, JitValueError> {
    let parts = value.utf8.split(
      separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    guard parts.count == 2, let name = parts.first, let list = parts.last else {
      return .failure(JitValueError("JitSourceSet takes name=address,…, not \"\(value)\"."))
    }
    guard isName(name) else {
      return .failure(JitValueError("\"\(name)\" cannot name a set of sources."))
    }
    let prefixes = JitKeyword.list(list)
    guard !prefixes.isEmpty else { return .failure(JitValueError("missing argument.")) }
    for prefix in prefixes where !JitSource.isAddressOrPrefix(prefix) {
      return .failure(JitValueError("\"\(prefix)\" is no IPv4 address or prefix."))
    }
    return .success(JitSourceSet(name: name, prefixes: prefixes))
  }

  /// A letter, then letters, digits, `-` and `_`; never a word that means something already.
  package static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, first.isLetter, text.utf8.count <= 64 else { return false }
    let others: [UInt8] = [UInt8(ascii: "-"), UInt8(ascii: "_")]
    return text.utf8.allSatisfy { $0.isLetter || $0.isDigit || others.contains($0) }
      && !["auto", "any", "internet", "none"].contains(lowercased(text))
  }
}
