import FoundationEssentials
import Platform
import Testing

@Suite struct TextAndEnvironmentTests {
  @Test(
    "text of a server cannot steer a terminal",
    arguments: [
      ("plain", "plain"), ("a\u{1B}[2Jb", "a?[2Jb"), ("a\nb\r\nc\td", "a b c d"),
      ("x\u{9B}y", "x?y"), ("\u{202E}evil", "?evil"), ("ends \n", "ends"), ("é ü 日", "é ü 日"),
      ("a\u{2028}b\u{FEFF}", "a?b?"), ("\u{7F}", "?"),
    ])
  func printableText(text: String, expected: String) {
    #expect(printable(text) == expected)
  }

  @Test("long text is cut and says so")
  func cut() {
    #expect(printable(String(repeating: "x", count: 10), limit: 4) == "xxxx…")
  }

  @Test("a secret is not shown, whatever shows it")
  func secret() {
    let secret = SecretBytes(Array("hunter2".utf8))
    #expect("\(secret)" == "(secret)")
    #expect(secret.exposedText == "hunter2")
    var bytes = Array("taken".utf8)
    #expect(SecretBytes(taking: &bytes).exposedText == "taken")
    #expect(bytes.isEmpty)
  }

  @Test(
    "own folders follow the XDG rules; a relative one is ignored, and no home is no folder",
    arguments: [
      (["XDG_STATE_HOME": "/s"], "/h" as String?, "/s/jitconnect" as String?),
      (["XDG_STATE_HOME": "s"], "/h", "/h/.local/state/jitconnect"),
      (["XDG_STATE_HOME": ""], "/h", "/h/.local/state/jitconnect"), ([:], nil, nil),
    ])
  func folders(variables: [String: String], home: String?, expected: String?) {
    #expect(Environment(variables: variables, home: home).stateDirectory == expected)
  }

  @Test("a failure reads as what and why, and its code stays")
  func failure() {
    let failure = Failure(.vmNotFound, what: "no VM", why: "looked everywhere", next: "try b")
    #expect("\(failure)" == "no VM: looked everywhere")
    #expect("\(Failure(.vmNotFound, what: "no VM"))" == "no VM")
    #expect(failure.code.rawValue == "vm-not-found")
  }

  @Test("a time of another day names the day")
  func localTime() {
    let now = Date(timeIntervalSince1970: 1_764_000_000)
    let soon = localTimeText(now + 60, now: now)
    #expect(soon.count == 5 && soon.contains(":"))
    #expect(localTimeText(now + 3 * 86400, now: now).count > 5)
  }

  @Test(
    "literal addresses are read without asking anybody",
    arguments: [("127.0.0.1", "127.0.0.1:22", false), ("::1", "[::1]:22", true)])
  func addresses(host: String, shown: String, isIPv6: Bool) throws {
    let address = try #require(
      try InternetAddress.resolve(host, port: 22, numericOnly: true).first)
    #expect(address.description == shown)
    #expect(address.isIPv6 == isIPv6)
    #expect(throws: Failure.self) {
      try InternetAddress.resolve("web1", port: 22, numericOnly: true)
    }
  }
}
