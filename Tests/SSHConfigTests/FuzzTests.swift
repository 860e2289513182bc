import SSHConfig
import Testing

/// The same sequence on every run.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite("whatever comes in", .timeLimit(.minutes(2)))
struct FuzzTests {
  static let seeds: [String] =
    RealCase.all.compactMap(\.config)
    + RealCase.all.flatMap(\.words)
    + JitKeyword.allCases.map { "\($0.rawValue) 1" }
    + SSHKeyword.allCases.map { "\($0.rawValue) 1:2" }
  static let fragments: [String] = [
    "%", "%%", "${", "${A}", "}", "\"", "'", "\\", "=", " ", "\t", "\n", "\r\n", "\0", "#", "!",
    "*",
    "?", ",", ":", "[", "]", "@", "/", "~", "-", "--", "ssh://", "\u{1F600}", "e\u{301}", "none",
    "0",
    "99999999999999999999", "-1", "Match exec ", "Include x\n", "Host ", "Match final ", "+", "^",
    ".",
  ]

  @Test("random bytes and mutated files neither trap nor hang", arguments: 0..<8)
  func files(_ seed: Int) {
    var random = SplitMix64(state: UInt64(seed))
    for round in 0..<400 {
      let bytes =
        round % 4 == 0
        ? (0..<Int.random(in: 0...200, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        } : Self.mutated(&random)
      var world = testWorld(environment: ["A": "%h${A}"])
      world.readFile = { path, _ in
        path.hasSuffix("none.such") ? .missing : .contents(bytes)
      }
      world.glob = { _ in ["/x"] }
      world.run = { _ in true }
      if let options = try? options(["-v", "host"], world: world) {
        _ = options.printedConfiguration()
      }
    }
  }

  @Test("random and mutated command lines neither trap nor hang", arguments: 0..<8)
  func commandLines(_ seed: Int) {
    var random = SplitMix64(state: UInt64(1000 + seed))
    for _ in 0..<1500 {
      var words: [String] = []
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: words.append("-o")
        case 1:
          let letters = Array("46AaCfGgKkMNnqsTtVvXxYyBbcDEeFIiJLlmOoPpQRSWwzZ-")
          var cluster = "-"
          for _ in 0...Int.random(in: 0...3, using: &random) {
            if let letter = letters.randomElement(using: &random) { cluster.append(letter) }
          }
          words.append(cluster)
        case 2: words.append(SSHLongOption.allNames.randomElement(using: &random) ?? "--")
        default: words.append(String(decoding: Self.mutated(&random), as: UTF8.self))
        }
      }
      if let options = try? options(words, sources: .none) {
        _ = options.printedConfiguration()
        #expect(!options.originalHost.hasPrefix("-"))
        #expect(SSHName.isValidHost(options.tokens.originalHost))
      }
    }
  }

  private static func mutated(_ random: inout SplitMix64) -> [UInt8] {
    var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      let index = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
      case 1 where index < bytes.count: bytes.remove(at: index)
      case 2: bytes.insert(contentsOf: (seeds.randomElement(using: &random) ?? "").utf8, at: index)
      default:
        bytes.insert(contentsOf: (fragments.randomElement(using: &random) ?? "").utf8, at: index)
      }
    }
    return bytes
  }
}
