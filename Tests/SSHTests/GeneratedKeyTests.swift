import FoundationEssentials
import Platform
import Testing

@testable import SSH

/// A key that is made in memory and certified by somebody else, as for an Entra ID login.
@Suite struct GeneratedKeyTests {
  /// What `ssh-keygen` as the authority makes of a generated key.
  private func certificate(for key: GeneratedKey, by server: SSHServer) throws -> SSHCertificate {
    let path = "\(server.folder)/generated"
    try Files.replace(path + ".pub", with: "\(key.publicKey.text)\n".utf8)
    try server.sign(path)
    let line = try #require(PublicKeyLine(file: path + "-cert.pub"))
    return try #require(SSHCertificate(base64: Base64.encode(line.blob)))
  }

  @Test("logs in by its certificate, signed without a file")
  func login() throws {
    let server = try SSHServer(settings: ["TrustedUserCAKeys %FOLDER%/ca.pub"])
    let key = try GeneratedKey()
    let certificate = try certificate(for: key, by: server)
    #expect(certificate.principals == [server.user])
    #expect(key.isCertified(by: certificate))
    #expect(try !GeneratedKey().isCertified(by: certificate))
    let now = UInt64(Date().timeIntervalSince1970)
    #expect(certificate.validAfter <= now && certificate.validBefore > now)
    let signer = SigningIdentity(name: "generated", blob: certificate.blob) {
      data, algorithm throws(Failure) in try key.sign(data, algorithm: algorithm)
    }
    let session = try server.session()
    _ = try session.handshake()
    try session.authenticate(
      AuthenticationPlan(user: server.user, signers: [signer]), prompts: .impossible)
    #expect(try execute("exit 0", in: session).ending == .exited(0))
  }

  @Test("SHA-1 is refused, and a cut certificate is none")
  func refusals() throws {
    let server = try SSHServer()
    let key = try GeneratedKey()
    #expect(throws: Failure.self) { try key.sign([1], algorithm: "ssh-rsa") }
    let blob = try certificate(for: key, by: server).blob
    for length in 0..<blob.count {
      #expect(SSHCertificate(blob: Array(blob.prefix(length))) == nil)
    }
    #expect(SSHCertificate(blob: key.publicKey.blob) == nil)
  }
}
