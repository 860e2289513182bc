import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// The server's certificate: pinned to the machine, and noticed when it is another one.
@Suite(.limited) struct RDPCertificateTests {
  private let certificate = DesktopCertificate("WINVM")
  private let stage: Stage
  private let pins = "state/jitconnect/rdp-certificates.json"

  init() throws {
    stage = try Stage.desktop(
      backend: .remoteDesktop(RemoteDesktopResponder(certificate: certificate)))
  }

  @Test("the first one is pinned by the machine's vmId, in a file of this user alone")
  func first() async throws {
    let run = try await stage.run(["winvm"])
    #expect(run.status == 0, "\(run.error)")
    let file = try JSON(parsing: Files.read("\(stage.folder)/\(pins)"))
    let pin = file["pins"]?.members?.first
    // A GUID, and no name or address.
    #expect(pin?.name.utf8.count == 36)
    #expect(pin?.value["fingerprint"]?.text == certificate.fingerprint)
    #expect(pin?.value["name"] == "WINVM")
    #expect(pin?.value["firstSeen"] == pin?.value["lastSeen"])
    #expect(stage.fileProblems.isEmpty, "\(stage.fileProblems)")
  }

  @Test("another one is an error that shows both with their dates, and --accept-new takes it")
  func changed() async throws {
    #expect(try await stage.run(["winvm"]).status == 0)
    let old = certificate.fingerprint
    certificate.renew()
    for arguments in [["rdp", "winvm"], ["winvm"], ["rdp", "--open", "winvm"]] {
      let refused = try await stage.run(arguments, environment: try stage.provideClient())
      #expect(refused.status == 1)
      #expect(refused.code == "rdp-certificate-changed", "\(refused.error)")
      #expect(refused.error.contains("old: SHA-256 \(old), first seen 20"))
      #expect(refused.error.contains("new: SHA-256 \(certificate.fingerprint)"))
      #expect(refused.error.contains("valid from 20"))
      #expect(refused.error.contains("jitconnect rdp --accept-new winvm"))
      #expect(refused.output.isEmpty && stage.clientWords.isEmpty)
      #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/") })
    }
    #expect(try await stage.run(["--accept-new", "winvm"]).status == 0)
    #expect(try await stage.run(["rdp", "winvm"]).status == 0)
    certificate.renew()
    #expect(try await stage.run(["rdp", "winvm"]).code == "rdp-certificate-changed")
  }

  @Test("on a terminal it is asked, and No changes nothing", arguments: ["y", "n"])
  func asked(answer: String) async throws {
    #expect(try await stage.run(["winvm"]).status == 0)
    certificate.renew()
    let terminal = try stage.terminal(["rdp", "winvm"], columns: 200)
    try await terminal.wait(for: "the RDP certificate of winvm has changed")
    try await terminal.wait(for: "Accept the new one? [y/N] ")
    try terminal.type(answer + "\n")
    #expect(try await terminal.end() == .exited(answer == "y" ? 0 : 1))
    #expect(stage.writtenFiles.contains("work/winvm.rdp") == (answer == "y"))
    let run = try await stage.run(["rdp", "winvm"])
    #expect(run.code == (answer == "y" ? nil : "rdp-certificate-changed"), "\(run.error)")
  }

  @Test("with BatchMode nobody is asked")
  func batch() async throws {
    #expect(try await stage.run(["winvm"]).status == 0)
    certificate.renew()
    let terminal = try stage.terminal(["rdp", "-o", "BatchMode=yes", "winvm"], columns: 200)
    try await terminal.wait(for: "error[rdp-certificate-changed]")
    #expect(try await terminal.end() == .exited(1))
  }

  @Test("pins that cannot be trusted are an error, not a first time")
  func broken() async throws {
    try stage.write(pins, "{}")
    let run = try await stage.run(["rdp", "winvm"])
    #expect(run.code == "rdp-pins-unreadable", "\(run.error)")
    #expect(run.error.contains("rm '\(stage.folder)/\(pins)'"))
    try Files.replace(
      "\(stage.folder)/\(pins)", with: #"{"version":1,"pins":{}}"#.utf8, mode: 0o644)
    #expect(try await stage.run(["rdp", "winvm"]).code == "rdp-pins-unreadable")
  }

  @Test(
    "a server without a certificate is warned of; one that had one is refused",
    arguments: [RemoteDesktopResponder.Answer.plain, .chosen(0), .failure(6)])
  func none(answer: RemoteDesktopResponder.Answer) async throws {
    let without = try Stage.desktop(
      backend: .remoteDesktop(RemoteDesktopResponder(answer, pieceSize: 3)))
    let run = try await without.run(["winvm"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("nothing proves which server answers for winvm"))
    #expect(Stage.settings(run.output).first?.hasPrefix("full address:s:") == true)

    // The same machine as above, pinned there.
    #expect(try await stage.run(["winvm"]).status == 0)
    try Files.replace(
      "\(without.folder)/\(pins)", with: Files.read("\(stage.folder)/\(pins)"))
    let refused = try await without.run(["winvm"])
    #expect(refused.code == "rdp-certificate-changed", "\(refused.error)")
    #expect(refused.error.contains("new: none"))
    #expect(try await without.run(["--accept-new", "winvm"]).status == 0)
    #expect(try await without.run(["winvm"]).status == 0)
  }

  @Test("a server that breaks off in the middle of TLS is an error, and nothing is written")
  func brokenOff() async throws {
    let stage = try Stage.desktop(
      backend: .remoteDesktop(RemoteDesktopResponder(.chosen(2), certificate: nil)))
    let run = try await stage.run(["rdp", "--json", "winvm"])
    #expect(run.status == 1)
    #expect(run.error.contains("protocol-failed"), "\(run.error)")
    #expect(!stage.writtenFiles.contains { $0.hasPrefix("work/") || $0.hasSuffix("s.json.x") })
  }
}
