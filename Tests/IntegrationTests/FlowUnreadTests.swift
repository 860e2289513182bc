import AzureSimulator
import Platform
import Testing

/// What of a machine may not be read, or not in time.
@Suite(.limited) struct FlowUnreadTests {
  private func fault(_ effect: Fault.Effect, _ path: String) -> Fault {
    var fault = Fault(effect, method: "GET", path: path)
    fault.times = nil
    return fault
  }

  private static let denied = Fault.Effect.error(
    403, code: "AuthorizationFailed", message: "no right to read it")

  @Test(
    "where addresses may not be read, what Resource Graph tells of them counts",
    arguments: ["/publicIPAddresses/", "/networkInterfaces/"])
  func fromGraph(path: String) async throws {
    let stage = try await Stage.ssh()
    stage.simulator.inject(fault(Self.denied, path))
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("an address that nobody may read is not called absent: the action is named")
  func nowhere() async throws {
    let stage = try await Stage.ssh()
    stage.simulator.inject(fault(Self.denied, "/publicIPAddresses/"))
    let id = stage.machine.id
    let run = try await stage.connect(id)
    #expect(run.code == "not-permitted", "\(run.error)")
    #expect(run.error.contains("Microsoft.Network/publicIPAddresses/read"), "\(run.error)")
    #expect(!run.error.contains("has no public address"), "\(run.error)")
  }

  @Test("a connect does not wait for a subnet that does not answer")
  func slowSubnet() async throws {
    let stage = try await Stage.ssh()
    stage.simulator.inject(fault(.slow(.seconds(100)), "/subnets/"))
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }

  @Test("a policy that is deleted while its window is waited for ends the wait")
  func deletedPolicy() async throws {
    let stage = try await Stage.greeting { $0.behaviour.openingDelay = .seconds(3600) }
    stage.simulator.inject(
      fault(
        .error(404, code: "ResourceNotFound", message: "gone"), "/jitNetworkAccessPolicies/"))
    let run = try await stage.connect()
    #expect(run.code == "window-vanished", "\(run.error)")
    #expect(run.error.contains("was deleted meanwhile"), "\(run.error)")
    #expect(run.error.contains("jitconnect status"), "\(run.error)")
  }
}
