import Testing

@testable import SSHConfig

/// The words that stand for a setting are read as that setting again.
@Suite struct LongOptionWordsTests {
  @Test(
    "a setting's words, as typed",
    arguments: [
      (.start, "yes", ["--start"]), (.start, "no", ["--no-start"]),
      (.start, "ask", ["--start=ask"]),
      (.duration, "1h", ["--for", "1h"]), (.mode, "off", ["--no-jit"]),
      (.rdpDrives, "*", ["--drives"]), (.rdpDrives, "C:", ["--drives=C:"]),
      (.rdpClient, "none", ["--no-open"]), (.rdpSign, "a.pem", ["--sign", "a.pem"]),
    ] as [(JitKeyword, String, [String])])
  func words(keyword: JitKeyword, value: String, words: [String]) throws {
    #expect(SSHLongOption.words(setting: keyword, to: value) == words)
    let line = try SSHCommandLine.parse(words + ["web1"])
    #expect(line.value(of: keyword) != nil)
    #expect(line.destinationIndex == words.count)
  }
}
