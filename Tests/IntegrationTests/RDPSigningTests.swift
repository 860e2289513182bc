import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `--sign`: the file's signature, and the rule that there is no file without it.
@Suite(
  .limited,
  .enabled(if: Files.kind(of: "/usr/bin/openssl") != nil, "needs package openssl"))
struct RDPSigningTests {
  private let stage: Stage

  init() async throws {
    stage = try Stage.desktop()
    try await stage.makeSigner()
  }

  @Test("PEM and PKCS#12 sign, with the passphrase from a file; the publisher is told")
  func forms() async throws {
    try await stage.openssl(
      "pkcs12 -export -inkey signer.key -in signer.pem -certfile ca.pem -passout pass:open"
        + " -out signer.p12")
    try await stage.openssl("pkcs8 -topk8 -in signer.key -out locked.key -passout pass:open")
    try stage.write("secret", "open\n")
    let folder = stage.folder
    let forms = [
      ["--sign", "\(folder)/signer.pem", "--sign-key", "\(folder)/signer.key"],
      [
        "--sign", "\(folder)/signer.pem", "--sign-key", "\(folder)/locked.key",
        "--sign-passphrase", "\(folder)/secret",
      ],
      ["--sign=\(folder)/signer.p12", "--sign-passphrase=\(folder)/secret"],
    ]
    for form in forms {
      let run = try await stage.run(["rdp", "--json"] + form + ["winvm"])
      #expect(run.status == 0, "\(run.error)")
      let desktop = try JSON(parsing: run.output)["desktops"]?.elements?.first
      #expect(desktop?["publisher"] == "Contoso-IT")
      #expect(try await stage.verifySignature(of: "work/winvm.rdp"))
    }
    // In a pipe too it is UTF-16: the signature is over the bytes.
    try stage.write(
      "config/jitconnect/config",
      "JitRdpSign \(folder)/signer.pem\nJitRdpSignKey \(folder)/signer.key\n")
    let piped = try await stage.run(["winvm"])
    #expect(piped.output.starts(with: [0xFF, 0xFE]))
    try Files.replace(folder + "/piped", with: piped.output)
    #expect(try await stage.verifySignature(of: "piped"))
    let unsigned = try await stage.run(["rdp", "--no-sign", "winvm"])
    #expect(unsigned.status == 0 && !unsigned.output.starts(with: [0xFF, 0xFE]))
  }

  @Test("any covered line that is changed makes the signature a bad one")
  func tampered() async throws {
    let run = try await stage.run(
      [
        "rdp", "--sign", stage.folder + "/signer.pem", "--sign-key", stage.folder + "/signer.key",
        "--clipboard", "winvm",
      ])
    #expect(run.status == 0, "\(run.error)")
    let lines = Stage.settings(run.output)
    let scope = (lines.first { $0.hasPrefix("signscope:s:") } ?? "").dropFirst(12)
      .split(separator: ",").map { $0.lowercased() }
    #expect(scope.contains("full address") && scope.contains("redirectclipboard"))
    for name in scope {
      let changed = lines.map { line -> String in
        guard line.hasPrefix(name + ":") else { return line }
        return line.hasSuffix("1") ? line.dropLast() + "0" : line + "1"
      }
      #expect(changed != lines, "\(name)")
      let text = changed.map { $0 + "\r\n" }.joined()
      try Files.replace(
        stage.folder + "/changed",
        with: [0xFF, 0xFE] + text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
      #expect(try await !stage.verifySignature(of: "changed"), "\(name)")
    }
  }

  @Test("a key that others can read is warned of, and PKCS#12 with a second key is refused")
  func careless() async throws {
    let key = stage.folder + "/signer.key"
    #expect(unsafe chmod(key, 0o644) == 0)
    let run = try await stage.run(
      ["rdp", "--sign", stage.folder + "/signer.pem", "--sign-key", key, "winvm"])
    #expect(run.status == 0)
    #expect(run.error.contains("signer.key can be read by others"), "\(run.error)")
    try await stage.openssl(
      "pkcs12 -export -inkey signer.key -in signer.pem -passout pass: -out signer.p12")
    let twice = try await stage.run(
      ["rdp", "--sign", stage.folder + "/signer.p12", "--sign-key", key, "winvm"])
    #expect(twice.code == "rdp-signing-failed", "\(twice.error)")
    #expect(twice.error.contains("leave --sign-key out"))
  }

  @Test("the passphrase is asked on a terminal, once for several machines, and never shown")
  func asked() async throws {
    try await stage.openssl("pkcs8 -topk8 -in signer.key -out locked.key -passout pass:sesame")
    let words = [
      "rdp", "--sign", stage.folder + "/signer.pem", "--sign-key", stage.folder + "/locked.key",
    ]
    let terminal = try stage.terminal(words + ["winvm", "winvm"], columns: 200)
    try await terminal.wait(for: "Passphrase of ")
    try terminal.type("sesame\n")
    // One machine is opened once.
    try await terminal.wait(for: "is named twice")
    _ = try await terminal.end()
    #expect(!terminal.screen.contains("sesame"))
    #expect(terminal.screen.ranges(of: "Passphrase of ").count == 1)
    #expect(try await stage.verifySignature(of: "work/winvm.rdp"))
  }

  @Test("what cannot sign ends the run before anything is opened, and no file is made")
  func refused() async throws {
    try await stage.openssl("pkcs8 -topk8 -in signer.key -out locked.key -passout pass:open")
    try stage.write("wrong", "shut\n")
    let folder = stage.folder
    for words in [
      ["--sign", folder + "/nothing.pem"],
      ["--sign", folder + "/signer.pem"],
      ["--sign", folder + "/signer.pem", "--sign-key", folder + "/ca.key"],
      ["--sign", folder + "/signer.pem", "--sign-key", folder + "/locked.key"],
      [
        "--sign", folder + "/signer.pem", "--sign-key", folder + "/locked.key",
        "--sign-passphrase", folder + "/wrong",
      ],
    ] {
      let run = try await stage.run(["rdp"] + words + ["winvm"])
      #expect(run.status == 1)
      #expect(run.code == "rdp-signing-failed", "\(run.error)")
      #expect(run.output.isEmpty && !run.error.contains("shut"))
    }
    #expect(stage.requests.isEmpty)
    #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/") })
  }
}
