import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// Clouds: where tokens and secrets may go, and nowhere else.
@Suite(.limited) struct SignInCloudTests {
  private let withoutMetadata: [String: String?] = ["ARM_CLOUD_METADATA_URL": nil]

  private func metadata(_ stage: Stage) -> String {
    stage.simulator.baseURL + "/metadata/endpoints?api-version=2019-05-01"
  }

  @Test("an authority host that the cloud's metadata does not name gets nothing")
  func foreignAuthority() async throws {
    let stage = try await Stage.people()
    let elsewhere = try await Stage.people()
    for host in [
      elsewhere.simulator.loginURL, "https://login.evil.example", "login.microsoftonline.com",
      "http://login.microsoftonline.com",
    ] {
      let run = try await stage.run(
        ["whoami", "--json"], environment: ["AZURE_AUTHORITY_HOST": host])
      #expect(run.status == 1, "\(run.error)")
      #expect(try JSON(parsing: run.errorBytes)["error"]?["code"] == "cloud-unknown")
    }
    #expect(stage.simulator.report.count(.login) == 0)
    #expect(elsewhere.simulator.report.calls.isEmpty)
    let own = try await stage.run(
      ["whoami", "--json"], environment: ["AZURE_AUTHORITY_HOST": stage.simulator.loginURL + "/"])
    #expect(own.status == 0, "\(own.error)")
  }

  @Test("--cloud takes a metadata document, in both its shapes")
  func byURL() async throws {
    let stage = try await Stage.people()
    for version in ["2019-05-01", "2022-09-01"] {
      let url = stage.simulator.baseURL + "/metadata/endpoints?api-version=" + version
      let run = try await stage.run(
        ["whoami", "--json", "--cloud", url], environment: withoutMetadata)
      #expect(run.status == 0, "\(run.error)")
      #expect(run.json["cloud"] == "AzureSimulator")
    }
  }

  @Test("a description that sends a real cloud's tokens to a server of its own is refused")
  func mixed() async throws {
    let stage = try await Stage.people()
    try stage.write(
      "azure/clouds.config",
      """
      [Mixed]
      endpoint_resource_manager = \(stage.simulator.baseURL)/
      endpoint_active_directory = https://login.microsoftonline.com
      endpoint_active_directory_resource_id = https://management.core.windows.net/

      """)
    let run = try await stage.run(
      ["whoami", "--json", "--cloud", "Mixed"], environment: withoutMetadata)
    #expect(run.status == 1)
    #expect(try JSON(parsing: run.errorBytes)["error"]?["code"] == "cloud-unknown")
    #expect(stage.simulator.report.calls.isEmpty)
  }

  @Test("the cloud that az has selected is the one")
  func selectedByAz() async throws {
    let stage = try await Stage.people()
    try stage.write("azure/config", "[cloud]\nname = Own\n")
    try stage.write(
      "azure/clouds.config",
      """
      [Own]
      endpoint_resource_manager = \(stage.simulator.baseURL)/
      endpoint_active_directory = \(stage.simulator.loginURL)/
      endpoint_active_directory_resource_id = https://management.core.windows.net/

      """)
    let run = try await stage.run(["whoami", "--json"], environment: withoutMetadata)
    #expect(run.status == 0, "\(run.error)")
    #expect(run.json["cloud"] == "Own")
  }

  @Test("a token of one cloud never serves another, and neither does a person's sign-in")
  func keyedByCloud() async throws {
    let first = try await Stage.people()
    let second = try await Stage.people()
    try await first.login()
    #expect(try await first.run(["whoami"]).status == 0)
    let there: [String: String?] = ["ARM_CLOUD_METADATA_URL": metadata(second)]
    #expect(try await first.run(["whoami"], environment: there).status == 0)
    #expect(first.simulator.count(ofGrant: "client_credentials") == 1)
    #expect(second.simulator.count(ofGrant: "client_credentials") == 1)
    #expect(try await first.whoami(environment: there).status == 4)
  }
}
