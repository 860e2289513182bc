import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// An application's certificate, through the program to a login server that checks the signature.
@Suite(.limited) struct SignInCertificateTests {
  private struct Prepared {
    var stage: Stage
    var chain: CertificateChain
    var environment: [String: String?]
  }

  /// - Parameter isRegistered: whether the application knows the certificate, or only its issuer.
  private func prepare(isRegistered: Bool = true) async throws -> Prepared {
    try await Blocking.run {
      let folder = try makeFolder()
      let chain = try CertificateChain(in: folder)
      var configuration = Stage.configuration(machines: [Stage.web()])
      configuration.policies = [SimulatedPolicy(machine: "web1", ports: .init(0))]
      if isRegistered {
        configuration.identities[0].certificates = [try chain.text("app.pem")]
      } else {
        configuration.identities[0].trustedSubject = (
          CertificateChain.subject, try chain.text("ca.pem")
        )
      }
      let stage = try Stage(configuration)
      try stage.write(
        "work/app.pem",
        try chain.text("ca.pem") + chain.text("app.pem") + chain.text("app.key"))
      try CertificateChain.openssl(
        "pkcs12", "-export", "-inkey", "\(folder)/app.key", "-in", "\(folder)/app.pem",
        "-certfile", "\(folder)/ca.pem", "-out", "\(stage.folder)/work/app.p12", "-passout",
        "pass:opens~me~1")
      try CertificateChain.openssl(
        "pkcs12", "-export", "-inkey", "\(folder)/ca.key", "-in", "\(folder)/ca.pem", "-out",
        "\(stage.folder)/work/other.p12", "-passout", "pass:")
      try FileManager.default.removeItem(atPath: folder)
      return Prepared(
        stage: stage, chain: chain,
        environment: [
          "AZURE_CLIENT_SECRET": nil,
          "AZURE_CLIENT_CERTIFICATE_PATH": stage.folder + "/work/app.pem",
        ])
    }
  }

  @Test("PEM and PKCS#12 sign in, and a machine is reached with the token")
  func signsIn() async throws {
    let prepared = try await prepare()
    let stage = prepared.stage
    for (file, password) in [("app.pem", nil), ("app.p12", "opens~me~1")] as [(String, String?)] {
      var environment = prepared.environment
      environment["AZURE_CLIENT_CERTIFICATE_PATH"] = "\(stage.folder)/work/\(file)"
      environment["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = password
      let run = try await stage.run(["status", "--json", "web1"], environment: environment)
      #expect(run.status == 0, "\(file): \(run.error)")
      let who = try await stage.run(["whoami", "--json"], environment: environment)
      #expect(who.json["source"] == "EnvironmentCredential")
    }
    // One sign-in for each file, and none for what is stored.
    #expect(stage.simulator.count(ofGrant: "client_credentials") == 2)
  }

  @Test("a certificate that is not registered, and a wrong password, are told in words")
  func refused() async throws {
    let prepared = try await prepare()
    let stage = prepared.stage
    for (file, password, words) in [
      ("other.p12", nil, "AADSTS700027"), ("app.p12", "wrong~password~1", "the password is wrong"),
      ("app.p12", nil, "it needs a password"), ("absent.pem", nil, "cannot be read"),
    ] as [(String, String?, String)] {
      var environment = prepared.environment
      environment["AZURE_CLIENT_CERTIFICATE_PATH"] = "\(stage.folder)/work/\(file)"
      environment["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = password
      let run = try await stage.run(["whoami", "-vvv", "--debug"], environment: environment)
      #expect(run.status == 4)
      #expect(run.code == "sign-in-refused")
      #expect(run.error.contains(words), "\(run.error)")
      #expect(run.error.contains("EnvironmentCredential"))
      #expect(!run.error.contains("wrong~password"))
    }
  }

  @Test("an application that trusts a subject and its issuer is sent the certificate when asked to")
  func subjectAndIssuer() async throws {
    let prepared = try await prepare(isRegistered: false)
    var environment = prepared.environment
    let without = try await prepared.stage.run(["whoami"], environment: environment)
    #expect(without.error.contains("AADSTS700027"), "\(without.error)")
    environment["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"] = "true"
    let with = try await prepared.stage.run(["whoami", "--json"], environment: environment)
    #expect(with.status == 0, "\(with.error)")
  }

  @Test("the secret goes before the certificate")
  func secretFirst() async throws {
    let prepared = try await prepare()
    var environment = prepared.environment
    environment["AZURE_CLIENT_SECRET"] = SimulatedIdentity().secret
    environment["AZURE_CLIENT_CERTIFICATE_PATH"] = "/nowhere.pem"
    let run = try await prepared.stage.run(["whoami", "--json"], environment: environment)
    #expect(run.status == 0, "\(run.error)")
  }
}
