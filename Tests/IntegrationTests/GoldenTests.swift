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
      ("list-help", ["list", "--help"]), ("enable-help", ["enable", "--help"]),
      ("edit-help", ["edit", "--help"]), ("disable-help", ["disable", "--help"]),
      ("query-kex", ["-Q", "kex"]), ("query-mac", ["-Q", "mac"]), ("query-key", ["-Q", "key"]),
      ("rdp-help", ["rdp", "--help"]), ("request-help", ["request", "--help"]),
      ("close-help", ["close", "--help"]), ("status-help", ["status", "--help"]),
      ("history-help", ["history", "--help"]), ("doctor-help", ["doctor", "--help"]),
    ])
  func texts(name: String, arguments: [String]) async throws {
    let run = try await Running(
      arguments, environment: ["HOME": "/nonexistent"], directory: "/"
    ).finish()
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    try Golden.compare(run.text, with: "\(name).txt")
    #expect(run.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }
}
