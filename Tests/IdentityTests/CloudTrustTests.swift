import Testing

@testable import Identity

/// Where a cloud's tokens may go.
@Suite struct CloudTrustTests {
  @Test("another issuer's tokens go to known clouds, and to the server that they are for")
  func foreignIssuer() throws {
    func may(_ manager: String, _ audience: String, _ issuer: String? = nil) -> Bool {
      Cloud(
        name: "X", loginEndpoint: "https://login.example", resourceManager: manager,
        audiences: [audience], portal: nil
      ).mayReceiveTokens(ofIssuerAt: issuer.flatMap { Endpoint($0) })
    }
    #expect(may("https://management.azure.com", "https://management.core.windows.net/"))
    #expect(may("https://arm.example", "https://arm.example/"))
    #expect(!may("https://arm.example", "https://management.core.windows.net/"))
    #expect(!may("https://arm.example", "https://vault.azure.net"))
    #expect(!may("https://arm.example", "https://graph.example"))
    let simulated = ("https://127.0.0.1:1", "https://management.core.windows.net/")
    #expect(!may(simulated.0, simulated.1))
    #expect(!may(simulated.0, simulated.1, "http://169.254.169.254"))
    #expect(may(simulated.0, simulated.1, "http://localhost:2/x"))
  }
}
