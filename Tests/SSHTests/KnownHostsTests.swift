import Platform
import Testing

@testable import SSH

@Suite struct KnownHostsTests {
  static let one = key("ssh-ed25519", 1)
  static let two = key("ssh-ed25519", 2)
  static let rsa = key("ssh-rsa", 3)

  static func key(_ type: String, _ seed: UInt8) -> HostKey {
    var writer = WireWriter()
    writer.string(type)
    writer.string([UInt8](repeating: seed, count: 32))
    return HostKey(blob: writer.bytes)
  }

  enum Expected: Equatable { case match, changed, otherType, unknown, revoked }

  static let hashed = HostPatterns.hash("web.example.com", salt: [UInt8](1...20))
  static let hashedPort = HostPatterns.hash("[web.example.com]:2222", salt: [UInt8](1...20))

  // Each line of a file, the name asked for, and what the key `one` must be.
  static let table: [(file: String, host: String, port: Int, expected: Expected)] = [
    ("web.example.com \(one.text)", "web.example.com", 22, .match),
    ("web.example.com \(one.text) a comment", "WEB.example.com", 22, .match),
    ("WEB.Example.com \(one.text)", "web.example.com", 22, .match),
    ("  web.example.com\t\(one.text)\r", "web.example.com", 22, .match),
    ("a,web.example.com,b \(one.text)", "web.example.com", 22, .match),
    ("web.example.com \(two.text)", "web.example.com", 22, .changed),
    ("web.example.com \(two.text)\nweb.example.com \(one.text)", "web.example.com", 22, .match),
    ("web.example.com \(rsa.text)", "web.example.com", 22, .otherType),
    ("other.example.com \(one.text)", "web.example.com", 22, .unknown),
    ("*.example.com \(one.text)", "web.example.com", 22, .match),
    ("*.example.com,!web.example.com \(one.text)", "web.example.com", 22, .unknown),
    ("!web.example.com,*.example.com \(two.text)", "web.example.com", 22, .unknown),
    ("we?.example.com \(one.text)", "web.example.com", 22, .match),
    ("we?.example.com \(one.text)", "we.example.com", 22, .unknown),
    ("* \(one.text)", "anything", 22, .match),
    ("[web.example.com]:2222 \(one.text)", "web.example.com", 2222, .match),
    ("[web.example.com]:2222 \(one.text)", "web.example.com", 22, .unknown),
    ("[web.example.com]:2222 \(two.text)", "web.example.com", 2222, .changed),
    // ssh looks without the port too, but only to confirm.
    ("web.example.com \(one.text)", "web.example.com", 2222, .match),
    ("web.example.com \(two.text)", "web.example.com", 2222, .unknown),
    ("\(hashed) \(one.text)", "web.example.com", 22, .match),
    ("\(hashed) \(two.text)", "Web.Example.Com", 22, .changed),
    ("\(hashed) \(one.text)", "web2.example.com", 22, .unknown),
    ("\(hashedPort) \(one.text)", "web.example.com", 2222, .match),
    ("|1|broken|hash \(one.text)", "web.example.com", 22, .unknown),
    ("|2|AAAA|AAAA \(one.text)", "web.example.com", 22, .unknown),
    ("@revoked * \(one.text)", "web.example.com", 22, .revoked),
    (
      "@revoked web.example.com \(one.text)\nweb.example.com \(one.text)", "web.example.com", 22,
      .revoked
    ),
    (
      "web.example.com \(one.text)\n@revoked web.example.com \(one.text)", "web.example.com", 22,
      .revoked
    ),
    ("@revoked web.example.com \(two.text)", "web.example.com", 22, .unknown),
    ("@revoked other.example.com \(one.text)", "web.example.com", 22, .unknown),
    ("@cert-authority *.example.com \(one.text)", "web.example.com", 22, .unknown),
    ("@from-the-future * \(one.text)", "web.example.com", 22, .unknown),
    ("# web.example.com \(one.text)", "web.example.com", 22, .unknown),
    ("", "web.example.com", 22, .unknown),
    ("\u{0}\u{1}\u{FF}garbage\nweb.example.com \(one.text)", "web.example.com", 22, .match),
    ("web.example.com ssh-ed25519", "web.example.com", 22, .unknown),
    ("web.example.com ssh-ed25519 !!!!", "web.example.com", 22, .unknown),
    ("web.example.com ssh-rsa \(Base64.encode(one.blob))", "web.example.com", 22, .unknown),
    ("web.example.com 1024 35 1234567890", "web.example.com", 22, .unknown),
    (
      "web.example.com some-new-type AAAA\nweb.example.com \(one.text)", "web.example.com", 22,
      .match
    ),
  ]

