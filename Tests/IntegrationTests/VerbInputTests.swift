import AzureSimulator
import Platform
import Testing

/// What verbs and the look-up make of a world that is not as it should be.
@Suite(.limited) struct VerbInputTests {
  @Test("a reader that has seen enough ends a verb without a word, as any program")
  func closedOutput() async throws {
    let stage = try await Stage.greeting()
    let run = try await Running(
      [
        "-c", "trap '' PIPE; mkfifo p; exec 3<>p 4>p 3<&-; \"$0\" list --json >&4; echo $? >&2",
        Binary.path,
      ], of: "/bin/bash",
      environment: stage.environment, directory: stage.folder + "/work"
    ).finish()
    #expect(run.error == "141\n", "\(run.error)")
  }

  @Test(
    "what is no virtual machine is named as what it is",
    arguments: [
      ("box", "Microsoft.HybridCompute/machines", "box", "box is an Arc machine"),
      (
        "old", "Microsoft.ClassicCompute/virtualMachines", "OLD", "old is a classic virtual machine"
      ),
      ("set", "Microsoft.Compute/virtualMachineScaleSets", "set", "set is a scale set"),
      (
        "set", "Microsoft.Compute/virtualMachineScaleSets", "set_3",
        "set_3 is an instance of the scale set set"
      ),
    ])
  func lookalike(name: String, type: String, typed: String, told: String) async throws {
    let stage = try await Stage.greeting { $0.lookalikes = [SimulatedLookalike(name, type: type)] }
    let run = try await stage.run([typed])
    #expect(run.status == 255)
    #expect(run.code == "vm-unsupported", "\(run.error)")
    #expect(run.error.contains(told), "\(run.error)")
    let verb = try await stage.run(["status", typed])
    #expect(verb.status == 6)
  }
}
