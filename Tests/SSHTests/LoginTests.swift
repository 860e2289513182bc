import Platform
import Testing

@testable import SSH

@Suite struct LoginTests {
  @Test(
    "a key file of each kind logs in", arguments: ["ed25519", "ecdsa", "rsa"],
    [nil, "PEM"] as [String?])
  func keyFile(kind: String, format: String?) throws {
    if kind == "ed25519", format != nil { return }
    let server = try SSHServer()
    let key = try server.makeKey(kind, format: format)
    try server.authorize(key)
    let session = try server.login(key)
    let result = try execute("echo hello; exit 3", in: session)
    #expect(result.output == "hello\n")
    #expect(result.ending == .exited(3))
  }
}
