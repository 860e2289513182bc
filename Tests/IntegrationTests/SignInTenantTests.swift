import AzureSimulator
import Platform
import Testing

/// People signed in to two tenants with `jitconnect login`, and a machine in either.
@Suite(.limited) struct SignInTenantTests {
  private static let other = SimulatedTenant("fabrikam")
  private static let subscription = SimulatedSubscription("other", tenant: other.id)

  /// Who has signed in where: one person in both, or one in each.
  enum People: CaseIterable { case one, two }

  private func stage(_ people: People) async throws -> Stage {
    let stage = try await Stage.people { configuration in
      configuration.tenants.append(Self.other)
      configuration.subscriptions.append(Self.subscription)
      for index in configuration.identities.indices {
        let name = configuration.identities[index].name
        if name == Stage.bob, people == .two {
          configuration.identities[index].tenants = [Self.other.id]
        } else if name == Stage.ada, people == .one {
          configuration.identities[index].tenants.append(Self.other.id)
        }
      }
      var machine = Stage.web("far1")
      machine.subscription = Self.subscription.id
      configuration.machines.append(machine)
    }
    #expect(try await stage.login().status == 0)
    if people == .two { stage.simulator.change { $0.personAtBrowser = Stage.bob } }
    let second = try await stage.login(["--tenant", Self.other.domain])
    #expect(second.status == 0, "\(second.error)")
    stage.simulator.resetReport()
    return stage
  }

  /// Every call was made by who may make it.
  private func expectRightTokens(_ stage: Stage, _ people: People) {
    let calls = stage.simulator.report.calls
    #expect(calls.allSatisfy { $0.status < 300 }, "\(stage.simulator.report.text)")
    for call in calls where call.path.contains(Self.subscription.id) {
      #expect(call.identity == (people == .one ? Stage.ada : Stage.bob))
    }
    for call in calls where call.path.contains(SimulatedSubscription().id) {
      #expect(call.identity == Stage.ada)
    }
  }

  @Test("list shows the machines of every tenant", arguments: People.allCases)
  func list(_ people: People) async throws {
    let stage = try await stage(people)
    let run = try await stage.run(["list", "--json"], environment: FlowSignInTests.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(run.error.isEmpty)
    let machines = run.json["machines"]?.elements ?? []
    #expect(Set(machines.compactMap { $0["name"]?.text }) == ["web1", "far1"])
    #expect(run.json["unread"]?.elements?.isEmpty != false)
    expectRightTokens(stage, people)
  }

  @Test("a name is found in either tenant, by one query for each", arguments: People.allCases)
  func found(_ people: People) async throws {
    let stage = try await stage(people)
    for name in ["web1", "far1"] {
      let run = try await stage.run(
        ["status", "--json", name], environment: FlowSignInTests.noPrincipal)
      #expect(run.status == 0, "\(run.error)")
    }
    #expect(stage.simulator.report.count(.graph) == 4)
    expectRightTokens(stage, people)
  }

  @Test("--identity looks in its own tenants alone")
  func narrowed() async throws {
    let stage = try await stage(.two)
    let run = try await stage.run(
      ["list", "--json", "--identity", Stage.bob], environment: FlowSignInTests.noPrincipal)
    #expect(run.status == 0, "\(run.error)")
    #expect(run.json["machines"]?.elements?.compactMap { $0["name"]?.text } == ["far1"])
    #expect(stage.simulator.report.calls.allSatisfy { $0.identity ?? Stage.bob == Stage.bob })
  }
}
