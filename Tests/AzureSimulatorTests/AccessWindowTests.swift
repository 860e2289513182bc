import Testing

@testable import AzureSimulator

@Suite struct AccessWindowTests {
  private func web() -> SimulatedMachine {
    var machine = SimulatedMachine("web1")
    machine.gates = [.init(port: 0, backend: .banner("SSH-2.0-test\r\n"))]
    return machine
  }

  private func azure(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) throws
    -> TestAzure
  {
    var configuration = SimulatorConfiguration(
      machines: [web()], policies: [SimulatedPolicy(machine: "web1", ports: .init(0))])
    // Long enough that only the moved clock makes anything happen.
    configuration.behaviour.initiatedDelay = .seconds(100)
    configuration.behaviour.openingDelay = .seconds(200)
    change(&configuration)
    return try TestAzure(configuration)
  }

  private func connects(_ azure: TestAzure, _ machine: String = "web1") -> Bool {
    guard let address = azure.simulator.gateAddress(of: machine),
      let port = azure.simulator.gatePort(of: machine),
      let descriptor = try? Socket.connected(to: address, port: port)
    else { return false }
    defer { Socket.resetOnClose(descriptor) }
    let greeting = (try? readGreeting(descriptor)) ?? ""
    return greeting.hasPrefix("SSH-2.0-")
  }

  @Test("the gate opens after the request and shuts at the end; old requests are kept")
  func wholeLife() throws {
    let azure = try azure()
    let port = Int(azure.simulator.gatePort(of: "web1") ?? 0)
    #expect(!connects(azure))

    let answer = try azure.initiate("web1", port: port)
    #expect(answer.status == 202)
    #expect(answer.headers["x-ms-request-id"] == "")
    #expect(answer.headers["location"] == nil)
    let asked = answer.json["virtualMachines"]?.elements?.first?["ports"]?.elements?.first
    #expect(asked?["status"] == "Initiating")
    #expect(answer.json["requestor"] == "")

    let start = answer.json["startTimeUtc"]?.text.flatMap { Instant(text: $0) }
    let end = asked?["endTimeUtc"]?.text.flatMap { Instant(text: $0) }
    #expect(end?.ticks == start.map { $0.ticks + 36_000_000_000 })

    azure.simulator.advance(by: .seconds(101))
    #expect(status(azure) == "Initiated")
    #expect(!connects(azure))
    azure.simulator.advance(by: .seconds(100))
    #expect(connects(azure))
    #expect(azure.simulator.report.gateEvents.map(\.kind).contains(.connected))

    azure.simulator.advance(by: .seconds(3600))
    #expect(!connects(azure))
    #expect(status(azure) == "Revoked")
    #expect(try azure.call("GET", azure.policyPath).text.contains("Expired"))
  }

  @Test("a connection that stands outlives its window")
  func establishedConnection() throws {
    let azure = try azure()
    let port = azure.simulator.gatePort(of: "web1") ?? 0
    _ = try azure.initiate("web1", port: Int(port))
    azure.simulator.advance(by: .seconds(201))
    let address = azure.simulator.gateAddress(of: "web1") ?? ""
    let descriptor = try Socket.connected(to: address, port: port)
    defer { Socket.resetOnClose(descriptor) }
    #expect(try readGreeting(descriptor) == "SSH-2.0-test\r\n")
    azure.simulator.advance(by: .seconds(7200))
    #expect(!connects(azure))
    Socket.sendAll(descriptor, Array("still here".utf8))
    #expect(try readGreeting(descriptor) == "still here")
  }

  @Test("another source does not open the gate for this one")
  func otherSource() throws {
    let azure = try azure()
    let port = Int(azure.simulator.gatePort(of: "web1") ?? 0)
    #expect(try azure.initiate("web1", port: port, source: "198.51.100.4").status == 202)
    azure.simulator.advance(by: .seconds(300))
    #expect(!connects(azure))
    #expect(azure.simulator.reaches("web1", port: port, from: "198.51.100.4"))
  }

