import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// No token, secret, code or assertion is in any log, error or argument of a process.
@Suite(.limited) struct SignInSecrecyTests {
  /// What may hold secrets, because that is what it is for.
  private static let stores: Set<String> = [
    "state/jitconnect/tokens.json", "state/jitconnect/accounts.json",
  ]

  private func expectNoSecret(
    _ stage: Stage, _ runs: [Run], given: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let secrets = stage.simulator.secrets.filter { $0.utf8.count > 7 }.union(given)
    #expect(secrets.count > given.count, sourceLocation: sourceLocation)
    var texts = runs.enumerated().flatMap { index, run in
      [("stdout of run \(index)", run.text), ("stderr of run \(index)", run.error)]
    }
    for name in stage.writtenFiles
    where !Self.stores.contains(name) && !name.hasPrefix("work/given/") {
      texts.append((name, stage.read(name) ?? ""))
    }
    for (name, text) in texts {
      for secret in secrets {
        #expect(!text.contains(secret), "\(name) holds a secret", sourceLocation: sourceLocation)
        // Nor its parts: a JWT's payload and signature.
        for part in secret.split(separator: ".") where part.utf8.count > 30 {
          #expect(!text.contains(part), "\(name) holds a part", sourceLocation: sourceLocation)
        }
      }
    }
  }

  private let loud = ["-vvv", "--debug"]

  @Test("a session with a secret, at every level of noise, on stderr and in the file of -E")
  func session() async throws {
    let stage = try await Stage.ssh()
    let onError = try await stage.connect("web1", loud)
    #expect(onError.status == 0, "\(onError.error)")
    // It tells of each call, all the same.
    #expect(onError.error.contains("http: POST \(stage.simulator.loginURL)/"))
    #expect(onError.error.contains("/oauth2/v2.0/token: HTTP 200, "))
    try stage.dropAccessTokens()
    stage.simulator.revokeTokens(claims: #"{"access_token":{"nbf":{"essential":true}}}"#)
    try stage.write("state/jitconnect/windows.json", "[]")
    let inFile = try await stage.connect(
      "web1", loud + ["-E", stage.folder + "/work/log"])
    #expect(inFile.status == 0, "\(inFile.error)")
    #expect(stage.read("work/log")?.contains("http: POST") == true)
    #expect(Files.kind(of: stage.folder + "/work/log")?.mode == 0o600)
    expectNoSecret(stage, [onError, inFile], given: ["sim~Secret"])
  }

  @Test("people: browser, device code, refresh, refusal, another account")
  func people() async throws {
    let stage = try await Stage.people()
    var runs = [try await stage.login(loud)]
    // What the browser was started with is written down by it.
    let browser = try FakeBrowser(stage)
    let running = try stage.start(["login"] + loud, environment: browser.environment)
    let address = try await browser.address(of: running)
    try stage.write("work/arguments", address + Self.arguments(of: running.process))
    _ = try await Blocking.run { try FakeBrowser.submit(FakeBrowser.exchange("GET", address)) }
    runs.append(try await running.finish())
    runs.append(
      try await stage.run(["login", "--device-code"] + loud, environment: browser.environment))
    try stage.dropAccessTokens()
    runs.append(try await stage.whoami(loud))
    #expect(runs.allSatisfy { $0.status == 0 })
    try stage.dropAccessTokens()
    stage.simulator.change { $0.signInRefusal = ("invalid_grant", 50_173) }
    runs.append(try await stage.whoami(loud))
    #expect(runs.last?.status == 4)
    expectNoSecret(stage, runs)
  }

  @Test("applications: a certificate, another issuer's token, a machine's identity")
  func applications() async throws {
    let managed = SimulatedIdentity(application: "managed", secret: nil)
    let stage = try await Stage.people { configuration in
      var managed = managed
      managed.isManaged = true
      configuration.identities.append(managed)
      configuration.identities[0].federated = [.gitHub, .pipelines]
    }
    let folder = try makeFolder()
    let chain = try await Blocking.run { try CertificateChain(in: folder) }
    try stage.write("work/given/app.pem", try chain.text("app.pem") + chain.text("app.key"))
    try FileManager.default.removeItem(atPath: folder)
    var runs: [Run] = []
    for place in Simulator.IdentityPlace.allCases {
      var environment: [String: String?] = ["AZURE_CLIENT_SECRET": nil]
      if ![.gitHub, .pipelines].contains(place) { environment["AZURE_CLIENT_ID"] = .some(nil) }
      for (name, value) in stage.simulator.environment(of: place) { environment[name] = value }
      runs.append(try await stage.run(["whoami"] + loud, environment: environment))
    }
    #expect(runs.count { $0.status == 0 } == runs.count - 1, "all but Azure Arc, which needs root")
    runs.append(
      try await stage.run(
        ["whoami"] + loud,
        environment: [
          "AZURE_CLIENT_SECRET": nil,
          "AZURE_CLIENT_CERTIFICATE_PATH": stage.folder + "/work/given/app.pem",
        ]))
    #expect(runs.last?.error.contains("AADSTS700027") == true)
    expectNoSecret(stage, runs)
  }

  /// Of a process that runs, as every user of the machine can read them.
  private static func arguments(of process: Int32) -> String {
    String(decoding: (try? Files.read("/proc/\(process)/cmdline")) ?? [], as: UTF8.self)
  }
}
