import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite(.limited) struct EditTests {
  /// `web1` with one port, `web2` with two; both in one policy.
  private static func stage(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var configuration = Stage.configuration(
      machines: [SimulatedMachine("web1"), SimulatedMachine("web2")],
      policies: [
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22, sources: ["203.0.113.0/24"])]),
          .init("web2", ports: [.init(22), .init(8443)]),
        ])
      ])
    change(&configuration)
    return try Stage(configuration)
  }

  private static func entry(_ stage: Stage, _ machine: String) -> JSON? {
    let entries = stage.simulator.policy()?["properties"]?["virtualMachines"]?.elements ?? []
    return entries.first { $0["id"]?.text?.hasSuffix("/\(machine)") == true }
  }

  private static func port(_ stage: Stage, _ machine: String, _ number: Int) -> JSON? {
    entry(stage, machine)?["ports"]?.elements?.first { $0["number"]?.integer == number }
  }

  /// An editor that runs a sed script on the file.
  private static func editor(_ script: String) -> [String: String?] {
    ["EDITOR": "sed -i -e '\(script)'"]
  }

  @Test("options change the named fields and nothing else")
  func fields() async throws {
    let stage = try Self.stage()
    let other = Self.entry(stage, "web2")
    #expect(try await stage.run(["edit", "web1", "--max", "1h", "--yes"]).status == 0)
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT1H")
    #expect(Self.port(stage, "web1", 22)?["allowedSourceAddressPrefix"] == "203.0.113.0/24")

    let added = try await stage.run([
      "edit", "web1", "--allow-source", "198.51.100.7,203.0.113.9", "--yes",
    ])
    #expect(added.ending == .exited(0))
    // What the block holds already is not named again.
    #expect(
      Self.port(stage, "web1", 22)?["allowedSourceAddressPrefixes"]?.elements?.compactMap(\.text)
        == ["203.0.113.0/24", "198.51.100.7"])
    #expect(Self.port(stage, "web1", 22)?["allowedSourceAddressPrefix"] == nil)

    let several = try await stage.run([
      "edit", "web1", "--port", "22/tcp:from=any", "--add-port", "2222/tcp:max=30m", "--yes",
      "--json",
    ])
    #expect(several.ending == .exited(0))
    try Golden.compare(several.text, with: "edit.json")
    #expect(Self.port(stage, "web1", 22)?["protocol"] == "TCP")
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT1H")
    #expect(Self.port(stage, "web1", 2222)?["maxRequestAccessDuration"] == "PT30M")

    #expect(try await stage.run(["edit", "web1", "--remove-port", "22", "--yes"]).status == 0)
    #expect(Self.port(stage, "web1", 22) == nil)
    #expect(Self.entry(stage, "web2") == other)
  }

  @Test("what makes no sense is refused, and nothing is written")
  func refusals() async throws {
    let stage = try Self.stage { $0.machines.append(SimulatedMachine("bare")) }
    let cases: [([String], String, String)] = [
      (["web2", "--max", "1h"], "usage", "need to know which port is meant"),
      (["web2", "--allow-source", "198.51.100.1"], "usage", "it has port 22 from any"),
      (["web1", "--port", "2222:max=1h"], "not-found", "has no port 2222"),
      (["web1", "--remove-port", "2222"], "not-found", "has no port 2222"),
      (["web1", "--add-port", "22"], "usage", "has port 22 already"),
      (["web1", "--remove-port", "22"], "usage", "jitconnect disable web1"),
      (["bare", "--max", "1h"], "jit-not-enabled", "jitconnect enable bare"),
    ]
    for (words, code, text) in cases {
      let run = try await stage.run(["edit"] + words + ["--yes"])
      #expect(run.code == code, "\(words)")
      #expect(run.error.contains(text), "\(run.error)")
    }
    #expect(stage.count("PUT", "/") == 0)
  }

  @Test("nothing to change is said, and no call is made for it")
  func nothing() async throws {
    let stage = try Self.stage()
    let run = try await stage.run(["edit", "web1", "--max", "3h"])
    #expect(run.ending == .exited(0))
    #expect(stage.count("PUT", "/") == 0)
  }

  @Test("an added port that a rule leaves open is told")
  func openPort() async throws {
    let stage = try Self.stage {
      $0.machines[0].rules = [SecurityRule("web", priority: 200, allows: true, ports: ["443"])]
    }
    let run = try await stage.run(["edit", "web1", "--add-port", "443/tcp", "--yes"])
    #expect(run.code == "port-still-open")
    #expect(run.error.contains("--fix"))
  }

  @Test("two policies for one VM: the one of its location is edited, the other is named")
  func twoPolicies() async throws {
    let stage = try Self.stage {
      var old = SimulatedPolicy(machine: "web1", ports: .init(22))
      old.location = "northeurope"
      $0.policies.insert(old, at: 0)
    }
    let refused = try await stage.run(["edit", "web1", "--max", "1h"])
    try Golden.compare(refused.error, with: "edit-declined.txt")
    #expect(try await stage.run(["edit", "web1", "--max", "1h", "--yes"]).status == 0)
    let put = stage.simulator.report.calls.filter { $0.method == "PUT" }
    #expect(put.count == 1)
    #expect(put.first?.path.contains("/locations/westeurope/") == true)
    // disable takes it out of both.
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    #expect(stage.count("DELETE", "/locations/northeurope/") == 1)
    #expect(Self.entry(stage, "web1") == nil)
    #expect(Self.entry(stage, "web2") != nil)
  }

  // MARK: The editor

  @Test("in the editor the VM's entry is a file of this user's alone, gone afterwards")
  func inEditor() async throws {
    let stage = try Self.stage()
    let script =
      "stat -c '%a %a' \"$1\" > seen; cat \"$1\" >> seen; env >> seen; sed -i s/PT3H/PT1H/ \"$1\""
    try stage.write("work/editor", "#!/bin/sh\n" + script + "\n")
    let run = try await stage.run(
      ["edit", "web1", "--yes"],
      environment: ["VISUAL": "sh ./editor", "EDITOR": "false", "TMPDIR": stage.folder + "/work"])
    #expect(run.ending == .exited(0))
    #expect(run.error == "")
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT1H")
    let seen = stage.read("work/seen") ?? ""
    #expect(seen.hasPrefix("600 600\n# What the policy of web1"))
    #expect(!seen.contains("web2"))
    #expect(!seen.contains("AZURE_CLIENT_SECRET"))
    #expect(seen.contains("AZURE_CLIENT_ID"))
    #expect(!stage.writtenFiles.contains { $0.contains("jitconnect.") })
  }

  @Test("what is wrong in the file comes back with the reason, and nothing typed is lost")
  func wrongFile() async throws {
    let stage = try Self.stage()
    // The first round spoils the file, the second mends what it finds there.
    try stage.write(
      "work/editor",
      """
      #!/bin/sh
      if test -e second; then
        cp "$1" seen
        sed -i -e 's/PT9D/PT2H/' "$1"
      else
        touch second
        sed -i -e 's/PT3H/PT9D/' "$1"
      fi

      """)
    let terminal = try stage.terminal(["edit", "web1"], environment: ["EDITOR": "sh ./editor"])
    try await terminal.wait(for: "Edit again? [y/N]")
    #expect(terminal.screen.contains("port 22: maxRequestAccessDuration: from \"PT5M\" to \"P1D\""))
    try terminal.type("y\r")
    try await terminal.wait(for: "Write this? [y/N]")
    #expect(terminal.screen.contains("- port 22 from 203.0.113.0/24, at most 3 hours"))
    #expect(terminal.screen.contains("+ port 22 from 203.0.113.0/24, at most 2 hours"))
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0))
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT2H")
    let seen = stage.read("work/seen") ?? ""
    #expect(seen.contains("# It cannot be written like this:"))
    #expect(seen.contains("PT9D"))
  }

  @Test(
    "without anybody to ask, a bad file is kept and named",
    arguments: [
      ("s/22/70000/", "a port is a number"), ("s/\"number\"/number/", "it is not JSON"),
      ("/^[^#]/d", "the file is empty"), ("s/203.0.113.0.24/2001:db8::1/", "is no IPv4 address"),
      ("s/virtualMachines.web1/virtualMachines\\/web2/", "it must stay"),
      ("s/protocol\": \"\\*/protocol\": \"icmp/", "protocol:"),
    ])
  func badFile(script: String, reason: String) async throws {
    let stage = try Self.stage()
    let run = try await stage.run(
      ["edit", "web1", "--yes"],
      environment: Self.editor(script).merging(["TMPDIR": stage.folder + "/work"]) { $1 })
    #expect(run.ending == .exited(1))
    #expect(run.code == "policy-invalid")
    #expect(run.error.contains(reason), "\(run.error)")
    let kept = stage.writtenFiles.filter { $0.hasSuffix("/policy.json") }
    #expect(kept.count == 1)
    #expect(run.error.contains(kept.first ?? "?"))
    #expect(stage.count("PUT", "/") == 0)
  }

  @Test("an editor that fails, or none at all, writes nothing")
  func noEditor() async throws {
    let stage = try Self.stage()
    let failed = try await stage.run(["edit", "web1", "--yes"], environment: ["EDITOR": "false"])
    #expect(failed.code == "program-failed")
    let none = try await stage.run(["edit", "web1", "--yes"])
    #expect(none.ending == .exited(64))
    #expect(none.error.contains("neither VISUAL nor EDITOR is set"))
    let same = try await stage.run(["edit", "web1"], environment: ["EDITOR": "true"])
    #expect(same.ending == .exited(0))
    #expect(stage.count("PUT", "/") == 0)
  }

  // MARK: Two at once

  @Test("SIGTERM while the editor runs: nothing is written, what was typed is kept and named")
  func terminatedInEditor() async throws {
    let stage = try Self.stage()
    try stage.write(
      "work/editor",
      "sed -i s/PT3H/PT1H/ \"$1\"; touch started; while ! test -e go; do sleep 0.1; done\n")
    let running = try stage.start(
      ["edit", "web1", "--yes"],
      environment: ["EDITOR": "sh ./editor", "TMPDIR": stage.folder + "/work"])
    try await running.wait(for: "the editor") { stage.read("work/started") != nil }
    running.signal(SIGTERM)
    try stage.write("work/go", "")
    let run = try await running.finish(timeout: .seconds(20))
    #expect(run.code == "interrupted", "\(run.error)")
    #expect(run.status != 0)
    #expect(stage.count("PUT", "/") == 0)
    let kept = stage.writtenFiles.first { $0.hasSuffix("/policy.json") }
    #expect(run.error.contains(kept ?? "?"), "\(run.error)")
    #expect(stage.read(kept ?? "")?.contains("PT1H") == true)
  }

  @Test("somebody changes the same VM while the editor is open: nothing is overwritten or lost")
  func changedMeanwhile() async throws {
    let stage = try Self.stage()
    // What the editor gets is read first.
    stage.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { _ in }
    stage.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { simulator in
      simulator.add(
        SimulatedPolicy(entries: [
          .init("web1", ports: [.init(22, sources: ["198.51.100.0/24"])]),
          .init("web2", ports: [.init(22), .init(8443)]),
        ]))
    }
    let run = try await stage.run(
      ["edit", "web1", "--yes"],
      environment: Self.editor("s/PT3H/PT1H/").merging(["TMPDIR": stage.folder + "/work"]) { $1 })
    #expect(run.ending == .exited(1))
    #expect(run.code == "policy-changed")
    #expect(run.error.contains("what was typed is kept in"))
    #expect(stage.count("PUT", "/") == 0)
    let kept = try #require(stage.writtenFiles.first { $0.hasSuffix("/policy.json") })
    #expect(stage.read(kept)?.contains("PT1H") == true)
  }

  @Test("somebody changes the same VM between the question and the write: it is shown anew")
  func changedAfterQuestion() async throws {
    let stage = try Self.stage()
    let terminal = try stage.terminal(["edit", "web1", "--max", "1h"])
    try await terminal.wait(for: "Write this? [y/N]")
    stage.simulator.add(
      SimulatedPolicy(entries: [
        .init("web1", ports: [.init(22, sources: ["198.51.100.0/24"])]),
        .init("web2", ports: [.init(22), .init(8443)]),
      ]))
    try terminal.type("y\r")
    try await terminal.wait(for: "somebody else changed")
    try await terminal.wait(for: "+ port 22 from 198.51.100.0/24, at most 1 hour")
    try await terminal.wait(for: "Write this? [y/N]")
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0))
    #expect(Self.port(stage, "web1", 22)?["allowedSourceAddressPrefix"] == "198.51.100.0/24")
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT1H")
  }

  @Test("another VM that comes in directly before the write survives it")
  func directlyBefore() async throws {
    let stage = try Self.stage { $0.machines.append(SimulatedMachine("web3")) }
    let terminal = try stage.terminal(["edit", "web1", "--max", "1h"])
    try await terminal.wait(for: "Write this? [y/N]")
    #expect(try await stage.run(["enable", "web3", "--yes"]).status == 0)
    try terminal.type("y\r")
    #expect(try await terminal.end() == .exited(0))
    for name in ["web1", "web2", "web3"] { #expect(Self.entry(stage, name) != nil) }
  }

  @Test("a change that another writer overwrote is seen in the read-back, done again and told")
  func overwritten() async throws {
    let stage = try Self.stage { $0.machines.append(SimulatedMachine("web3")) }
    // Read, read again before the write, and then the read-back.
    for index in 0..<3 {
      stage.simulator.beforeNext("GET", "/jitNetworkAccessPolicies/default") { simulator in
        guard index == 2 else { return }
        // Based on what was there before the write.
        simulator.add(
          SimulatedPolicy(entries: [
            .init("web1", ports: [.init(22, sources: ["203.0.113.0/24"])]),
            .init("web3", ports: [.init(22)]),
          ]))
      }
    }
    let run = try await stage.run(["edit", "web1", "--max", "1h", "--yes"])
    #expect(run.ending == .exited(0))
    #expect(run.error.contains("another program changed the policy default at the same time"))
    #expect(run.error.contains("web2 fell out of the policy default and was put back"))
    #expect(Self.port(stage, "web1", 22)?["maxRequestAccessDuration"] == "PT1H")
    for name in ["web2", "web3"] { #expect(Self.entry(stage, name) != nil) }
  }

  // MARK: Disable

  @Test("disable takes one entry, and the policy with the last")
  func disable() async throws {
    let stage = try Self.stage()
    let other = Self.entry(stage, "web2")
    let run = try await stage.run(["disable", "web1", "--yes", "--json"])
    #expect(run.ending == .exited(0))
    try Golden.compare(run.text, with: "disable.json")
    #expect(Self.entry(stage, "web1") == nil)
    #expect(Self.entry(stage, "web2") == other)
    #expect(stage.count("DELETE", "/") == 0)
    #expect(stage.simulator.rules(of: "web1-nsg").isEmpty)

    #expect(try await stage.run(["disable", "web2", "--yes"]).status == 0)
    #expect(stage.simulator.policy() == nil)
    let again = try await stage.run(["disable", "web2", "--yes"])
    #expect(again.ending == .exited(6))
    #expect(again.code == "jit-not-enabled")
  }

  @Test("both machines of a policy at once: the policy goes with one call")
  func disableAll() async throws {
    let stage = try Self.stage()
    #expect(try await stage.run(["disable", "web1", "web2", "--yes"]).status == 0)
    #expect(stage.simulator.policy() == nil)
    #expect(stage.count("PUT", "/") == 0)
    #expect(stage.count("DELETE", "/") == 1)
  }

  @Test("a deleted machine's entry is found by its name")
  func disableDeleted() async throws {
    let stage = try Self.stage()
    stage.simulator.removeMachine("web2")
    #expect(try await stage.run(["disable", "web2", "--yes"]).status == 0)
    #expect(Self.entry(stage, "web2") == nil)
    #expect(Self.entry(stage, "web1") != nil)
  }

  @Test("open windows are named before they may end")
  func openWindows() async throws {
    let stage = try await Stage.greeting()
    _ = try await stage.connect()
    let run = try await stage.run(["disable", "web1"])
    #expect(run.code == "declined")
    #expect(run.error.contains("of web1 is open for 203.0.113.7 until"))
    #expect(stage.simulator.policy() != nil)
  }

  @Test("without the right to delete, that action is named")
  func mayNotDelete() async throws {
    let stage = try Self.stage {
      $0.identities[0].grants = [
        .init(notActions: ["Microsoft.Security/locations/jitNetworkAccessPolicies/delete"])
      ]
    }
    #expect(try await stage.run(["disable", "web1", "--yes"]).status == 0)
    let run = try await stage.run(["disable", "web2", "--yes"])
    #expect(run.code == "not-permitted")
    #expect(run.error.contains("jitNetworkAccessPolicies/delete"))
  }
}