  @Test("switches: nothing after the 202, a refusal, superseding, a rule that stays")
  func switches() throws {
    let silent = try azure { $0.behaviour.initiateDoesNothing = true }
    let port = Int(silent.simulator.gatePort(of: "web1") ?? 0)
    _ = try silent.initiate("web1", port: port)
    silent.simulator.advance(by: .seconds(600))
    #expect(status(silent) == "Initiating")
    #expect(!connects(silent))

    silent.simulator.change {
      $0.initiateDoesNothing = false
      $0.requestsEndAs = ("Failed", "Conflict")
    }
    _ = try silent.initiate("web1", port: port)
    silent.simulator.advance(by: .seconds(600))
    #expect(status(silent) == "Failed")
    #expect(!connects(silent))

    let superseding = try azure { $0.behaviour.newerRequestEndsOlder = true }
    let other = Int(superseding.simulator.gatePort(of: "web1") ?? 0)
    _ = try superseding.initiate("web1", port: other, source: "198.51.100.4")
    superseding.simulator.advance(by: .seconds(300))
    _ = try superseding.initiate("web1", port: other)
    #expect(
      try superseding.call("GET", superseding.policyPath).text.contains("NewerRequestInitiated"))
    #expect(!superseding.simulator.reaches("web1", port: other, from: "198.51.100.4"))

    let locked = try azure { $0.behaviour.keepsRules = true }
    let kept = Int(locked.simulator.gatePort(of: "web1") ?? 0)
    _ = try locked.initiate("web1", port: kept)
    locked.simulator.advance(by: .seconds(9000))
    #expect(status(locked) == "Revoked")
    #expect(connects(locked))
  }

  @Test("the rules carry both name prefixes, the deny rule yields to the customer's allow")
  func rules() throws {
    var configuration = SimulatorConfiguration(
      machines: [web()], policies: [SimulatedPolicy(machine: "web1", ports: .init(0))])
    configuration.machines[0].rules = [
      SecurityRule("AllowAll", priority: 300, allows: true, ports: ["*"])
    ]
    let azure = try TestAzure(configuration)
    let deny = azure.simulator.rules(of: "web1-nsg").first { !$0.allows }
    #expect(deny?.priority == 4096)
    #expect(deny?.name.hasPrefix("MicrosoftDefenderForCloud-JITRule_") == true)
    #expect(connects(azure))

    configuration.behaviour.denyPriority = 200
    configuration.behaviour.usesOldRuleNames = true
    let strict = try TestAzure(configuration)
    #expect(
      strict.simulator.rules(of: "web1-nsg").contains {
        $0.name.hasPrefix("SecurityCenter-JITRule_") && $0.priority == 200
      })
    #expect(!connects(strict))
  }

  @Test("deleting the allow rule shuts the gate; a lock forbids it")
  func deletingTheRule() throws {
    let azure = try azure()
    let port = Int(azure.simulator.gatePort(of: "web1") ?? 0)
    _ = try azure.initiate("web1", port: port)
    azure.simulator.advance(by: .seconds(300))
    let rule = azure.simulator.rules(of: "web1-nsg").first(where: \.allows)
    let path =
      azure.group + "/providers/Microsoft.Network/networkSecurityGroups/web1-nsg/securityRules/"
      + (rule?.name ?? "")
    azure.simulator.change { $0.locksSecurityGroups = true }
    #expect(try azure.call("DELETE", path, version: "2024-05-01").code == "ScopeLocked")
    #expect(connects(azure))
    azure.simulator.change { $0.locksSecurityGroups = false }
    #expect(try azure.call("DELETE", path, version: "2024-05-01").status == 200)
    #expect(!connects(azure))
    #expect(try azure.call("DELETE", path, version: "2024-05-01").status == 204)
  }

  @Test("a machine that is off cannot be reached, and start brings it back")
  func power() throws {
    let azure = try azure { $0.machines[0].power = .deallocated }
    let port = Int(azure.simulator.gatePort(of: "web1") ?? 0)
    azure.simulator.change { $0.powerDelay = .seconds(50) }
    _ = try azure.initiate("web1", port: port)
    azure.simulator.advance(by: .seconds(300))
    #expect(!connects(azure))
    let start = try azure.call("POST", azure.machineID("web1") + "/start", version: "2024-07-01")
    #expect(start.status == 202)
    #expect(start.headers["location"]?.hasSuffix("monitor=true") == true)
    #expect(start.headers["retry-after"] == nil)
    let operation = start.headers["azure-asyncoperation"] ?? ""
    let path = String(operation.dropFirst(azure.simulator.baseURL.count))
    #expect(try azure.call("GET", path, version: nil).json["status"] == "InProgress")
    azure.simulator.advance(by: .seconds(51))
    #expect(try azure.call("GET", path, version: nil).json["status"] == "Succeeded")
    #expect(connects(azure))
  }

  private func status(_ azure: TestAzure) -> String? {
    let policy = try? azure.call("GET", azure.policyPath).json
    let request = policy?["properties"]?["requests"]?.elements?.last
    return request?["virtualMachines"]?.elements?.first?["ports"]?.elements?.first?["status"]?.text
  }
}
