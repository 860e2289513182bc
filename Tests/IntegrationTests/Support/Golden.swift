import Platform
import Testing

/// Files of expected text in the folder `Golden`, see ``GoldenTests``.
enum Golden {
  static func compare(
    _ text: String, with name: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let path = Files.parentDirectory(of: Files.parentDirectory(of: #filePath)) + "/Golden/\(name)"
    if Environment.current()["JITCONNECT_RECORD"] == "1" {
      try Files.replace(path, with: text.utf8, mode: 0o644)
      Issue.record(
        "\(name) was recorded anew; run again without JITCONNECT_RECORD",
        sourceLocation: location)
      return
    }
    let golden = String(decoding: try Files.read(path), as: UTF8.self)
    #expect(
      text == golden, "JITCONNECT_RECORD=1 make test writes \(name) anew",
      sourceLocation: location)
  }
}
