import AzureSimulator
import Platform
import Testing

/// What was remembered and no longer holds is noticed by the call that fails, and looked up once.
@Suite(.limited) struct FlowMemoryTests {
  private let knownHosts = "state/jitconnect/known_hosts"

  /// Puts another machine's key in the place of the pinned one.
  private func changePin(_ stage: Stage) throws {
    let other = stage.folder + "/work/other"
    try LoopbackServer.makeKey(other)
    let key = String(decoding: try Files.read(other + ".pub"), as: UTF8.self)
      .split(separator: " ").prefix(2).joined(separator: " ")
    let pinned = try #require(stage.read(knownHosts))
    let host = try #require(pinned.split(separator: " ").first)
    try stage.write(knownHosts, "\(host) \(key)\n")
  }

  @Test("the key is pinned to the vmId")
  func pinned() async throws {
    let stage = try await Stage.ssh { $0.machines[0].vmID = "11111111-2222-3333-4444-555555555555" }
    #expect(try await stage.connect().status == 0)
    #expect(
      stage.read(knownHosts)?.hasPrefix("azure.11111111-2222-3333-4444-555555555555 ") == true)
  }

  @Test("the same machine with another key is refused, and nothing is sent")
  func keyChanged() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    try changePin(stage)
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "host-key-changed", "\(run.error)")
    #expect(run.error.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"))
    #expect(run.output.isEmpty)
    #expect(stage.server?.log.components(of: "Accepted publickey").count == 1)
  }

  @Test("a machine that was made anew under its name is a new host", arguments: [true, false])
  func recreated(windowIsOpen: Bool) async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    try changePin(stage)
    if !windowIsOpen { try stage.write("state/jitconnect/windows.json", "[]") }
    stage.simulator.changeMachine("web1") { $0.vmID = "99999999-2222-3333-4444-555555555555" }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(run.error.contains("azure.99999999-2222-3333-4444-555555555555"), "\(run.error)")
    #expect(stage.read(knownHosts)?.contains("azure.99999999") == true)

    // With strict checking it is not taken.
    let strict = try await stage.connect(
      "web1", ["-o", "StrictHostKeyChecking=yes"],
      environment: ["XDG_STATE_HOME": stage.folder + "/work"])
    #expect(strict.status == 255)
    #expect(strict.error.contains("azure.99999999"))
  }

  @Test("a machine that is gone is looked up again once, and not found")
  func deleted() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.removeMachine("web1")
    stage.simulator.resetReport()
    let run = try await stage.connect("web1")
    #expect(run.status == 255)
    #expect(run.code == "vm-not-found", "\(run.error)")
    // Its name, names near to it, and what else bears it.
    #expect(stage.simulator.report.count(.graph) <= 3)
  }

  @Test("a machine that went to another group is found there")
  func moved() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    // As if it had been in another group before.
    let name = "cache/jitconnect/machines.json"
    let memory = try #require(stage.read(name))
    try stage.write(
      name,
      memory.replacing("rg-demo", with: "rg-gone").replacing("rg-DEMO", with: "rg-gone"))
    try stage.write("state/jitconnect/windows.json", "[]")
    stage.simulator.resetReport()
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.simulator.report.count(.graph) == 1)
    // And is remembered there.
    stage.simulator.resetReport()
    #expect(try await stage.connect().status == 0)
    #expect(stage.simulator.report.count(.graph) == 0)
  }

  @Test("another address since: it is connected to there", arguments: [true, false])
  func addressChanged(windowIsOpen: Bool) async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    let name = "cache/jitconnect/machines.json"
    let memory = try #require(stage.read(name))
    let address = try #require(stage.simulator.gateAddress(of: "web1"))
    try stage.write(name, memory.replacing(address, with: "127.96.1.1"))
    if !windowIsOpen { try stage.write("state/jitconnect/windows.json", "[]") }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }

  @Test("a policy that allows more than it did is read again, not argued with")
  func policyChanged() async throws {
    let stage = try await Stage.ssh { configuration in
      configuration.policies = [
        SimulatedPolicy(machine: "web1", ports: .init(0, maximum: "PT1H"))
      ]
    }
    #expect(try await stage.connect().status == 0)
    stage.simulator.add(SimulatedPolicy(machine: "web1", ports: .init(0, maximum: "PT8H")))
    let run = try await stage.connect("web1", ["--for", "5h"])
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("a policy that is gone since is noticed")
  func policyGone() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.add(SimulatedPolicy(entries: []))
    try stage.write("state/jitconnect/windows.json", "[]")
    let run = try await stage.connect()
    #expect(run.status == 255)
    #expect(run.code == "jit-not-enabled", "\(run.error)")
  }

  @Test("on a terminal it is told that what was remembered no longer holds")
  func told() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.removeMachine("web1")
    #expect(stage.simulator.power(of: "web1") == nil)
    let terminal = try stage.terminal(stage.options() + ["web1", "true"])
    try await terminal.wait(for: "what was remembered of web1 no longer holds; looking it up")
    try await terminal.wait(for: "error[vm-not-found]")
    #expect(try await terminal.end() == .exited(255))
  }

  @Test(
    "files of an earlier run that hold anything at all do no harm",
    arguments: [
      "", "{", "[]", "{\"version\":99}", "null", "\u{0}\u{1}", "[{\"machine\":7}]",
    ])
  func brokenFiles(content: String) async throws {
    let stage = try await Stage.ssh()
    for name in [
      "cache/jitconnect/machines.json", "state/jitconnect/windows.json",
      "state/jitconnect/tokens.json", "cache/jitconnect/clouds.json",
    ] { try stage.write(name, content) }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }
}

extension String {
  /// The places at which `part` begins.
  func components(of part: String) -> [Range<String.Index>] { Array(ranges(of: part)) }
}