  @Test("each kind of line means what it means to ssh", arguments: table.indices)
  func line(index: Int) {
    let row = Self.table[index]
    let known = KnownHosts(lines: KnownHosts.parse(Array(row.file.utf8), file: "known_hosts"))
    let trust = HostTrust(host: row.host, address: nil, port: row.port, file: nil)
    let verdict = known.verdict(on: Self.one, names: trust.names, fallback: trust.fallbackNames)
    let found: Expected =
      switch verdict {
      case .match: .match
      case .changed: .changed
      case .otherType: .otherType
      case .unknown: .unknown
      case .revoked: .revoked
      }
    #expect(found == row.expected, "\(row.file)")
  }

  @Test("a line as long as a file and a file of odd bytes are read without harm")
  func oddFiles() {
    let long = String(repeating: "a,", count: 100_000) + "web \(Self.one.text)"
    let known = KnownHosts(lines: KnownHosts.parse(Array(long.utf8), file: "f"))
    #expect(known.hasPin(for: ["web"]))
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<200 {
      let bytes = (0..<400).map { _ in UInt8.random(in: 0...255, using: &generator) }
      _ = KnownHosts.parse(bytes, file: "f")
    }
  }

  @Test("stars cannot make matching slow")
  func manyStars() {
    let pattern = String(repeating: "*a", count: 200) + "b"
    #expect(!HostPatterns.fits(String(repeating: "a", count: 2000), pattern))
  }

  @Test("what ssh-keygen hashed is found, and what we hashed is found by ssh-keygen")
  func keygenAgrees() throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    try keygen("ed25519", to: "\(folder)/key")
    let line = try #require(PublicKeyLine(file: "\(folder)/key.pub"))
    let key = HostKey(blob: line.blob)
    let file = "\(folder)/known_hosts"
    try KnownHosts.append(key, name: "plain.example.com", to: file)
    try KnownHosts.append(key, name: "[ours.example.com]:2222", to: file, hashed: true)
    #expect(Files.kind(of: file)?.mode == 0o600)
    try runProgram("ssh-keygen", ["-F", "[ours.example.com]:2222", "-f", file])
    try runProgram("ssh-keygen", ["-H", "-f", file])
    let known = KnownHosts(files: [file])
    #expect(known.hasPin(for: ["plain.example.com"]))
    #expect(!known.hasPin(for: ["plainx.example.com"]))
    let fingerprint = try runProgram("ssh-keygen", ["-lf", "\(folder)/key.pub"])
    #expect(fingerprint.contains(key.fingerprint))
  }

  @Test("the types that are pinned are asked for first")
  func pinnedFirst() {
    let known = KnownHosts(
      lines: KnownHosts.parse(Array("web \(Self.rsa.text)".utf8), file: "f"))
    var algorithms = AlgorithmPreferences()
    algorithms.putFirst(keyTypes: known.keyTypes(for: ["web"]))
    #expect(algorithms.hostKeys.prefix(3) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"])
    #expect(Set(algorithms.hostKeys) == Set(AlgorithmPreferences.defaultHostKeys))
  }
}

/// The same numbers for the same seed, so that a failure can be seen again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
