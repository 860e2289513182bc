import Platform
import Testing

/// Texts that users and scripts know, kept in files beside the tests.
enum GoldenFile {
  /// Holds a text against its file; `JITCONNECT_RECORD=1` writes the file anew, and such a run fails,
  /// so that none passes by itself.
  static func compare(
    _ text: String, with name: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let tests = Files.parentDirectory(of: Files.parentDirectory(of: #filePath))
    let path = "\(tests)/Golden/\(name)"
    if Environment.current()["JITCONNECT_RECORD"] == "1" {
      try Files.replace(path, with: text.utf8, mode: 0o644)
      Issue.record(
        "\(name) was recorded anew; run again without JITCONNECT_RECORD", sourceLocation: location)
      return
    }
    let golden = String(decoding: try Files.read(path), as: UTF8.self)
    #expect(
      text == golden, "JITCONNECT_RECORD=1 make test writes \(name) anew", sourceLocation: location)
  }
}
