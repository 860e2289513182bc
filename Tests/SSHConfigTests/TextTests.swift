import Testing

@testable import SSHConfig

@Suite("lines, patterns, times")
struct TextTests {
  @Test(
    "arguments split at blanks, with quotes and escapes",
    arguments: [
      ("a b", ["a", "b"]), ("  a\tb ", ["a", "b"]), ("\"a b\" c", ["a b", "c"]),
      ("'a b'c", ["a bc"]), ("a\\ b", ["a b"]), ("\"a\\\"b\"", ["a\"b"]), ("'a\\'b'", ["a'b"]),
      ("a\\b", ["a\\b"]), ("a\\\\b", ["a\\b"]), ("\"a\\ b\"", ["a\\ b"]), ("a # b", ["a"]),
      ("a#b", ["a#b"]), ("\"#\"", ["#"]), ("\"\"", [""]), ("", []), ("\"a", nil), ("'a\"", nil),
      ("a\\", ["a\\"]),
    ] as [(String, [String]?)])
  func split(_ text: String, _ words: [String]?) {
    #expect(splitArguments(Array(text.utf8)[...]) == words)
  }

  @Test(
    "the keyword ends at a blank or one =",
    arguments: [
      ("Port 22", ["Port", "22"]), ("Port=22", ["Port", "22"]), ("Port = 22", ["Port", "22"]),
      ("Port==22", ["Port", "", "22"]), ("\"a b\" c", ["a b", "c"]), ("a\"b c\"", ["ab c", ""]),
      (" a", ["", "a"]), ("a", ["a"]), ("\"a", []),
    ])
  func delimited(_ text: String, _ words: [String]) {
    var delimited = DelimitedText(Array(text.utf8)[...])
    var found: [String] = []
    while let word = delimited.next() { found.append(String(decoding: word, as: UTF8.self)) }
    #expect(found == words)
  }

  @Test(
    "patterns",
    arguments: [
      ("web1", "web1", true), ("web1", "web?", true), ("web1", "*", true), ("", "*", true),
      ("web1", "w*1", true), ("web1", "*b*", true), ("web1", "web", false), ("web1", "?", false),
      ("web1", "WEB1", false), ("", "?", false), ("", "", true), ("abcbcd", "a*bcd", true),
      ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*a*a*a*a*c", false),
    ])
  func patterns(_ text: String, _ pattern: String, _ fits: Bool) {
    #expect(SSHPattern.matches(text, pattern) == fits)
  }

  @Test("in a list a negated pattern that fits decides, and alone it is no match")
  func patternLists() {
    #expect(SSHPattern.matchList("a", "b,a") == .positive)
    #expect(SSHPattern.matchList("a", "*,!a") == .negative)
    #expect(SSHPattern.matchList("a", "!b") == .none)
    #expect(SSHPattern.matchesHost("WEB1", "Web*"))
  }

  @Test(
    "times",
    arguments: [
      ("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1H", 3600), ("1d2h", 93600),
      ("2w", 1_209_600), ("1h 30m", 5400), ("", nil), ("m", nil), ("1x", nil), ("-1", nil),
      ("99999999999", nil), ("4000w", nil), ("PT1H", nil), ("1.5h", nil),
    ] as [(String, Int?)])
  func times(_ text: String, _ seconds: Int?) {
    #expect(SSHDuration.seconds(text) == seconds)
  }

  @Test(
    "ISO 8601 durations",
    arguments: [
      ("PT1H30M", 5400), ("P1D", 86400), ("PT90S", 90), ("P1DT1H", 90000), ("pt10m", 600),
      ("P2W", 1_209_600), ("10m", 600), ("P", nil), ("PT", nil), ("P1H", nil), ("PT1D", nil),
      ("PT1M1H", nil), ("PT1H1H", nil), ("P1DT", nil), ("PT1.5H", nil), ("P1Y", nil),
    ] as [(String, Int?)])
  func iso8601(_ text: String, _ seconds: Int?) {
    #expect(SSHDuration.secondsOrISO8601(text) == seconds)
  }

  @Test("SHA-1 of the published vectors")
  func sha1() {
    #expect(SHA1.hex([]) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    #expect(SHA1.hex(Array("abc".utf8)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    let long = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    #expect(SHA1.hex(Array(long.utf8)) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
  }

  @Test("algorithm lists: plain, +, -, ^ and patterns")
  func algorithms() {
    func names(_ text: String) -> [String] {
      SSHAlgorithmList(text).assembled(defaults: ["a", "b"], all: ["a", "b", "c", "cd"])
    }
    #expect(names("c,a") == ["c", "a"])
    #expect(names("+c") == ["a", "b", "c"])
    #expect(names("-a") == ["b"])
    #expect(names("^c,b") == ["c", "b", "a"])
    #expect(names("c*") == ["c", "cd"])
    #expect(names("x").isEmpty)
  }

  @Test("tokens and variables are replaced in one pass")
  func tokens() throws {
    let tokens = SSHTokens(
      host: "h%p", originalHost: "n", port: 22, user: "r", localUser: "u", userID: 7, home: "/d",
      localHost: "l.x", hostKeyAlias: nil, jumpHost: "j")
    #expect(
      try tokens.expand("%%%h|%n|%p|%r|%u|%i|%d|%l|%L|%k|%j", .common)
        == "%h%p|n|22|r|u|7|/d|l.x|l|n|j")
    #expect(try tokens.expand("nc %h %p %r %n %k", .proxyCommand) == "nc h%p 22 r n n")
    #expect(try tokens.expand("%T", .localCommand) == "NONE")
    #expect(throws: SSHConfigError.self) { try tokens.expand("%u", .proxyCommand) }
    #expect(throws: SSHConfigError.self) { try tokens.expand("%", .common) }
    #expect(throws: SSHConfigError.self) { try tokens.expand("%T", .common) }
    let both = try SSHTokens.expand(
      "${A}%h", environment: { $0 == "A" ? "%h${A}" : nil }, token: { _ in "${A}" })
    #expect(both == "%h${A}${A}")
  }
}
