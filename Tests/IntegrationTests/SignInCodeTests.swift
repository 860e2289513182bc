import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// Every refusal of Entra ID that the contract names, as a person is told it.
@Suite(.limited) struct SignInCodeTests {
  /// Codes, a part of the plain words, a part of the next step. Of people first.
  private static let ofPeople: [(codes: [Int], words: String, next: String)] = [
    ([50_076, 50_074, 50_078], "multi-factor", "jitconnect login --tenant"),
    ([50_079, 50_072, 53_004], "aka.ms/mfasetup", "jitconnect login"),
    ([50_173, 50_132, 50_133], "revoked or the password changed", "jitconnect login"),
    ([70_043], "sign-in frequency", "jitconnect login"),
    ([700_082, 70_008], "not used for too long", "jitconnect login"),
    ([700_084], "browser application", "jitconnect login"),
    ([50_058], "nobody is signed in", "jitconnect login"),
    ([65_001, 90_094, 90_095, 90_008], "not approved in tenant", "grant consent"),
    ([65_004], "declined", "jitconnect login"),
    ([65_002, 650_057], "may not ask for this resource", "client id"),
    ([50_105], "not assigned to the application", "to assign"),
    ([53_003, 53_011, 530_032, 50_131], "Conditional Access", "correlation id"),
    ([53_000, 53_001, 50_097, 50_005, 50_129], "compliant device", "managed Windows or macOS"),
    ([530_084], "token protection", "broker"),
    ([530_036], "device code", "jitconnect login"),
    (
      [50_020, 50_034, 51_004, 90_072, 16_000, 50_014], "not in tenant",
      "jitconnect login --tenant TENANT"
    ),
    ([500_011, 650_052], "resource is not known in tenant", "check the tenant"),
    ([500_021, 500_212, 500_213], "between tenants", "cross-tenant"),
    ([50_053], "locked", "unlock"), ([50_055], "password of", "mysignins"),
    ([50_057], "disabled", "enable"), ([50_126], "user name or the password", "jitconnect login"),
    ([50_011], "redirect address", "http://localhost"),
    ([54_005, 70_000, 501_481], "already used", "jitconnect login"),
    ([70_018, 70_019], "device code is wrong or has expired", "jitconnect login"),
    ([700_005], "another tenant", "jitconnect login"),
    ([7_000_218], "not registered as a public client", "Allow public client flows"),
    ([90_038, 900_382, 900_432], "another national cloud", "--cloud"),
    ([50_194, 90_130, 9_001_023], "only its own tenant", "TENANT"),
    ([50_196], "too often", "wait"),
    ([50_001, 70_011, 28_002, 700_022], "does not know the resource", "--cloud"),
  ]

  private static let ofApplications: [(codes: [Int], words: String, next: String)] = [
    ([7_000_215], "secret's value is needed", "AZURE_CLIENT_SECRET"),
    ([7_000_222], "has expired", "az ad app credential reset"),
    ([700_025], "public client", "unset AZURE_CLIENT_SECRET"),
    ([700_016, 7_000_112, 70_001], "unknown or disabled", "AZURE_CLIENT_ID"),
    ([700_027, 50_012, 700_030], "certificate is not registered", "thumbprint"),
    ([700_024], "outside its time range", "clock"),
    ([70_021, 700_211, 700_212, 700_213], "no federated credential", "federated-credential list"),
    ([700_229], "only application tokens", "AZURE_FEDERATED_TOKEN_FILE"),
    ([90_002, 900_023], "there is no tenant", "AZURE_TENANT_ID"),
  ]

  private func check(
    _ rows: [(codes: [Int], words: String, next: String)], _ stage: Stage,
    _ environment: [String: String?]
  ) async throws {
    for row in rows {
      for code in row.codes {
        stage.simulator.change { $0.signInRefusal = ("invalid_grant", code) }
        let run = try await stage.run(["whoami", "--json"], environment: environment)
        #expect(run.status == 4, "\(code): \(run.error)")
        let error = try JSON(parsing: run.errorBytes)["error"]
        let why = error?["why"]?.text ?? ""
        #expect(why.contains(row.words), "\(code): \(why)")
        #expect(why.contains("AADSTS\(code): The simulated refusal."), "\(code): \(why)")
        #expect(why.contains("correlation id "), "\(code)")
        #expect(!why.contains("Trace ID"), "\(code)")
        let next = error?["next"]?.text ?? ""
        #expect(next.contains(row.next), "\(code): \(next)")
        #expect(error?["what"]?.text?.contains("tenant \(SimulatedTenant().id)") == true)
      }
    }
  }

  @Test("what a person's sign-in is refused with")
  func people() async throws {
    let stage = try await Stage.people()
    try await stage.login()
    try stage.dropAccessTokens()
    try await check(Self.ofPeople, stage, FlowSignInTests.noPrincipal)
  }

  @Test("what an application's sign-in is refused with")
  func applications() async throws {
    let stage = try await Stage.people()
    try await check(Self.ofApplications, stage, [:])
  }

  @Test(
    "trouble of the service is tried again, and then told as such",
    arguments: [90_033, 90_006, 90_024, 50_033, 90_012])
  func service(code: Int) async throws {
    let stage = try await Stage.people()
    stage.simulator.change { $0.signInRefusal = ("temporarily_unavailable", code) }
    let run = try await stage.run(["whoami", "--json"])
    #expect(run.status == 1)
    let error = try JSON(parsing: run.errorBytes)["error"]
    #expect(error?["code"] == "azure-unavailable")
    #expect(stage.simulator.count(ofGrant: "client_credentials") == 3)
  }
}
