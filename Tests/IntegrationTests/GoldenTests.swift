import Platform
import Testing

/// Texts that users and scripts know, held against files beside this one.
///
/// `JITCONNECT_RECORD=1` writes them anew; a recording run fails, so that none passes by itself.
@Suite struct GoldenTests {
  @Test(
    "what the program says of itself",
    arguments: [
      ("help", ["--help"]), ("ssh-help", ["ssh", "--help"]), ("query-cipher", ["-Q", "cipher"]),
      ("query-kex", ["-Q", "kex"]), ("query-mac", ["-Q", "mac"]), ("query-key", ["-Q", "key"]),
    ])
  func texts(name: String, arguments: [String]) async throws {
    let run = try await Running(
      arguments, environment: ["HOME": "/nonexistent"], directory: "/"
    ).finish()
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    try compare(run.text, with: name)
    #expect(run.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  private func compare(_ text: String, with name: String) throws {
    let path = Files.parentDirectory(of: #filePath) + "/Golden/\(name).txt"
    if Environment.current()["JITCONNECT_RECORD"] == "1" {
      try Files.replace(path, with: text.utf8, mode: 0o644)
      Issue.record("\(name) was recorded anew; run again without JITCONNECT_RECORD")
      return
    }
    let golden = String(decoding: try Files.read(path), as: UTF8.self)
    #expect(text == golden, "JITCONNECT_RECORD=1 make test writes \(name).txt anew")
  }
}
