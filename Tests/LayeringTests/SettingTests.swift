import Testing

/// Settings that no code outside `SSHConfig` reads, and why none has to.
private let settledInside: [String: String] = [
  "clearAllForwardings": "the forwards are gone already",
  "dynamicForwards": "computed",
  "filesRead": "for -v and tests",
  "hostNameOrigin": "says where another field came from",
  "remoteCommandIsConfigured": "says where another field came from",
  "requestTTY": "wantsTerminal and lacksTerminal read it",
  "tag": "Match tagged has read it",
  "unusedKeywords": "the notes say them",
]

@Suite struct SettingTests {
  private let sources: [SourceText]

  init() throws { sources = try SourceText.all(below: "Sources") }

  /// The stored fields of `SSHOptions` itself.
  private func fields() throws -> [String] {
    let file = try #require(sources.first { $0.path == "Sources/SSHConfig/SSHOptions.swift" })
    let text = file.code.split(separator: "package struct SSHOptions")[1]
      .split(separator: "package struct JitSettings")[0]
    return text.split(separator: "\n").compactMap { line in
      guard line.hasPrefix("  package var "), !line.contains("{") else { return nil }
      return line.dropFirst("  package var ".count).split(separator: ":").first.map(String.init)
    }
  }

  @Test("a setting is used, or listed among those of which -v says that they have no effect")
  func everySettingCounts() throws {
    let keywords = try #require(sources.first { $0.path == "Sources/SSHConfig/SSHKeyword.swift" })
    let unused = try #require(
      keywords.code.split(separator: "static let unused").last?.split(separator: "]").first)
    let outside = sources.filter { $0.target != "SSHConfig" }
    let fields = try fields()
    #expect(fields.count > 70)
    for field in fields where settledInside[field] == nil {
      let isRead = outside.contains { source in
        // What extends the settings names its own fields bare.
        let isExtension = source.path.contains("/SSHOptions+")
        return source.lines.contains {
          holds($0.text, "options.\(field)") || isExtension && holds($0.text, field)
        }
      }
      #expect(isRead || holds(unused, ".\(field)"), "\(field)")
    }
  }
}
