import AzureSimulator
import Testing

/// Which address is let in.
@Suite(.limited) struct FlowAddressTests {
  private func stage(_ answers: [SimulatedAddressService.Answer]) async throws -> Stage {
    try await Stage.ssh { configuration in
      configuration.addressServices = answers.enumerated().map { index, answer in
        SimulatedAddressService(name: "s\(index)", answer: answer)
      }
    }
  }

  private func source(_ stage: Stage) -> JSON? {
    stage.requests.last?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first?[
      "allowedSourceAddressPrefix"]
  }

  @Test(
    "the services that agree decide",
    arguments: [
      [.clientAddress, .clientAddress, .clientAddress],
      [.clientAddress, .status(503), .clientAddress],
      [.reset, .trace("203.0.113.7"), .text("203.0.113.7\r\n")],
      [.text("<html>"), .text("2001:db8::7"), .clientAddress, .clientAddress],
      [.clientAddress],
    ] as [[SimulatedAddressService.Answer]])
  func agreement(answers: [SimulatedAddressService.Answer]) async throws {
    let stage = try await stage(answers)
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(source(stage) == "203.0.113.7")
    #expect(!run.error.contains("jitconnect: warning"))
  }

  @Test("services that contradict one another: who said what, and how to go on")
  func disagreement() async throws {
    let stage = try await stage([.clientAddress, .text("198.51.100.1"), .text("198.51.100.2\n")])
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "address-unclear")
    for (name, said) in [("s0", "203.0.113.7"), ("s1", "198.51.100.1"), ("s2", "198.51.100.2")] {
      #expect(run.error.contains("/ip/\(name) says \(said)"))
    }
    #expect(run.error.contains("--source"))
    #expect(stage.requests.isEmpty)
  }

  @Test("one of several is not believed alone; with --source it goes on")
  func onlyOne() async throws {
    let stage = try await stage([.clientAddress, .status(500), .reset])
    let run = try await stage.connect()
    #expect(run.code == "address-unclear", "\(run.error)")
    #expect(run.error.contains("only one service"))
    let named = try await stage.connect("web1", ["--source", "203.0.113.7"])
    #expect(named.status == 0, "\(named.error)")
    #expect(source(stage) == "203.0.113.7")
  }

  @Test("a service that contradicts after the decision is a warning")
  func late() async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.addressServices = [
        .init(name: "a"), .init(name: "b"),
        .init(name: "late", answer: .text("198.51.100.9"), delay: .milliseconds(100)),
      ]
      // The look-up takes longer than the late answer.
      configuration.behaviour.delays = [.graph: .milliseconds(800)]
    }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.contains("warning: the public address may differ"))
    #expect(run.error.contains("/ip/late says 198.51.100.9, not 203.0.113.7"))
  }

  @Test("JitIPServices replaces the services; a single one decides alone")
  func replaced() async throws {
    let stage = try await stage([.text("198.51.100.1"), .clientAddress])
    let run = try await stage.connect(
      "web1", ["-o", "JitIPServices=\(stage.simulator.baseURL)/ip/s1"],
      environment: ["JITCONNECT_IP_SERVICES": nil])
    #expect(run.status == 0, "\(run.error)")
    #expect(source(stage) == "203.0.113.7")
  }

  @Test(
    "a source that is no IPv4 address or wider than /24 is refused before any request",
    arguments: [
      ("2001:db8::1", "address-not-ipv4"), ("nonsense", "address-not-ipv4"),
      ("203.0.113.300", "address-not-ipv4"), ("any", "source-too-wide"),
      ("0.0.0.0/0", "source-too-wide"), ("10.0.0.0/8", "source-too-wide"),
    ])
  func badSource(source: String, code: String) async throws {
    let stage = try await stage([.clientAddress])
    let run = try await stage.connect("web1", ["--source", source])
    #expect(run.status == 255)
    #expect([code, "setting-invalid", nil].contains(run.code), "\(run.error)")
    #expect(!run.error.isEmpty)
    #expect(stage.requests.isEmpty)
  }

  @Test("any with --yes is let in; from a file or a variable it is refused, --yes or not")
  func anySource() async throws {
    let stage = try await stage([.clientAddress])
    let confirmed = try await stage.connect("web1", ["--source", "any", "--yes"])
    #expect(confirmed.status == 0, "\(confirmed.error)")
    #expect(source(stage) == "*")

    let fresh = try await self.stage([.clientAddress])
    try fresh.write("config/jitconnect/config", "JitSource any\n")
    let file = try await fresh.connect("web1", ["--yes"])
    #expect(file.code == "source-too-wide", "\(file.error)")
    let variable = try await fresh.connect(
      "web1", ["--yes"],
      environment: [
        "JITCONNECT_SOURCE": "any", "XDG_CONFIG_HOME": fresh.folder + "/nowhere",
      ])
    #expect(variable.code == "source-too-wide", "\(variable.error)")
    #expect(fresh.requests.isEmpty)
  }
}
