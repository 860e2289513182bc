import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// azd's login, with a program `azd` written by the test.
@Suite struct AzureDeveloperCLITests {
  private func fixture(
    _ script: String, isSignedIn: Bool = true
  ) throws -> (chain: ChainFixture, folder: ScratchFolder) {
    let folder = try ScratchFolder()
    if isSignedIn { try folder.write("auth.json", "{}") }
    try folder.write("bin/azd", "#!/bin/sh\n\(script)\n", mode: 0o755)
    return (
      ChainFixture([
        "AZD_CONFIG_DIR": folder.path, "PATH": folder.path + "/bin:/usr/bin:/bin",
        "AZURE_OIDC_REQUEST_TOKEN": "leak-me",
      ]), folder
    )
  }

  @Test("azd is asked for the scope, the tenant and the claims, without secrets of ours")
  func asked() async throws {
    let (chain, folder) = try fixture(
      """
      { echo "$@"; env; } > "$(dirname "$0")/record"
      echo '{"token":"from-azd","expiresOn":"2026-09-21T15:13:20Z"}'
      """)
    let request = TokenRequest(
      scope: Cloud.azureCloud.tokenScope, tenant: tenantB, claims: #"{"access_token":{}}"#)
    let token = try await chain.chain().token(for: request)
    #expect(token.secret.exposedText == "from-azd")
    #expect(token.source == "AzureDeveloperCLICredential")
    let record = String(decoding: try Files.read(folder.path + "/bin/record"), as: UTF8.self)
    let claims = Data(#"{"access_token":{}}"#.utf8).base64EncodedString()
    #expect(
      record.hasPrefix(
        "auth token --output json --no-prompt --scope https://management.core.windows.net//.default"
          + " --tenant-id \(tenantB) --claims \(claims)\n"))
    #expect(!record.contains("leak-me"))
  }

  @Test("azd's token never goes to a server that only says it is Azure")
  func foreignManager() async throws {
    let (chain, folder) = try fixture("touch \"$(dirname \"$0\")/ran\"")
    var context = chain.context
    context.cloud.resourceManager = "https://arm.own.example"
    let other = try CredentialChain(context: context, store: chain.store)
    let failure = await failure { _ = try await other.token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(Files.kind(of: folder.path + "/bin/ran") == nil)
  }

  @Test("without azd's own file no process is started")
  func notSignedIn() async throws {
    let (chain, folder) = try fixture("touch \"$(dirname \"$0\")/ran\"", isSignedIn: false)
    let failure = await failure { _ = try await chain.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(Files.kind(of: folder.path + "/bin/ran") == nil)
  }

  @Test(
    "what azd says is told",
    arguments: [
      ("echo 'not logged in, run `azd auth login` to login' >&2; exit 1", "sign-in-needed"),
      ("echo '{\"error\":\"AADSTS50076: MFA\"}'; exit 1", "sign-in-needed"),
      ("echo boom >&2; exit 1", "program-failed"), ("echo '{}'", "program-failed"),
      (
        "echo '{\"token\":\"x\",\"expiresOn\":\"2020-01-01T00:00:00Z\"}'", "azure-answer-invalid"
      ),
    ])
  func failing(script: String, code: String) async throws {
    let (chain, folder) = try fixture(script)
    defer { withExtendedLifetime(folder) {} }
    let failure = await failure { _ = try await chain.chain().token(for: .arm) }
    #expect(failure?.code.rawValue == code)
    #expect(failure?.next?.isEmpty == false)
  }
}
