import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// Applications, pipelines and machines: each way through the whole program.
@Suite(.limited) struct SignInPlaceTests {
  private let application = SimulatedIdentity()
  private let managed = SimulatedIdentity(application: "managed", secret: nil)

  private func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) async throws -> Stage {
    try await Stage.people { configuration in
      var managed = managed
      managed.isManaged = true
      configuration.identities.append(managed)
      configuration.identities[0].federated = [.gitHub, .pipelines]
      change(&configuration)
    }
  }

  /// Without the secret, but with the application's and the tenant's names.
  private func whoami(
    _ stage: Stage, _ variables: [String: String], isApplication: Bool = true,
    arguments: [String] = []
  ) async throws -> Run {
    var environment = FlowSignInTests.noPrincipal.merging(
      variables.mapValues(Optional.some)
    ) { $1 }
    if isApplication {
      environment["AZURE_TENANT_ID"] = SimulatedTenant().id
      environment["AZURE_CLIENT_ID"] = application.name
    }
    return try await stage.run(["whoami", "--json"] + arguments, environment: environment)
  }

  @Test(
    "a place that the variables name gives its own token",
    arguments: [
      (.appService, "ManagedIdentityCredential"), (.machineLearning, "ManagedIdentityCredential"),
      (.cloudShell, "ManagedIdentityCredential"), (.metadataService, "ManagedIdentityCredential"),
      (.gitHub, "GitHubActionsCredential"), (.pipelines, "AzurePipelinesCredential"),
    ] as [(Simulator.IdentityPlace, String)])
  func places(place: Simulator.IdentityPlace, source: String) async throws {
    let stage = try await stage()
    let isApplication = [.gitHub, .pipelines].contains(place)
    let variables = stage.simulator.environment(of: place)
    let run = try await whoami(stage, variables, isApplication: isApplication)
    #expect(run.status == 0, "\(run.error)")
    #expect(run.json["source"]?.text == source)
    let account =
      isApplication ? application.name : place == .cloudShell ? Stage.ada : managed.name
    #expect(run.json["account"]?.text == account)
    // And Resource Manager takes it.
    var environment = FlowSignInTests.noPrincipal.merging(
      variables.mapValues(Optional.some)
    ) { $1 }
    if isApplication {
      environment["AZURE_TENANT_ID"] = SimulatedTenant().id
      environment["AZURE_CLIENT_ID"] = application.name
    }
    let status = try await stage.run(["status", "--json", "web1"], environment: environment)
    #expect(status.status == 0, "\(status.error)")
    // A machine's own token is nowhere but in memory.
    let tokens = stage.read("state/jitconnect/tokens.json") ?? ""
    #expect(tokens.isEmpty == !isApplication)
  }

  @Test("proxy variables do not count for a machine's own endpoint")
  func noProxy() async throws {
    let stage = try await stage()
    var variables = stage.simulator.environment(of: .metadataService)
    for name in ["http_proxy", "https_proxy", "ALL_PROXY"] {
      variables[name] = "http://127.0.0.1:9"
    }
    let run = try await whoami(stage, variables, isApplication: false)
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("a named identity that is not assigned stops, an unnamed one is passed over")
  func unassigned() async throws {
    let stage = try await stage { $0.identities.removeAll { $0.isManaged } }
    for place in [.appService, .metadataService] as [Simulator.IdentityPlace] {
      let variables = stage.simulator.environment(of: place)
      let named = try await whoami(
        stage, variables.merging(["AZURE_CLIENT_ID": managed.name]) { $1 }, isApplication: false)
      #expect(named.status == 4)
      #expect(named.error.contains("sign-in-refused"), "\(named.error)")
      #expect(named.error.contains("AZURE_CLIENT_ID"))
    }
    let unnamed = try await whoami(
      stage, stage.simulator.environment(of: .metadataService), isApplication: false)
    #expect(unnamed.status == 4)
    #expect(unnamed.error.contains("sign-in-needed"), "\(unnamed.error)")
    #expect(unnamed.error.contains("this VM has no managed identity"))
  }

  @Test("a black hole in the metadata service's place costs no more than its short probe")
  func blackHole() async throws {
    let stage = try await stage()
    // A port that takes connections and never answers.
    let address = try #require(
      try InternetAddress.resolve("127.0.0.1", port: 0, numericOnly: true).first)
    let listener = FileDescriptor(owning: try address.listen())
    let port = try #require(InternetAddress.bound(to: listener.number)?.port)
    let run = try await whoami(
      stage, ["AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:\(port)"],
      isApplication: false)
    _ = consume listener
    #expect(run.status == 4)
    #expect(run.error.contains("does not answer"), "\(run.error)")
  }

  @Test(
    "Azure Arc's challenge never makes us read a file elsewhere",
    arguments: ["/etc/hostname", "/var/opt/azcmagent/tokens/../../../../etc/x.key", ""])
  func arc(file: String) async throws {
    let stage = try await stage { $0.behaviour.arcKeyFile = file }
    let run = try await whoami(
      stage, stage.simulator.environment(of: .arc), isApplication: false)
    #expect(run.status == 4)
    #expect(run.error.contains("Azure Arc's proof cannot be given"), "\(run.error)")
    #expect(stage.simulator.report.count(.login) == 1)
  }

  @Test("a federated token file is read at each run; a stale or foreign token is told")
  func federatedFile() async throws {
    let federation = SimulatedIdentity.Federation(
      issuer: "https://cluster.example", subject: "system:serviceaccount:a:b")
    let stage = try await stage { $0.identities[0].federated = [federation] }
    let file = stage.folder + "/work/token"
    func run(_ token: String) async throws -> Run {
      try stage.write("work/token", token + "\n")
      try? stage.dropAccessTokens()
      return try await whoami(stage, ["AZURE_FEDERATED_TOKEN_FILE": file])
    }
    let good = stage.simulator.issueForeignToken(
      issuer: federation.issuer, subject: federation.subject)
    let first = try await run(good)
    #expect(first.json["source"] == "WorkloadIdentityCredential", "\(first.error)")
    let foreign = try await run(
      stage.simulator.issueForeignToken(issuer: federation.issuer, subject: "other"))
    #expect(foreign.status == 4)
    #expect(foreign.error.contains("AADSTS700213"), "\(foreign.error)")
    #expect(foreign.error.contains("subject other"))
    let stale = try await run(
      stage.simulator.issueForeignToken(
        issuer: federation.issuer, subject: federation.subject, lifetime: .zero))
    #expect(stale.error.contains("AADSTS700024"))
    #expect(stale.error.contains("clock"))
    let second = try await run(
      stage.simulator.issueForeignToken(
        issuer: federation.issuer, subject: federation.subject))
    #expect(second.status == 0, "\(second.error)")
  }

  @Test("a pipeline's issuer that refuses is told with its ids, not followed to its page")
  func refusedPipeline() async throws {
    let stage = try await stage()
    var variables = stage.simulator.environment(of: .pipelines)
    variables["SYSTEM_ACCESSTOKEN"] = "stale~bearer~9"
    let run = try await whoami(stage, variables)
    #expect(run.status == 4)
    #expect(run.error.contains("x-vss-e2eid e2e-1"), "\(run.error)")
    #expect(!run.error.contains("stale~bearer"))
  }

  @Test("azd's login serves where nothing else does, and never for a cloud that azd does not know")
  func azd() async throws {
    let stage = try await stage()
    try stage.write("work/azd/auth.json", "{}")
    let run = try await whoami(
      stage, ["AZD_CONFIG_DIR": stage.folder + "/work/azd"], isApplication: false,
      arguments: ["--identity", "AzureDeveloperCLICredential"])
    #expect(run.status == 4)
    #expect(run.error.contains("azd does not know the cloud"), "\(run.error)")
  }

  @Test(
    "AZURE_TOKEN_CREDENTIALS and --identity pick one of several that are set up",
    arguments: [
      ("prod", "EnvironmentCredential"), ("EnvironmentCredential", "EnvironmentCredential"),
      ("ManagedIdentityCredential", "ManagedIdentityCredential"),
      ("InteractiveBrowserCredential", "InteractiveBrowserCredential"),
    ])
  func picked(name: String, source: String) async throws {
    let stage = try await stage()
    try await stage.login()
    let place = stage.simulator.environment(of: .appService).mapValues(Optional.some)
    var environment = place
    if name == "ManagedIdentityCredential" { environment["AZURE_CLIENT_ID"] = managed.name }
    let byOption = try await stage.run(
      ["whoami", "--json", "--identity", name], environment: environment)
    #expect(byOption.json["source"]?.text == source, "\(byOption.error)")
    environment["AZURE_TOKEN_CREDENTIALS"] = name
    let byVariable = try await stage.run(["whoami", "--json"], environment: environment)
    #expect(byVariable.json["source"]?.text == source, "\(byVariable.error)")
  }
}
