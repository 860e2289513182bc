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
      try #require(write(config, to: path))
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
    for (key, values) in theirs where ours[key] != nil {
      #expect(ours[key] == values, "\(key)")
    }
    let missing = Set(theirs.keys).subtracting(ours.keys).subtracting(Self.unknownKeys)
    #expect(missing.isEmpty, "keys only ssh prints")
    let extra = Set(ours.keys).subtracting(theirs.keys)
      .filter { !$0.hasPrefix("jit") && !Self.laterKeys.contains($0) }
    #expect(extra.isEmpty, "keys only we print")
    #expect(Self.order(mine) == Self.order(real.output.split(separator: "\n").map(String.init)))
  }

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

  private func write(_ text: String, to path: String) -> Bool {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    return unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count
  }
}
