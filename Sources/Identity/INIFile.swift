/// A file of az's in the form of Python's `configparser`: sections of `key = value`.
struct INIFile: Sendable {
  private var values: [String: [String: String]] = [:]
  /// Section names in order, as written.
  private(set) var sections: [String] = []

  init() {}

  init(_ text: String) {
    var section: String?
    for line in text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
      var line = line
      if line.first == "\u{FEFF}" { line.removeFirst() }
      // An indented line continues the value before it; none that is read here spans lines.
      guard let first = line.first, !first.isWhitespace, first != "#", first != ";" else {
        continue
      }
      if first == "[", let end = line.firstIndex(of: "]") {
        let name = String(line[line.index(after: line.startIndex)..<end])
        if !sections.contains(name) { sections.append(name) }
        section = name
        continue
      }
      guard let section, let separator = line.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
        continue
      }
      let key = String(line[..<separator]).trimmingASCIISpace.lowercased()
      let value = String(line[line.index(after: separator)...]).trimmingASCIISpace
      values[section, default: [:]][key] = value
    }
  }

  /// A value that is not empty; keys compare without regard to case, sections exactly.
  subscript(_ section: String, _ key: String) -> String? {
    guard let value = values[section]?[key.lowercased()], !value.isEmpty else { return nil }
    return value
  }
}
