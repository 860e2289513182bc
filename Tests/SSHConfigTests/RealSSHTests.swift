import SSHConfig
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One command line, with the file that `-F` names.
struct RealCase: Sendable, CustomTestStringConvertible {
  var words: [String]
  var config: String?

  init(_ words: String..., config: String? = nil) {
    self.words = words
    self.config = config
  }

  var testDescription: String {
    words.joined(separator: " ") + (config.map { " <\($0.prefix(60))>" } ?? "")
  }
}

@Suite("the installed ssh -G")
struct RealSSHTests {
  static let ssh = "/usr/bin/ssh"
  static let isInstalled = unsafe access(ssh, X_OK) == 0

  @Test(
    "agrees key by key, or refuses where we refuse",
    .enabled(if: isInstalled, "no /usr/bin/ssh to compare with"),
    arguments: RealCase.all)
  func agrees(_ given: RealCase) throws {
    let path = "/tmp/sshconfig-real-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    defer { unsafe unlink(path) }
    var words = ["-F", "none"]
    if let config = given.config {
      try #require(writeBytes(config, to: path))
      words[1] = path
    }
    words += given.words
    let real = runProcess(Self.ssh, ["-G"] + words)
    var mine: [String] = []
    var failure: SSHConfigError?
    do {
      let line = try SSHCommandLine.parse(["-G"] + words)
      let options = try SSHConfigResolver.resolve(line, in: realWorld(), sources: .none)
      mine = options.printedConfiguration()
    } catch {
      failure = error
    }
    if real.status != 0 {
      let failure = try #require(failure, "ssh refused: \(real.errors)")
      guard Self.isReference else { return }
      // of what ssh says, the line ends are CR LF, which is one Character
      let said = real.errors.utf8.split { $0 == 0x0A || $0 == 0x0D }
        .map { String(decoding: $0, as: UTF8.self) }
      if said.first?.hasPrefix("usage:") ?? true { return }
      // it writes a backslash and bytes beyond ASCII in a form of its own
      for line in failure.message.split(separator: "\n")
      where !said.contains(where: { $0.contains("\\") }) {
        #expect(said.contains { $0 == line || $0.hasSuffix(": \(line)") }, "\(said)")
      }
      return
    }
    if let failure {
      Issue.record("refused, but ssh did not: \(failure)")
      return
    }
    let theirs = Self.byKey(real.output)
    let ours = Self.byKey(mine.joined(separator: "\n"))
    for (key, values) in theirs {
      guard let own = ours[key] else { continue }
      // another version's defaults may be others
      let isDefault = values == Self.theirDefaults[key] && own == Self.ourDefaults[key]
      if !Self.isReference, isDefault { continue }
      #expect(own == values, "\(key)")
    }
    guard Self.isReference else { return }
    let missing = Set(theirs.keys).subtracting(ours.keys).subtracting(Self.unknownKeys)
    #expect(missing.isEmpty, "keys only ssh prints")
    let extra = Set(ours.keys).subtracting(theirs.keys)
      .filter { !$0.hasPrefix("jit") && !Self.laterKeys.contains($0) }
    #expect(extra.isEmpty, "keys only we print")
    #expect(Self.order(mine) == Self.order(real.output.split(separator: "\n").map(String.init)))
  }

  /// The version whose tables these are; of another one only what both know is compared.
  static let isReference = runProcess(ssh, ["-V"]).errors.hasPrefix("OpenSSH_9.2")
  static let theirDefaults = byKey(runProcess(ssh, ["-G", "-F", "none", "host"]).output)
  static let ourDefaults = byKey(
    (try? SSHConfigResolver.resolve(
      SSHCommandLine.parse(["-G", "host"]), in: realWorld(), sources: .none
    ).printedConfiguration().joined(separator: "\n")) ?? "")

  /// Keys of Debian's own patches.
  static let unknownKeys: Set<String> = [
    "gssapikeyexchange", "gssapitrustdns", "gssapirenewalforcesrekey", "gssapikexalgorithms",
  ]
  /// Keys that other builds do not print.
  static let laterKeys: Set<String> = [
    "tag", "channeltimeout", "obscurekeystroketiming", "versionaddendum",
    "gssapiauthentication", "gssapidelegatecredentials",
  ]

  static func byKey(_ text: String) -> [String: [String]] {
    var result: [String: [String]] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      result[String(parts[0]), default: []].append(parts.count > 1 ? String(parts[1]) : "")
    }
    return result
  }

  /// The keys in the order printed, without those of other builds.
  static func order(_ lines: [String]) -> [String] {
    lines.map { String($0.prefix { $0 != " " }) }
      .filter { !unknownKeys.contains($0) && !laterKeys.contains($0) && !$0.hasPrefix("jit") }
  }

  @Test(
    "agrees on mutated files and command lines: what ssh refuses we refuse, what both take is equal",
    .enabled(if: isInstalled && isReference, "needs OpenSSH 9.2 to compare with"),
    arguments: 0..<4)
  func agreesOnMutations(_ seed: Int) throws {
    var random = SplitMix64(state: UInt64(9000 + seed))
    let lines =
      RealCase.all.compactMap(\.config).flatMap { $0.split(separator: "\n").map(String.init) }
      + RealCase.optionLines.compactMap { $0.words.last { $0 != "host" } }
    let path = "/tmp/sshconfig-mutated-\(getpid())-\(seed)"
    defer { unsafe unlink(path) }
    for _ in 0..<100 {
      var config = ""
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        config += random.mutated(random.pick(lines) ?? "") + "\n"
      }
      var words = random.pick(RealCase.all)?.words ?? []
      if Bool.random(using: &random) { words = ["-o", random.pick(lines) ?? ""] + words }
      let index = Int.random(in: 0...words.count, using: &random)
      if index < words.count { words[index] = random.mutated(words[index]) }
      // -P changed its meaning, and names are asked of the network
      let text = words.joined(separator: " ") + config
      if ["-P", "CNAME", "CanonicalizeHostname"].contains(where: { text.contains($0) }) {
        continue
      }
      unsafe unlink(path)
      try #require(writeBytes(config, to: path))
      let given = ["-G", "-F", path] + words
      let real = runProcess(Self.ssh, given)
      do throws(SSHConfigError) {
        let options = try SSHConfigResolver.resolve(
          SSHCommandLine.parse(given), in: realWorld(), sources: .none)
        guard real.status == 0 else {
          Issue.record("ssh refused \(words) \(config): \(real.errors)")
          continue
        }
        // a path to a VM is ours alone
        if options.originalHost.contains("/") { continue }
        let ours = Self.byKey(options.printedConfiguration().joined(separator: "\n"))
        for (key, values) in Self.byKey(real.output) where !Self.unknownKeys.contains(key) {
          #expect(ours[key] == values, "\(words) \(config)")
        }
      } catch {
        #expect(real.status != 0 || error.kind == .unsafeName, "\(error) \(words) \(config)")
      }
    }
  }
}

extension SplitMix64 {
  fileprivate mutating func pick<Element>(_ elements: [Element]) -> Element? {
    elements.randomElement(using: &self)
  }

  /// The text with, one time in three, a sign too many.
  fileprivate mutating func mutated(_ text: String) -> String {
    guard Int.random(in: 0..<3, using: &self) == 0 else { return text }
    let signs = Array("%\"'\\= \t#!*?,:[]@/~-0+^.x".utf8)
    var bytes = Array(text.utf8)
    let index = Int.random(in: 0...bytes.count, using: &self)
    bytes.insert(signs.randomElement(using: &self) ?? 0x20, at: index)
    return String(decoding: bytes, as: UTF8.self)
  }
}
