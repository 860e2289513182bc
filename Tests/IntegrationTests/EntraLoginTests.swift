import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// Logins by an SSH certificate of Entra ID, at a real sshd that trusts the authority.
@Suite(.limited) struct EntraLoginTests {
  /// - Parameters:
  ///   - isTrusted: whether sshd knows the authority: false is a VM that refuses the certificate.
  ///   - hasAuthority: false is a directory that gives no certificates.
  private func stage(
    isTrusted: Bool = true, hasAuthority: Bool = true, hasExtension: Bool = true,
    administrator: String = "nobody-here"
  ) async throws -> Stage {
    let authority = try #require(SSHCertificateAuthority())
    // As Entra ID may write it; the VM's users are in lower case.
    let principal = Environment.current().userName.uppercased()
    return try await Stage.ssh(
      settings: isTrusted
        ? [
          "TrustedUserCAKeys %FOLDER%/ca.pub", "AuthorizedPrincipalsFile %FOLDER%/principals",
        ] : [],
      files: ["ca.pub": "\(authority.publicKeyLine)\n", "principals": "\(principal)\n"]
    ) {
      if hasAuthority {
        $0.sshCertificate = { authority.certificate(for: $0, principal: principal) }
      }
      $0.machines[0].adminUsername = administrator
      if hasExtension { $0.machines[0].extensions = ["AADSSHLoginForLinux"] }
    }
  }

  @Test("a VM made for it is logged in to by itself, as the certificate's first principal")
  func automatic() async throws {
    let stage = try await stage()
    let run = try await stage.connect("web1", ["-vvv"], command: "id -un")
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == Environment.current().userName + "\n")
    #expect(stage.server?.log.contains("RSA-CERT") == true)
    // One token and one certificate; no key or certificate is left behind.
    #expect(stage.simulator.report.count(.login) == 2)
    #expect(stage.fileProblems.isEmpty)
    #expect(!stage.writtenFiles.contains { $0.contains("cert") || $0.hasSuffix(".pub") })
    #expect(!run.error.contains("PRIVATE"))
    // The second connect needs a new certificate, since the key is gone.
    #expect(try await stage.connect(command: "id -un").text == run.text)
    #expect(stage.simulator.report.count(.login) == 3)
  }

  @Test("a user who is named, and JitEntra no, keep it out of the way", arguments: [0, 1])
  func notWanted(way: Int) async throws {
    let user = Environment.current().userName
    let stage = try await stage(administrator: user)
    let run = try await stage.connect("web1", way == 0 ? ["-l", user] : ["-o", "JitEntra=no"])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.login) == 1)
    #expect(stage.server?.log.contains("RSA-CERT") == false)
  }

  @Test("without the extension --entra says so, before a window is opened")
  func extensionMissing() async throws {
    let stage = try await stage(hasExtension: false)
    let run = try await stage.connect("web1", ["--entra"])
    #expect(run.status == 255)
    #expect(run.code == "entra-extension-missing", "\(run.error)")
    #expect(run.error.contains("az vm extension set"))
    #expect(stage.requests.isEmpty)
  }

  @Test(
    "a directory that certifies nothing: --entra fails, by itself the administrator's key counts")
  func certificateRefused() async throws {
    let stage = try await stage(hasAuthority: false, administrator: Environment.current().userName)
    let ordered = try await stage.connect("web1", ["--entra"])
    #expect(ordered.status == 255)
    #expect(ordered.code == "sign-in-refused", "\(ordered.error)")
    #expect(ordered.error.contains("AADSTS500011"), "\(ordered.error)")
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("a VM that refuses the certificate: which role may be missing, and how to give it")
  func roleMissing() async throws {
    let stage = try await stage(isTrusted: false)
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "entra-login-refused", "\(run.error)")
    #expect(run.error.contains("Virtual Machine User Login"))
    #expect(run.error.contains("az role assignment create"))
    #expect(run.error.contains("--scope \(stage.machine.id)"))
  }

  @Test("--entra goes before the user's keys, with the user who is named")
  func ordered() async throws {
    let user = Environment.current().userName
    let stage = try await stage()
    let run = try await stage.connect("\(user)@web1", ["--entra"])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.server?.log.contains("RSA-CERT") == true)
  }
}
